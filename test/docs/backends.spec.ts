import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Knex } from 'knex';
import type { CacheBackend } from 'nestjs-caching';
import { createTableCommand } from '../../libs/caching/src/cli/create-table.js';
import { applicationKnex, createBackend } from '../backends/database-subjects.js';
import { openCache } from '../support/caches.js';
import { example, load, read } from '../support/examples.js';

const WRITING = 'docs/writing-a-backend.md';

interface Suites {
  describeExample(runner: object): void;
}

/** The example of a spec, as a function of the runner: a module that is imported may not declare tests by itself. */
const { LruBackend, describeExample } = await load<{ LruBackend: new () => CacheBackend } & Suites>(
  [
    await example(WRITING, 'lru-backend.ts'),
    (await example(WRITING, 'lru-backend.spec.ts'))
      .replace(/^import .* from '(@jest\/globals|\.\/lru-backend\.js)';$/gm, '')
      .replace(/^const runner = .*$/m, 'export function describeExample(runner: any) {'),
    '}',
  ].join('\n'),
);

describe(WRITING, () => {
  describeExample({ describe, it, expect, beforeEach, afterEach });

  it('has a backend that a cache works on, within its bound', async () => {
    const backend = new LruBackend();
    const cache = await openCache({ backend });
    for (let n = 0; n < 10_200; n += 1) await cache.set(`key:${n}`, { n });
    expect(await cache.get('key:10199')).toEqual({ n: 10_199 });
    expect(await cache.get('key:0')).toBeUndefined();
    expect(await cache.increment('count', 1, { initial: 0 })).toBe(1);
    await cache.close();
    await expect(async () => backend.get('any')).rejects.toThrow('closed');
  });
});

describe('docs/backends.md', () => {
  let folder: string;
  let knex: Knex;
  let url: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-docs-'));
    url = `sqlite://${folder}/cache.db`;
    knex = await applicationKnex(url);
  });
  afterAll(async () => {
    await knex.destroy();
    await rm(folder, { recursive: true });
  });

  it('has a migration that makes the table and takes it away', async () => {
    const { up, down, sql } = await load<{
      up: (knex: Knex) => Promise<void>;
      down: (knex: Knex) => Promise<void>;
      sql: string;
    }>(await example('docs/backends.md', 'migration.ts'));
    await up(knex);
    const backend = createBackend({ url, createTable: false });
    await backend.set('key', 1, null);
    expect(await backend.get('key')).toBe(1);
    await backend.close();
    await down(knex);
    expect(await knex.schema.hasTable('nestjs_cache')).toBe(false);
    expect(sql).toContain('bytea');
  });

  it('has commands that run as they are', async () => {
    const lines = [...(await read('docs/backends.md')).matchAll(/^npx nestjs-caching create-table (.*)$/gm)];
    const printed: string[] = [];
    for (const [, args] of lines) {
      const write = (text: string): void => void printed.push(text);
      const terminal = { env: { CACHE_URL: url }, stdout: { write }, stderr: { write } };
      expect(await createTableCommand(args!.split(' '), terminal)).toBe(0);
    }
    expect(printed).toEqual([
      expect.stringContaining('CREATE TABLE'),
      "Cache table 'nestjs_cache' created.\n",
    ]);
    expect(await knex.schema.hasTable('nestjs_cache')).toBe(true);
  });
});
