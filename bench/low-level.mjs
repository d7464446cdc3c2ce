// Time for one read that hits, beside the raw parts.
import { createClient } from '@redis/client';
import { createCache } from 'cache-manager';
import { LRUCache } from 'lru-cache';
import { CacheService, CachingModule } from 'nestjs-caching';
import { Test } from '@nestjs/testing';
import { median, spread, table } from './table.mjs';

const VALUES = {
  'small string': 'x'.repeat(100),
  '100 objects': Array.from({ length: 100 }, (_, id) => ({
    id,
    name: `n${id}`,
    tags: ['a'],
    price: 1.5,
    ok: true,
  })),
  '100 objects with dates': Array.from({ length: 100 }, (_, id) => ({
    id,
    name: `n${id}`,
    at: new Date(id),
    price: 1.5,
    ok: true,
  })),
};

async function open(options) {
  const module = await Test.createTestingModule({ imports: [CachingModule.forRoot(options)] }).compile();
  await module.init();
  return { cache: module.get(CacheService, { strict: false }), close: () => module.close() };
}

export async function benchLowLevel({ redisUrl, rounds }) {
  const ours = await open({});
  const peer = createCache();
  const lru = new LRUCache({ max: 10_000 });
  for (const [name, value] of Object.entries(VALUES)) {
    for (const key of KEYS) {
      await ours.cache.set(key, value);
      await peer.set(key, value);
      lru.set(key, value);
    }
    const subjects = [
      ['lru-cache, raw get', (n) => rawGets(lru, n)],
      ['CacheService.get, memory', (n) => gets(ours.cache, n)],
      ['CacheService.getOrSet, memory', (n) => getOrSets(ours.cache, n)],
      ['cache-manager get, default store', (n) => gets(peer, n)],
    ];
    await compare(`Reads that hit in memory, ${name}`, 'lru-cache', subjects, 200_000, rounds);
  }
  await ours.close();

  const onRedis = await open({ url: redisUrl, keyPrefix: 'bench' });
  const client = createClient({ url: redisUrl });
  await client.connect();
  const value = VALUES['100 objects'];
  for (const key of KEYS) await onRedis.cache.set(key, value);
  await client.set('bare', JSON.stringify(value));
  const subjects = [
    [
      'bare client, GET and JSON.parse',
      async (n) => {
        for (let i = 0; i < n; i += 1) JSON.parse(await client.get('bare'));
      },
    ],
    ['CacheService.get, Redis', (n) => gets(onRedis.cache, n)],
  ];
  await compare(
    'Reads that hit in Redis, one after another, 100 objects (NODE_ENV=production)',
    'bare client',
    subjects,
    5_000,
    rounds,
  );
  const many = [
    [
      'bare client, GET and JSON.parse',
      (n) => inParallel(n, async () => JSON.parse(await client.get('bare'))),
    ],
    ['CacheService.get, Redis', (n) => inParallel(n, () => onRedis.cache.get(KEYS[0]))],
  ];
  await compare('The same, 200 at once', 'bare client', many, 20_000, rounds);
  await client.close();
  await onRedis.close();
}

async function compare(title, baseName, subjects, count, rounds) {
  const times = subjects.map(() => []);
  for (const [, run] of subjects) await run(count);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, [, run]] of subjects.entries()) {
      const began = process.hrtime.bigint();
      await run(count);
      times[index].push(Number(process.hrtime.bigint() - began) / count / 1000);
    }
  }
  const base = median(times[0]);
  const rows = subjects.map(([name], index) => [
    name,
    (median(times[index]) / base).toFixed(2),
    median(times[index]).toFixed(2),
    spread(times[index]),
  ]);
  table(title, ['read', `× ${baseName}`, 'µs', 'spread'], rows);
}

// As many keys as an application has: one key alone would be kept in registers.
const KEYS = Array.from({ length: 1000 }, (_, i) => `product:${(i * 7919) % 1000}`);

async function rawGets(lru, n) {
  let sum = 0;
  for (let i = 0; i < n; i += 1) if (lru.get(KEYS[i % 1000]) !== undefined) sum += 1;
  return sum;
}

async function gets(cache, n) {
  for (let i = 0; i < n; i += 1) await cache.get(KEYS[i % 1000]);
}

async function getOrSets(cache, n) {
  for (let i = 0; i < n; i += 1) await cache.getOrSet(KEYS[i % 1000], () => undefined);
}

async function inParallel(n, read) {
  let left = n;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await read();
    }
  };
  await Promise.all(Array.from({ length: 200 }, worker));
}
