// The libraries over Redis, each opened as its documentation does it. `getOrSet(key, load)` is what an application calls.
import { createKeyv } from '@keyv/redis';
import { BentoCache, bentostore } from 'bentocache';
import { createCache } from 'cache-manager';
import { Cacheable } from 'cacheable';
import { open } from '../compare.mjs';
import { redisDriver } from './bento-redis.mjs';

const TTL = '15m';
const TTL_MS = 900_000;

export const PEERS = {
  async CacheService(url) {
    const { cache } = await open({ url, keyPrefix: 'bench-peers', ttl: TTL });
    return { getOrSet: (key, load) => cache.getOrSet(key, load) };
  },
  async bentocache(url) {
    const cache = new BentoCache({
      default: 'cache',
      ttl: TTL,
      stores: { cache: bentostore().useL2Layer(await redisDriver(url)) },
    });
    return { getOrSet: (key, factory) => cache.getOrSet({ key, factory }) };
  },
  async cacheable(url) {
    const cache = new Cacheable({
      primary: createKeyv(url, { namespace: 'cacheable' }),
      ttl: TTL,
      nonBlocking: false,
    });
    cache.on('error', () => undefined);
    return { getOrSet: (key, load) => cache.getOrSet(key, load) };
  },
  async 'cache-manager'(url) {
    const store = createKeyv(url, { namespace: 'manager' });
    store.on('error', () => undefined);
    const cache = createCache({ stores: [store], ttl: TTL_MS });
    return { getOrSet: (key, load) => cache.wrap(key, load) };
  },
};
