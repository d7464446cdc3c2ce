// Time for one read that hits in memory, beside the raw parts and the peers.
import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { createCache } from 'cache-manager';
import { Cacheable } from 'cacheable';
import { LRUCache } from 'lru-cache';
import { compare, KEYS, open, openDecorated, VALUES } from '../compare.mjs';

const COUNT = 100_000;
const TTL = '15m';

/**
 * The raw get is timed twice: in a loop that awaits nothing, and in the same loop that everything else runs in, since no method
 * that answers with a promise can be had for less than an `await`.
 */
export async function benchHits({ rounds }) {
  const ours = await open({});
  const decorated = await openDecorated();
  const lru = new LRUCache({ max: 10_000 });
  const peers = openPeers();
  for (const [name, value] of Object.entries(VALUES)) {
    for (const key of KEYS) {
      lru.set(key, value);
      await ours.cache.set(key, value);
      for (const peer of peers) await peer.set(key, value);
    }
    await decorated.fill(value);
    const subjects = [
      ['lru-cache, raw get', (n) => rawGets(lru, n)],
      ['lru-cache, raw get, awaited', (n) => awaitedGets(lru, n)],
      ['CacheService.get', (n) => gets(ours.cache, n)],
      ['CacheService.getOrSet', (n) => getOrSets(ours.cache, n)],
      ['@Cached method', (n) => reads(decorated.find, n)],
      ...peers.flatMap(({ reads: named }) =>
        Object.entries(named).map(([call, read]) => [call, (n) => reads(read, n)]),
      ),
    ];
    await compare(`Reads that hit in memory, ${name}`, ['raw', 'awaited'], subjects, COUNT, rounds);
  }
  await ours.close();
  await decorated.close();
  for (const peer of peers) await peer.close?.();
}

/** With their defaults, as people use them, save that entries live as long as ours and all keys fit in. */
function openPeers() {
  const manager = createCache({ ttl: 900_000 });
  const cacheable = new Cacheable({ ttl: TTL });
  const bento = (options) =>
    new BentoCache({
      default: 'cache',
      ttl: TTL,
      stores: { cache: bentostore().useL1Layer(memoryDriver({ maxItems: 10_000, ...options })) },
    });
  const serializing = bento({});
  const sharing = bento({ serialize: false });
  const factory = () => undefined;
  return [
    {
      set: (key, value) => manager.set(key, value),
      reads: {
        'cache-manager get': (key) => manager.get(key),
        'cache-manager wrap': (key) => manager.wrap(key, factory),
      },
    },
    {
      set: (key, value) => cacheable.set(key, value),
      reads: {
        'cacheable get': (key) => cacheable.get(key),
        'cacheable getOrSet': (key) => cacheable.getOrSet(key, factory),
      },
    },
    {
      set: (key, value) => serializing.set({ key, value }),
      reads: { 'bentocache getOrSet': (key) => serializing.getOrSet({ key, factory }) },
      close: () => serializing.disconnectAll(),
    },
    {
      set: (key, value) => sharing.set({ key, value }),
      reads: { 'bentocache getOrSet, shared by reference': (key) => sharing.getOrSet({ key, factory }) },
      close: () => sharing.disconnectAll(),
    },
  ];
}

async function rawGets(lru, n) {
  let sum = 0;
  for (let i = 0; i < n; i += 1) if (lru.get(KEYS[i % 1000]) !== undefined) sum += 1;
  return sum;
}

async function awaitedGets(lru, n) {
  for (let i = 0; i < n; i += 1) await lru.get(KEYS[i % 1000]);
}

async function reads(read, n) {
  for (let i = 0; i < n; i += 1) await read(KEYS[i % 1000]);
}

async function gets(cache, n) {
  for (let i = 0; i < n; i += 1) await cache.get(KEYS[i % 1000]);
}

/** With a factory for each call, as callers have it. */
async function getOrSets(cache, n) {
  for (let i = 0; i < n; i += 1) await cache.getOrSet(KEYS[i % 1000], () => i, TTL);
}
