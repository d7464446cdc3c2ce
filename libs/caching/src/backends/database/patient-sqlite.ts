import { closeSync, openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { codeOf } from './dialect-parts.js';
import type { KnexClientClass, RawConnection } from './knex-client.js';

/** The file name of a database in memory. */
export const MEMORY = ':memory:';

const PRAGMAS = ['journal_mode = WAL', 'synchronous = NORMAL', 'busy_timeout = 0'];

/** The longest wait between two attempts, in milliseconds. */
const MAX_WAIT_MS = 20;

/** What Knex uses of a statement of the driver. */
interface Statement {
  readonly reader: boolean;
  all(bindings: readonly unknown[]): unknown;
  run(bindings: readonly unknown[]): unknown;
}

interface SqliteConnection extends RawConnection {
  prepare(sql: string): Statement;
}

/**
 * SQLite's own waiting for a lock of another process would stop this one's event loop, so the waiting is done here. The
 * file is for its owner only.
 *
 * A statement that met a lock must itself be run again: libsql leaves it open until then, and until the last open one is
 * over nothing on that connection is committed, nor is the lock given back that a later one has taken.
 */
export function patientSqlite(Base: KnexClientClass, timeoutMs: number): KnexClientClass {
  return class extends Base {
    declare readonly connectionSettings: { readonly filename: string };

    override async acquireRawConnection(): Promise<RawConnection> {
      const { filename } = this.connectionSettings;
      if (filename !== MEMORY) closeSync(openSync(filename, 'a', 0o600));
      const connection = await super.acquireRawConnection();
      for (const pragma of PRAGMAS) await this._query(connection, { sql: `PRAGMA ${pragma}` });
      return connection;
    }

    override async _query(connection: RawConnection, query: { readonly sql: string }): Promise<object> {
      const giveUpAt = performance.now() + timeoutMs;
      const insist = <T>(attempt: () => T): Promise<T> => untilFree(attempt, giveUpAt);
      try {
        const statement = await insist(() => (connection as SqliteConnection).prepare(query.sql));
        const patient = {
          reader: statement.reader,
          all: (bindings: readonly unknown[]) => insist(() => statement.all(bindings)),
          run: (bindings: readonly unknown[]) => insist(() => statement.run(bindings)),
        };
        return await super._query({ prepare: () => patient } as SqliteConnection, query);
      } catch (error) {
        // Given up, it stays open, and the connection is of no more use.
        if (isBusy(error)) connection.__knex__disposed = error;
        throw error;
      }
    }
  };
}

/** Tries until no other process holds the lock. */
async function untilFree<T>(attempt: () => T, giveUpAt: number): Promise<T> {
  for (let wait = 1; ; wait = Math.min(wait * 2, MAX_WAIT_MS)) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      await pause(wait * (0.5 + Math.random()));
    }
  }
}

function isBusy(error: unknown): boolean {
  return /^SQLITE_BUSY/.test(String(codeOf(error)));
}
