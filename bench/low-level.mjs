// Time for one read that hits in memory, beside the raw parts.
import { createCache } from 'cache-manager';
import { LRUCache } from 'lru-cache';
import { compare, KEYS, open, VALUES } from './compare.mjs';

export async function benchLowLevel({ rounds }) {
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
}

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
