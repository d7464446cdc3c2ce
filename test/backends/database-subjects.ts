import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe } from '@jest/globals';
import knexDefault, { type Knex } from 'knex';

import {
  DatabaseBackend,
  type DatabaseBackendOptions,
} from '../../libs/caching/src/backends/database.backend.js';
import { systemClock } from '../../libs/caching/src/clock.js';
import { describeService } from '../support/services.js';

/** A backend with the defaults and without a sweep. */
export function createBackend(options: Partial<DatabaseBackendOptions>): DatabaseBackend {
  return new DatabaseBackend({
    table: 'nestjs_cache',
    createTable: true,
    maxEntries: 100_000,
    sweepIntervalMs: 0,
    maxConnections: 10,
    connectTimeoutMs: 2000,
    queryTimeoutMs: 5000,
    clock: systemClock,
    ...options,
  });
}

/** The tests, on each kind of database. */
export function describeDatabases(body: (url: () => string) => void): void {
  describe('on sqlite', () => {
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-caching-sqlite-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    body(() => `sqlite://${folder}/cache.db`);
  });
  describeService('postgres', (service) => body(() => service().url));
  describeService('mariadb', (service) => body(() => service().url));
}

/** An instance of Knex as an application has it. */
export async function applicationKnex(url: string): Promise<Knex> {
  if (url.startsWith('postgres')) return knexDefault({ client: 'pg', connection: url });
  if (url.startsWith('mysql')) return knexDefault({ client: 'mysql2', connection: url });
  const { default: libsql } = await import('libsql');
  const Base = knexDefault({ client: 'better-sqlite3', useNullAsDefault: true }).client.constructor as new (
    config: object,
  ) => Knex.Client;
  class Libsql extends Base {
    _driver(): unknown {
      return libsql;
    }
  }
  return knexDefault({
    client: Libsql as never,
    connection: { filename: url.replace('sqlite://', '') },
    useNullAsDefault: true,
  });
}
