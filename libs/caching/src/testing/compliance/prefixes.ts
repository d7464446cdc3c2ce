import type { CacheBackend } from '../../backends/cache-backend.js';
import type { CacheService } from '../../cache/cache.service.js';
import { linesOf } from '../log.js';
import { openCache } from '../open-cache.js';
import type { Suite } from './suite.js';
import { LONG_MS, TEST_TIMEOUT_MS, type Trial } from './trial.js';

/** Prefixes that begin with one another, or that a pattern language would take for one another. */
const PREFIXES = [
  '',
  'a',
  'ab',
  'a*',
  'a?',
  '*',
  '?',
  '[a-z]',
  '[^x]',
  'a[b]',
  '%',
  'a%',
  '_',
  'a_',
  '\\',
  'a\\*',
  '{a}',
  '{a',
  'a}',
  '{}',
  "'",
  'a:',
  'A',
];

/** Several applications on one server. */
export function describePrefixes({ describe, test }: Suite): void {
  describe('prefixes in one storage', () => {
    for (const cleared of PREFIXES) {
      test(`are whole after the cache with '${cleared}' was cleared`, ['stores'], async (trial) => {
        const freeing: unknown[] = [];
        const caches = await openCaches(trial, freeing);
        for (const [prefix, cache] of caches) await cache.setMany({ first: prefix, second: 2 });
        await caches.get(cleared)!.clear();
        await Promise.all(freeing);
        for (const [prefix, cache] of caches) {
          const found = [...(await cache.getMany(['first', 'second'])).values()];
          trial.expect([prefix, found]).toEqual([prefix, prefix === cleared ? [] : [prefix, 2]]);
        }
      });
    }
  });
}

/** A cache for each prefix, on one storage; by turns on both instances, if there are two. */
async function openCaches(trial: Trial, freeing: unknown[]): Promise<Map<string, CacheService>> {
  const { backend } = trial;
  const instances = backend.capabilities.shared ? [backend, trial.other] : [backend];
  const turns = instances.map((instance) => noting(instance as CacheBackend, freeing));
  const deadlines = { readDeadline: TEST_TIMEOUT_MS, writeDeadline: TEST_TIMEOUT_MS };
  const caches = new Map<string, CacheService>();
  // One cache is without a prefix, which is warned of.
  await linesOf(async () => {
    for (const [index, keyPrefix] of PREFIXES.entries()) {
      const options = { backend: turns[index % turns.length]!, keyPrefix, ttl: LONG_MS, ...deadlines };
      caches.set(keyPrefix, await openCache(options));
    }
  });
  return caches;
}

/** The backend, which notes when the keys of an ended epoch are freed: a cache does that in the background. */
function noting(backend: CacheBackend, freeing: unknown[]): CacheBackend {
  return new Proxy(backend, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target);
      if (typeof own !== 'function') return own;
      return (...args: unknown[]): unknown => {
        const answer: unknown = (own as (...args: unknown[]) => unknown).apply(target, args);
        if (name === 'clear') freeing.push(answer);
        return answer;
      };
    },
  });
}
