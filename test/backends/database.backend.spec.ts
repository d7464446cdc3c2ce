import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { describe, expect, it, beforeAll, afterAll, beforeEach, afterEach } from '@jest/globals';
import type { Knex } from 'knex';
import Database from 'libsql';

import { createCacheTable, createCacheTableSql } from 'nestjs-caching/database';

import {
  type DatabaseBackend,
  type DatabaseBackendOptions,
} from '../../libs/caching/src/backends/database.backend.js';
import { InvalidOptionsError, ValueTooLargeError } from '../../libs/caching/src/errors.js';
import { FakeClock } from '../../libs/caching/src/testing/index.js';
import { describeService } from '../support/services.js';
import { applicationKnex, createBackend, describeDatabases } from './database-subjects.js';
import { until } from './database-until.js';

const TABLE = 'nestjs_cache';
const MINUTE = 60_000;

const bytes = (text: string): Uint8Array => Buffer.from(text);

describeDatabases((url) => {
  let knex: Knex;
  const backends: DatabaseBackend[] = [];

  const create = (options: Partial<DatabaseBackendOptions> = {}): DatabaseBackend => {
    const backend = createBackend(options.knex === undefined ? { url: url(), ...options } : options);
    backends.push(backend);
    return backend;
  };
  const rows = async (table = TABLE): Promise<number> =>
    Number((await knex(table).count({ total: '*' }))[0]?.total);
  const dropAll = () => knex.schema.dropTableIfExists(TABLE);

  beforeAll(async () => {
    knex = await applicationKnex(url());
  });
  afterAll(() => knex.destroy());
  beforeEach(dropAll);
  afterEach(async () => {
    await Promise.all(backends.splice(0).map((backend) => backend.close()));
  });

  describe('the statements', () => {
    let sent: string[];
    let backend: DatabaseBackend;

    beforeEach(async () => {
      backend = create({ knex });
      await backend.setMany(['a', 'b', 'c'].map((key) => ({ key, payload: bytes(key), ttlMs: MINUTE })));
      await backend.set('n', 1, MINUTE);
      sent = [];
      knex.on('query', ({ sql }: { sql: string }) => void sent.push(sql));
    });
    afterEach(() => void knex.removeAllListeners('query'));

    it.each<[string, () => PromiseLike<unknown>]>([
      ['get', async () => backend.get('a')],
      ['set of a present key', async () => backend.set('a', bytes('x'), MINUTE)],
      ['set of an absent key', async () => backend.set('z', bytes('x'), MINUTE)],
      ['add of a present key', async () => backend.add('a', 1, MINUTE)],
      ['add of an absent key', async () => backend.add('z', 1, MINUTE)],
      ['increment', async () => backend.increment('n', 1, 0, MINUTE)],
      ['touch', async () => backend.touch('a', MINUTE)],
      ['ttl', async () => backend.ttl('a')],
      ['delete', async () => backend.delete('a')],
      ['compareAndSet', async () => backend.compareAndSet('a', bytes('a'), 1, MINUTE)],
      ['compareAndDelete', async () => backend.compareAndDelete('a', bytes('a'))],
      ['getMany of 3 keys', async () => backend.getMany(['a', 'b', 'c'])],
      ['deleteMany of 3 keys', async () => backend.deleteMany(['a', 'b', 'c'])],
      [
        'setMany of 100',
        async () =>
          backend.setMany(Array.from({ length: 100 }, (_, n) => ({ key: `m${n}`, payload: n, ttlMs: null }))),
      ],
    ])('is one for %s', async (_, operation) => {
      await operation();
      expect(sent).toHaveLength(1);
    });

    it('binds keys and never writes them into the text', async () => {
      const key = `'\\" or 1=1--;:x?%_`;
      await backend.set(key, bytes('mine'), MINUTE);
      await backend.set(`${key}2`, bytes('other'), MINUTE);
      expect(await backend.get(key)).toEqual(Buffer.from('mine'));
      expect(await backend.delete(key)).toBe(true);
      expect(await backend.get(`${key}2`)).toEqual(Buffer.from('other'));
      expect(sent.some((sql) => sql.includes('1=1'))).toBe(false);
    });
  });

  describe('the table', () => {
    it('is made at the first use by many instances at once', async () => {
      const instances = Array.from({ length: 8 }, () => create({ maxConnections: 2 }));
      await Promise.all(instances.flatMap((backend, n) => [backend.set(`a${n}`, n, null), backend.get('x')]));
      expect(await rows()).toBe(8);
    });

    it('is made again when somebody dropped it', async () => {
      const backend = create();
      await backend.set('a', 1, null);
      await dropAll();
      expect(await backend.get('a')).toBeUndefined();
      await backend.set('a', 2, null);
      expect(await backend.get('a')).toBe(2);
    });

    it('is not made with createTable: false', async () => {
      await expect(create({ createTable: false }).set('a', 1, null)).rejects.toThrow(TABLE);
      expect(await knex.schema.hasTable(TABLE)).toBe(false);
    });

    it('keeps the case of its name, also at 63 characters', async () => {
      const table = `Mixed_${'x'.repeat(57)}`;
      const twin = `${table.slice(0, -1)}y`;
      try {
        await create({ table }).set('a', 1, null);
        await create({ table: twin }).set('a', 2, null);
        expect(await create({ table }).get('a')).toBe(1);
        expect(await rows(table)).toBe(1);
      } finally {
        await knex.schema.dropTableIfExists(table);
        await knex.schema.dropTableIfExists(twin);
      }
    });

    it('is made by a migration in its transaction, and left alone by a second one', async () => {
      await knex.transaction((trx) => createCacheTable(trx));
      const backend = create({ createTable: false });
      await backend.set('a', 1, null);
      await createCacheTable(knex, { table: TABLE });
      expect(await backend.get('a')).toBe(1);
    });

    it('has indexes for what is swept and culled', async () => {
      await createCacheTable(knex);
      const { sql, column } = INDEXES[dialectOf(url())];
      const answer: unknown = await knex.raw(sql);
      expect(JSON.stringify(answer)).toMatch(new RegExp(`${column}[^}]*expires_at`));
      expect(JSON.stringify(answer)).toMatch(new RegExp(`${column}[^}]*written_at`));
    });
  });

  describe('keys and payloads', () => {
    it('tells keys apart that differ in case alone', async () => {
      const backend = create();
      await backend.set('key:a', 1, null);
      expect(await backend.get('key:A')).toBeUndefined();
      await backend.set('key:A', 2, null);
      expect(await backend.getMany(['key:a', 'key:A'])).toEqual([1, 2]);
    });

    it.each(['100%:', 'a_b:', 'a\\b:', `a'b:`, 'a"b:', '~~', '!'])(
      'clears the prefix %s alone',
      async (prefix) => {
        const backend = create();
        const others = [
          '100x:1',
          'aXb:1',
          'ab:1',
          '~1',
          '"1',
          `${prefix.slice(0, -1)}0`,
          prefix.slice(0, -1),
        ].filter((key) => key !== '');
        await backend.setMany(
          [...others, `${prefix}1`, prefix].map((key) => ({ key, payload: 1, ttlMs: null })),
        );
        await backend.clear(prefix);
        const left: string[] = [];
        for await (const key of backend.keys('')) left.push(key);
        expect(left.sort()).toEqual([...new Set(others)].sort());
      },
    );

    it('keeps 2 MB of every byte', async () => {
      const backend = create();
      const payload = Buffer.alloc(
        2_000_000,
        Uint8Array.from({ length: 256 }, (_, n) => n),
      );
      await backend.set('big', payload, null);
      expect(payload.equals((await backend.get('big')) as Uint8Array)).toBe(true);
      expect(await backend.compareAndSet('big', payload, bytes('🦄'), null)).toBe(true);
      expect(await backend.get('big')).toEqual(Buffer.from('🦄'));
    });

    it('has no use for a row that holds nothing', async () => {
      const backend = create();
      await backend.set('a', 1, null);
      await knex(TABLE).update({ number: null });
      expect(await backend.get('a')).toBeUndefined();
      expect(await backend.getMany(['a'])).toEqual([undefined]);
    });
  });

  describe('the bound', () => {
    it('holds while entries are added, and takes the oldest', async () => {
      const backend = create({ maxEntries: 200 });
      for (let n = 0; n < 100; n += 1) await backend.setMany(range(n * 5, 5));
      // maxEntries / 20 more at most.
      expect(await rows()).toBeLessThanOrEqual(210);
      expect(await rows()).toBeGreaterThan(150);
      expect(await backend.get('k00499')).toBe(499);
      expect(await backend.get('k00001')).toBeUndefined();
    });

    it('takes what has expired before what has not', async () => {
      const backend = create({ maxEntries: 40 });
      await backend.setMany(range(0, 20).map((write) => ({ ...write, ttlMs: MINUTE })));
      await backend.setMany(range(100, 20).map((write) => ({ ...write, ttlMs: 1 })));
      await until(async () => (await backend.get('k00119')) === undefined);
      await backend.setMany(range(200, 10));
      expect((await backend.getMany(range(0, 20).map(({ key }) => key))).every(Number.isInteger)).toBe(true);
      expect(await rows()).toBe(30);
    });

    it('evicts nothing for overwriting at the bound', async () => {
      const backend = create({ maxEntries: 40 });
      await backend.setMany(range(0, 40));
      for (let n = 0; n < 10; n += 1) await backend.setMany(range(0, 40));
      expect(await rows()).toBe(40);
    });

    it('comes down from far above, when it was lowered', async () => {
      await create().setMany(range(0, 3000));
      const backend = create({ maxEntries: 100 });
      await backend.setMany(range(5000, 10));
      expect(await rows()).toBe(100);
      expect(await backend.get('k05009')).toBe(5009);
    });
  });

  describe('the sweep', () => {
    it('removes expired rows without any traffic', async () => {
      const clock = new FakeClock();
      const backend = create({ clock, sweepIntervalMs: 5 * MINUTE });
      await backend.setMany(range(0, 600).map((write) => ({ ...write, ttlMs: 1 })));
      await backend.set('stays', 1, null);
      await until(async () => (await backend.ttl('k00599')) === undefined);
      expect(await rows()).toBe(601);
      clock.advance(6 * MINUTE);
      await until(async () => (await rows()) === 1);
    });

    it('goes on after one that failed', async () => {
      const clock = new FakeClock();
      const backend = create({ clock, sweepIntervalMs: MINUTE, createTable: false });
      await createCacheTable(knex);
      await backend.set('a', 1, 1);
      await dropAll();
      clock.advance(2 * MINUTE);
      await until(() => clock.pending === 1);
      await createCacheTable(knex);
      await backend.set('a', 1, 1);
      await until(async () => (await backend.ttl('a')) === undefined);
      clock.advance(2 * MINUTE);
      await until(async () => (await rows()) === 0);
    });

    it('starts with the first operation and ends with close()', async () => {
      const clock = new FakeClock();
      const backend = create({ clock, sweepIntervalMs: MINUTE });
      expect(clock.pending).toBe(0);
      await backend.get('a');
      expect(clock.pending).toBe(1);
      await backend.close();
      expect(clock.pending).toBe(0);
    });
  });

  describe('many callers at once', () => {
    it('end in no deadlock, whatever the order of their keys', async () => {
      const instances = [create(), create()];
      const keys = range(0, 60);
      const work = Array.from({ length: 20 }, async (_, n) => {
        const backend = instances[n % 2]!;
        const mine = n % 3 === 0 ? [...keys].reverse() : keys;
        await backend.setMany(mine.map((write) => ({ ...write, ttlMs: n % 4 === 0 ? 1 : MINUTE })));
        await backend.deleteMany(mine.slice(10, 40).map(({ key }) => key));
        await Promise.all([
          backend.prune(),
          backend.add('k00001', n, 1),
          backend.increment('k00002', 1, 0, 1),
        ]);
      });
      await Promise.all(work);
      for (const backend of instances) expect(await backend.getMany(['none'])).toEqual([undefined]);
    });
  });

  describe("the application's own instance", () => {
    it('is used and left open', async () => {
      const backend = create({ knex });
      await backend.set('a', bytes('x'), null);
      expect(await create().get('a')).toEqual(Buffer.from('x'));
      await backend.close();
      await expect(backend.get('a')).rejects.toThrow('closed');
      expect(await rows()).toBe(1);
    });

    it('is seen through its mapping of names', async () => {
      const mapped = await applicationKnex(url());
      try {
        mapped.client.config.postProcessResponse = (answer: unknown) =>
          JSON.parse(JSON.stringify(answer).replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()));
        const backend = create({ knex: mapped });
        await backend.set('a', 7, MINUTE);
        expect(await backend.get('a')).toBe(7);
        expect(await backend.ttl('a')).toBeGreaterThan(0);
      } finally {
        await mapped.destroy();
      }
    });
  });

  describe('a failure', () => {
    it.each(['ours', 'the application’s'])('tells no values on an instance of %s', async (whose) => {
      const backend = create(whose === 'ours' ? {} : { knex });
      await backend.set('a', 1, null);
      await knex.schema.alterTable(TABLE, (table) => table.dropColumn('payload'));
      const error: unknown = await backend
        .set('secret-key', bytes('secret-payload'), null)
        .catch((e: unknown) => e);
      expect(error).toBeInstanceOf(Error);
      const hex = Buffer.from('secret').toString('hex');
      const { stack, message, ...rest } = error as Error;
      expect(`${message}${JSON.stringify(rest)}`).toContain('payload');
      expect(`${message}${JSON.stringify({ ...rest, stack })}`).not.toMatch(new RegExp(`secret|${hex}`, 'i'));
    });
  });
});

/**
 * How to see that a statement waits for a lock, and what makes the backend's statement the victim: on PostgreSQL whoever
 * looks first once the circle is closed, on MariaDB who has less to undo.
 */
const DEADLOCK = {
  postgres: {
    waiting: 'SELECT count(*) AS total FROM pg_locks WHERE NOT granted',
    query: `?options=${encodeURIComponent('-c deadlock_timeout=2s')}`,
    before: "SET LOCAL deadlock_timeout = '60s'",
  },
  mariadb: {
    waiting: "SELECT count(*) AS total FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    query: '',
    before: `UPDATE ${TABLE} SET written_at = 1 WHERE cache_key > 'k00001'`,
  },
};

for (const name of ['postgres', 'mariadb'] as const) {
  describeService(name, (service) => {
    it('sends a statement again that the server gave up in a deadlock', async () => {
      const { waiting, query, before } = DEADLOCK[name];
      const knex = await applicationKnex(service().url);
      const backend = createBackend({ url: `${service().url}${query}` });
      const isWaiting = async (): Promise<boolean> =>
        /"total":"?1/.test(JSON.stringify(await knex.raw(waiting)));
      try {
        await backend.setMany(range(0, 500));
        const write = await knex.transaction(async (trx) => {
          await trx.raw(before);
          await trx(TABLE).where('cache_key', 'k00001').update({ written_at: 1 });
          const answer = backend.setMany(range(0, 2).map((write) => ({ ...write, payload: -1 })));
          await until(isWaiting);
          await trx(TABLE).where('cache_key', 'k00000').update({ written_at: 1 });
          return { answer };
        });
        expect(await write.answer).toEqual([]);
        expect(await backend.getMany(['k00000', 'k00001'])).toEqual([-1, -1]);
      } finally {
        await backend.close();
        await knex.destroy();
      }
    });
  });
}

describeService('postgres', (service) => {
  it('keeps its table in a schema', async () => {
    const knex = await applicationKnex(service().url);
    const backend = createBackend({ url: service().url, table: 'app.cache' });
    try {
      await knex.raw('CREATE SCHEMA app');
      await backend.set('a', 1, null);
      expect(await backend.add('a', 2, null)).toBe(false);
      expect(Number((await knex.withSchema('app').from('cache').count({ n: '*' }))[0]?.n)).toBe(1);
    } finally {
      await backend.close();
      await knex.destroy();
    }
  });
});

describeService(
  'mariadb',
  (service) => {
    it('answers the same whether the connection counts rows found or rows changed', async () => {
      for (const flags of ['+FOUND_ROWS', '-FOUND_ROWS']) {
        const knex = await applicationKnex(`${service().url}?flags=${encodeURIComponent(flags)}`);
        const backend = createBackend({ knex });
        try {
          await backend.clear('');
          await backend.set('a', bytes('x'), null);
          expect([await backend.touch('a', null), await backend.touch('a', null)]).toEqual([true, true]);
          expect(await backend.touch('b', null)).toBe(false);
          expect(await backend.add('a', bytes('x'), null)).toBe(false);
          expect(await backend.add('b', bytes('x'), 1)).toBe(true);
          await until(async () => (await backend.get('b')) === undefined);
          expect(await backend.add('b', bytes('x'), null)).toBe(true);
          expect(await backend.compareAndSet('a', bytes('x'), bytes('x'), null)).toBe(true);
          expect(await backend.compareAndSet('a', bytes('y'), bytes('x'), null)).toBe(false);
          expect(await backend.increment('n', 0, 0, null)).toBe(0);
          expect(await backend.increment('n', 0, 0, null)).toBe(0);
          expect(await backend.increment('n', -1, 0, null)).toBe(-1);
        } finally {
          await knex.destroy();
        }
      }
    });

    it('refuses what the server does not take, and keeps nothing older', async () => {
      const backend = createBackend({ url: service().url });
      try {
        await backend.clear('');
        await backend.setMany(range(0, 2));
        const huge = Buffer.alloc(600_000);
        await expect(backend.set('k00000', huge, null)).rejects.toThrow(ValueTooLargeError);
        expect(await backend.get('k00000')).toBeUndefined();
        const refused = await backend.setMany([
          { key: 'k00001', payload: huge, ttlMs: null },
          { key: 'small', payload: 1, ttlMs: null },
        ]);
        expect(refused).toEqual(['k00001']);
        expect(await backend.getMany(['k00001', 'small'])).toEqual([undefined, 1]);
      } finally {
        await backend.close();
      }
    });
  },
  { args: ['--max-allowed-packet=1M'] },
);

describe('a file of SQLite', () => {
  let folder: string;
  let lock: Database.Database;
  let backend: DatabaseBackend;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nestjs-caching-sqlite-'));
    const file = join(folder, 'my cache.db');
    backend = createBackend({ url: `sqlite://${encodeURI(file)}`, connectTimeoutMs: 400 });
    await backend.set('a', 1, null);
    lock = new Database(file);
    lock.exec('BEGIN IMMEDIATE');
  });
  afterEach(async () => {
    lock.close();
    await backend.close();
    rmSync(folder, { recursive: true });
  });

  it('that another process writes to is waited for, with the event loop running', async () => {
    const write = backend.set('a', 2, null);
    // A wait inside SQLite would never let this timer fire.
    await pause(50);
    expect(await backend.get('a')).toBe(1);
    lock.exec('COMMIT');
    await write;
    expect(await backend.get('a')).toBe(2);
  });

  it('that was waited for holds the write for the other process, and the lock is free again', async () => {
    const write = backend.set('a', 2, null);
    await pause(50);
    lock.exec('COMMIT');
    await write;
    await backend.set('b', 3, null);
    expect(lock.prepare('SELECT number FROM nestjs_cache ORDER BY cache_key').all()).toEqual([
      { number: 2 },
      { number: 3 },
    ]);
    lock.exec('BEGIN IMMEDIATE');
  });

  it('that stays locked is given up in the end', async () => {
    await expect(backend.set('a', 2, null)).rejects.toThrow(/locked/);
    lock.exec('ROLLBACK');
    expect(await backend.get('a')).toBe(1);
    await backend.set('a', 3, null);
    expect(lock.prepare('SELECT number FROM nestjs_cache').all()).toEqual([{ number: 3 }]);
  });

  it('is for its owner only', () => {
    const modes = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777);
    expect(modes.length).toBeGreaterThan(0);
    expect([...new Set(modes)]).toEqual([0o600]);
  });
});

describe('the options', () => {
  it.each(['x; drop table y', '"x"', '', '1x', 'a b', 'a.b.c', 'a.', 'x'.repeat(64), 'tàble', '`x`', 'x\n'])(
    'refuse the table name %j',
    (table) => {
      expect(() => createBackend({ url: 'sqlite::memory:', table })).toThrow(InvalidOptionsError);
      expect(() => createCacheTableSql('postgres', { table })).toThrow(InvalidOptionsError);
    },
  );

  it.each(['redis://localhost', 'postgres', 'file:///x'])('refuse the URL %s', (url) => {
    expect(() => createBackend({ url })).toThrow(InvalidOptionsError);
  });

  it('want one of url and knex', () => {
    expect(() => createBackend({})).toThrow(InvalidOptionsError);
  });

  it('refuse an instance for another kind of database', () => {
    const knex = { raw: () => undefined as never, client: { dialect: 'mssql', driverName: 'mssql' } };
    expect(() => createBackend({ knex })).toThrow(/mssql/);
  });

  it('know a database in memory for what it is', () => {
    expect(createBackend({ url: 'sqlite::memory:' }).capabilities).toMatchObject({
      shared: false,
      atomicity: 'process',
    });
    expect(createBackend({ url: 'sqlite:x.db' }).capabilities).toMatchObject({
      shared: true,
      atomicity: 'shared',
    });
  });
});

function range(from: number, count: number): { key: string; payload: number; ttlMs: number | null }[] {
  return Array.from({ length: count }, (_, n) => ({
    key: `k${String(from + n).padStart(5, '0')}`,
    payload: from + n,
    ttlMs: null,
  }));
}

const INDEXES = {
  sqlite: { sql: "SELECT sql FROM sqlite_master WHERE type = 'index'", column: 'CREATE INDEX' },
  postgres: { sql: `SELECT indexdef FROM pg_indexes WHERE tablename = '${TABLE}'`, column: 'CREATE INDEX' },
  mysql: { sql: `SHOW INDEX FROM ${TABLE}`, column: 'Column_name' },
};

function dialectOf(url: string): keyof typeof INDEXES {
  return url.slice(0, url.indexOf(':')) as keyof typeof INDEXES;
}
