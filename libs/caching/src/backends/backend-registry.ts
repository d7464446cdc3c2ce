import { fileURLToPath } from 'node:url';
import type { Clock } from '../clock.js';
import type { CacheBackend } from './cache-backend.js';
import type { DatabaseBackendOptions } from './database.backend.js';
import type { FileBackendOptions } from './file.backend.js';
import type { KeyvBackendOptions } from './keyv.backend.js';
import type { MemcachedBackendOptions } from './memcached.backend.js';
import type { MemoryBackendOptions } from './memory.backend.js';
import type { RedisBackendOptions } from './redis.backend.js';

/** How a backend is found and made. Its module is imported when a cache is configured to use it, and not before. */
interface Registration {
  /** The URL schemes that mean it. */
  readonly schemes: readonly string[];
  open(options: never, clock: Clock): Promise<CacheBackend>;
}

const BACKENDS = {
  memory: {
    schemes: ['memory:'],
    open: async ({ maxEntries, maxBytes, sweepInterval }: MemoryBackendOptions, clock: Clock) => {
      const { MemoryBackend } = await import('./memory.backend.js');
      return new MemoryBackend({ maxEntries, maxBytes, sweepInterval }, clock) as CacheBackend;
    },
  },
  file: {
    schemes: ['file:'],
    open: async ({ url, directory, maxEntries, sweepInterval }: FileOptions, clock: Clock) => {
      const { FileBackend } = await import('./file.backend.js');
      const path = directory ?? (url === undefined ? '' : fileURLToPath(url));
      return new FileBackend({ directory: path, maxEntries, sweepIntervalMs: sweepInterval, clock });
    },
  },
  redis: {
    schemes: ['redis:', 'rediss:'],
    open: async ({ connectTimeout, socketTimeout, ...rest }: RedisOptions) => {
      await (await import('./redis/client.js')).importRedis();
      const { RedisBackend } = await import('./redis.backend.js');
      return new RedisBackend({ ...rest, connectTimeoutMs: connectTimeout, socketTimeoutMs: socketTimeout });
    },
  },
  memcached: {
    schemes: ['memcached:'],
    open: async (
      { url, servers, connectTimeout, socketTimeout, maxItemBytes }: MemcachedOptions,
      clock: Clock,
    ) => {
      const { MemcachedBackend, parseServers } = await import('./memcached.backend.js');
      return new MemcachedBackend({
        servers: servers ?? parseServers(url ?? ''),
        connectTimeoutMs: connectTimeout,
        socketTimeoutMs: socketTimeout,
        maxItemBytes,
        clock,
      });
    },
  },
  database: {
    schemes: ['postgres:', 'postgresql:', 'mysql:', 'mariadb:', 'sqlite:'],
    open: async ({ sweepInterval, connectTimeout, queryTimeout, ...rest }: DatabaseOptions, clock: Clock) => {
      const { DatabaseBackend, importDriverOf } = await import('./database.backend.js');
      if (rest.url !== undefined) await importDriverOf(rest.url);
      return new DatabaseBackend({
        ...rest,
        sweepIntervalMs: sweepInterval,
        connectTimeoutMs: connectTimeout,
        queryTimeoutMs: queryTimeout,
        clock,
      });
    },
  },
  keyv: {
    schemes: [],
    open: async ({ store }: Pick<KeyvBackendOptions, 'store'>, clock: Clock) =>
      new (await import('./keyv.backend.js')).KeyvBackend({ store, clock }),
  },
  null: {
    schemes: ['null:'],
    open: async () => new (await import('./null.backend.js')).NullBackend(),
  },
} satisfies Record<string, Registration>;

type DatabaseOptions = Omit<
  DatabaseBackendOptions,
  'sweepIntervalMs' | 'connectTimeoutMs' | 'queryTimeoutMs' | 'clock'
> & {
  readonly sweepInterval: number;
  readonly connectTimeout: number;
  readonly queryTimeout: number;
};

interface FileOptions extends Pick<FileBackendOptions, 'maxEntries'> {
  readonly directory?: string;
  readonly url?: string;
  readonly sweepInterval: number;
}

interface MemcachedOptions extends Pick<MemcachedBackendOptions, 'maxItemBytes'> {
  readonly servers?: readonly string[];
  readonly url?: string;
  readonly connectTimeout: number;
  readonly socketTimeout: number;
}

type RedisOptions = Omit<RedisBackendOptions, 'connectTimeoutMs' | 'socketTimeoutMs'> & {
  readonly connectTimeout: number;
  readonly socketTimeout: number;
};

/** The backends that can be named in the options. */
export type BackendName = keyof typeof BACKENDS;

export const BACKEND_NAMES = Object.keys(BACKENDS) as BackendName[];

/** The backend that a URL scheme means, such as `redis` for `rediss:`. */
export function backendOfScheme(scheme: string): BackendName | undefined {
  return BACKEND_NAMES.find((name) => (BACKENDS[name].schemes as readonly string[]).includes(scheme));
}

/**
 * Makes a backend from options that were resolved for it. Nothing connects yet.
 *
 * @throws PeerMissingError if it stands on a package that is not installed
 */
export function openBackend(
  name: BackendName,
  options: Readonly<Record<string, unknown>>,
  clock: Clock,
): Promise<CacheBackend> {
  return BACKENDS[name].open(options as never, clock);
}
