import { InvalidOptionsError } from '../../errors.js';
import { importPeer } from '../import-peer.js';
import type { Dialect, DialectName } from './dialect.js';
import type { KnexClientClass, RawConnection } from './knex-client.js';
import type { KnexInstance } from './knex-instance.js';
import { MEMORY, patientSqlite } from './patient-sqlite.js';

/** Where the statements go: an instance of the caller's, or a URL for one of our own. */
export type DatabaseSource = { readonly knex: KnexInstance } | { readonly url: string };

/** How to connect; milliseconds. */
export interface ConnectionOptions {
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
}

/** A Knex instance of our own. */
export interface OwnKnex {
  readonly knex: KnexInstance;
  /** Ends within {@link CLOSE_LIMIT_MS}; what is under way then fails. */
  close(): Promise<void>;
}

interface Driver {
  /** What Knex calls it. */
  readonly client: string;
  /** The version to take for granted, which saves asking at every start. */
  readonly version?: string;
  readonly load: () => Promise<unknown>;
  readonly connection: (url: string, connectTimeoutMs: number) => object;
  readonly end: (connection: RawConnection) => void;
  readonly adapt?: (Base: KnexClientClass, timeoutMs: number) => KnexClientClass;
}

const NEEDED_BY = 'The database backend';

/** Milliseconds for a polite end; after that the sockets are cut. */
export const CLOSE_LIMIT_MS = 2000;

/** In the log of a cache there is nothing that its errors do not say. */
const SILENT = { debug: ignore, warn: ignore, error: ignore, deprecate: ignore };

const DRIVERS: Readonly<Record<DialectName, Driver>> = {
  postgres: {
    client: 'pg',
    version: '15',
    load: async () => (await importPeer('pg', NEEDED_BY, () => import('pg'))).default,
    connection: (url, connectionTimeoutMillis) => ({
      connectionString: url,
      connectionTimeoutMillis,
      keepAlive: true,
    }),
    end: (connection) =>
      (connection as { connection: { stream: { destroy(): void } } }).connection.stream.destroy(),
  },
  mysql: {
    client: 'mysql2',
    version: '8.0.0',
    load: async () => (await importPeer('mysql2', NEEDED_BY, () => import('mysql2'))).default,
    connection: (url, connectTimeout) => ({ uri: url.replace(/^[a-z]+:/i, 'mysql:'), connectTimeout }),
    end: (connection) => (connection as { stream: { destroy(): void } }).stream.destroy(),
  },
  sqlite: {
    client: 'better-sqlite3',
    load: async () => (await importPeer('libsql', NEEDED_BY, () => import('libsql'))).default,
    connection: (url) => ({ filename: sqliteFile(url) }),
    end: (connection) => {
      const database = connection as { readonly open: boolean; close(): void };
      if (database.open) database.close();
    },
    adapt: patientSqlite,
  },
};

/**
 * Loads what {@link openKnex} stands on, so that a package that is missing shows before the first operation.
 *
 * @throws PeerMissingError if Knex or the driver is not installed
 */
export async function importDriver({ name }: Dialect) {
  const { default: knex } = await importPeer('knex', NEEDED_BY, () => import('knex'));
  return { knex, driver: await DRIVERS[name].load() };
}

/**
 * Connects nothing yet: the pool opens its first connection for the first statement.
 *
 * @throws PeerMissingError if Knex or the driver is not installed
 */
export async function openKnex(dialect: Dialect, url: string, options: ConnectionOptions): Promise<OwnKnex> {
  const { knex, driver: module } = await importDriver(dialect);
  const driver = DRIVERS[dialect.name];
  const isMemory = isInMemory({ url });
  const common = { log: SILENT, useNullAsDefault: true };
  const Base = (knex({ client: driver.client, ...common }).client as object).constructor as KnexClientClass;
  const open = new Set<RawConnection>();
  const Adapted = driver.adapt?.(Base, options.connectTimeoutMs) ?? Base;
  const instance = knex({
    ...common,
    client: watched(Adapted, module, open, driver.end) as never,
    ...(driver.version === undefined ? {} : { version: driver.version }),
    connection: driver.connection(url, options.connectTimeoutMs),
    // Otherwise the values stand in the messages of errors.
    compileSqlOnError: false,
    acquireConnectionTimeout: options.connectTimeoutMs,
    pool: {
      // A database in memory is its one connection.
      min: isMemory ? 1 : 0,
      max: isMemory ? 1 : options.maxConnections,
      createTimeoutMillis: options.connectTimeoutMs + 1000,
      destroyTimeoutMillis: CLOSE_LIMIT_MS,
    },
  });
  return {
    knex: instance,
    close: async () => {
      await within(CLOSE_LIMIT_MS, instance.destroy());
      for (const connection of open) driver.end(connection);
    },
  };
}

/** A client of Knex on the driver that we loaded, which knows its connections and leaves none of them half closed. */
function watched(
  Base: KnexClientClass,
  module: unknown,
  open: Set<RawConnection>,
  end: (connection: RawConnection) => void,
): KnexClientClass {
  return class extends Base {
    _driver(): unknown {
      return module;
    }

    override async acquireRawConnection(): Promise<RawConnection> {
      const connection = await super.acquireRawConnection();
      open.add(connection);
      return connection;
    }

    override async destroyRawConnection(connection: RawConnection): Promise<void> {
      // A connection that failed or hangs would not take a farewell; one that took it may still wait for the server's.
      if (connection.__knex__disposed === undefined)
        await super.destroyRawConnection(connection).catch(ignore);
      end(connection);
      open.delete(connection);
    }
  };
}

/** Whether the database lives in this process alone. */
export function isInMemory(source: DatabaseSource): boolean {
  if ('knex' in source) return source.knex.client.connectionSettings?.filename === MEMORY;
  return /^sqlite:/i.test(source.url) && sqliteFile(source.url) === MEMORY;
}

/**
 * The file of `sqlite:///var/cache/app.db`, `sqlite:cache/app.db` (relative to the working directory) or
 * `sqlite::memory:`.
 */
function sqliteFile(url: string): string {
  const file = decodeURIComponent(url.replace(/^sqlite:(\/\/)?/i, ''));
  if (file === `/${MEMORY}`) return MEMORY;
  if (file !== '' && !file.endsWith('/') && !file.includes('\0')) return file;
  throw new InvalidOptionsError([
    {
      path: 'url',
      message: 'names no file. Use sqlite:///var/cache/app.db, sqlite:app.db or sqlite::memory:.',
    },
  ]);
}

/** Waits for the end of it, but no longer than that; how it ends does not matter. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work.catch(ignore), limit]);
  clearTimeout(timer);
}

function ignore(): void {
  // On purpose.
}
