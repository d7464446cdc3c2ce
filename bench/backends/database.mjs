// How many statements an operation takes, by what Knex reports.
import knexFactory from 'knex';
import { DatabaseBackend } from '../../libs/caching/dist/backends/database.backend.js';
import { open } from '../compare.mjs';
import { table } from '../table.mjs';

const BYTES = Buffer.alloc(1000, 1);
const HUNDRED = Array.from({ length: 100 }, (_, index) => `many:${index}`);

export async function benchDatabase({ postgresUrl, mysqlUrl }) {
  for (const [name, client, connection] of [
    ['PostgreSQL', 'pg', postgresUrl],
    ['MariaDB', 'mysql2', mysqlUrl],
  ]) {
    const knex = knexFactory({ client, connection, log: { warn: () => undefined } });
    const seen = [];
    knex.on('query', ({ sql }) => seen.push(sql.trim().split(/\s/)[0].toUpperCase()));
    const rows = [...(await backendRows(knex, seen)), ...(await cacheRows(knex, seen))];
    table(`Statements that ${name} is sent`, ['call', 'statements'], rows);
    await knex.destroy();
  }
}

async function backendRows(knex, seen) {
  const backend = new DatabaseBackend({
    knex,
    table: 'bench_backend',
    createTable: true,
    maxEntries: 100_000,
    sweepIntervalMs: 0,
    maxConnections: 1,
    connectTimeoutMs: 2000,
    queryTimeoutMs: 5000,
    clock: { now: () => Date.now(), monotonic: () => performance.now(), after: () => () => undefined },
  });
  await backend.set('there', BYTES, 60_000);
  await backend.set('number', 1, 60_000);
  return countEach('backend', seen, {
    'set, a new key': () => backend.set('new', BYTES, 60_000),
    'set, a present key': () => backend.set('there', BYTES, 60_000),
    get: () => backend.get('there'),
    add: () => backend.add('added', BYTES, 60_000),
    'increment, a present integer': () => backend.increment('number', 1, undefined, null),
    delete: () => backend.delete('there'),
    'getMany, 100 keys': () => backend.getMany(HUNDRED),
    'setMany, 100 keys': () =>
      backend.setMany(HUNDRED.map((key) => ({ key, payload: BYTES, ttlMs: 60_000 }))),
    'deleteMany, 100 keys': () => backend.deleteMany(HUNDRED),
  }).finally(() => backend.close());
}

async function cacheRows(knex, seen) {
  const { cache, close } = await open({ backend: 'database', knex, table: 'bench_cache', sweepInterval: 0 });
  await cache.set('there', BYTES);
  const rows = await countEach('cache', seen, {
    set: () => cache.set('there', BYTES),
    get: () => cache.get('there'),
    'getMany, 100 keys': () => cache.getMany(HUNDRED),
  });
  await close();
  return rows;
}

async function countEach(level, seen, calls) {
  const rows = [];
  for (const [name, call] of Object.entries(calls)) {
    seen.length = 0;
    await call();
    rows.push([`${level}: ${name}`, `${seen.length} (${seen.join(', ')})`]);
  }
  return rows;
}
