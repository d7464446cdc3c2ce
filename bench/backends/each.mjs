// The same calls on every backend.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inParallel, inTurn, KEYS, microseconds, open, VALUES } from '../compare.mjs';
import { table } from '../table.mjs';

const VALUE = VALUES['100 objects'];
const HUNDRED = KEYS.slice(0, 100);
const COUNT = 100;

const CALLS = {
  'get, hit': (cache) => (n) => inTurn(n, (i) => cache.get(KEYS[i % 1000])),
  'get, miss': (cache) => (n) => inTurn(n, (i) => cache.get(`absent:${i}`)),
  set: (cache) => (n) => inTurn(n, (i) => cache.set(KEYS[i % 1000], VALUE)),
  increment: (cache) => (n) => inTurn(n, () => cache.increment('counter', 1, { initial: 0 })),
  'getMany of 100': (cache) => (n) => inTurn(Math.ceil(n / 20), () => cache.getMany(HUNDRED), n),
  'get, 200 at once': (cache) => (n) => inParallel(n * 5, (i) => cache.get(KEYS[i % 1000])),
};
/** How many operations a call of a subject above really makes, per one asked for. */
const FACTOR = { 'getMany of 100': 1 / 20, 'get, 200 at once': 5 };

export async function benchEach({ urls, rounds }) {
  const root = await mkdtemp(join(tmpdir(), 'nestjs-caching-bench-'));
  const caches = [];
  const all = {
    memory: 'memory:',
    file: `file://${root}/files`,
    SQLite: `sqlite://${root}/cache.db`,
    ...urls,
  };
  for (const [name, url] of Object.entries(all)) {
    // No read may be given up: what is measured is how long it takes.
    const opened = await open({ url, keyPrefix: 'bench', readDeadline: '1m', writeDeadline: '1m' });
    for (const key of KEYS) await opened.cache.set(key, VALUE);
    caches.push({ name, ...opened });
  }
  const times = new Map();
  for (let round = -1; round < rounds; round += 1) {
    for (const { name, cache } of caches) {
      for (const [call, subject] of Object.entries(CALLS)) {
        const each = (await microseconds(subject(cache), COUNT)) / (FACTOR[call] ?? 1);
        if (round < 0) times.set(`${name} ${call}`, []);
        else times.get(`${name} ${call}`).push(each);
      }
    }
  }
  const rows = caches.map(({ name }) => [
    name,
    ...Object.keys(CALLS).map((call) => readable(Math.min(...times.get(`${name} ${call}`)))),
  ]);
  table(
    'µs for one call in the best round, values of 100 objects (6 kB)',
    ['backend', ...Object.keys(CALLS)],
    rows,
  );
  for (const { close } of caches) await close();
  await rm(root, { recursive: true });
}

function readable(us) {
  return us < 10 ? us.toFixed(1) : us.toFixed(0);
}
