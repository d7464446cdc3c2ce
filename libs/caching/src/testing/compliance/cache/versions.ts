import type { CacheService } from '../../../cache/cache.service.js';
import type { Suite } from '../suite.js';
import { LONG_MS } from '../trial.js';
import { type CacheTest, cacheTestOf, expectCodes } from './scene.js';

/** Generations of keys. */
export function describeCacheVersions(suite: Suite): void {
  const test = cacheTestOf(suite);
  suite.describe('a cache above it, in its versions,', () => {
    describeApart(test);
    describeDefaults(test);
    describeMoves(test);
  });
}

/** What a key holds in each of the versions 1, 2 and 3. */
const heldBy = (cache: CacheService, key: string): Promise<unknown[]> =>
  Promise.all([1, 2, 3].map((version) => cache.get(key, { version })));

function describeApart(test: CacheTest): void {
  test('keeps them apart with every verb', ['stores'], async ({ cache, trial }) => {
    await cache.set('set', 1);
    await cache.set('set', 2, { version: 2 });
    trial.expect(await heldBy(cache, 'set')).toEqual([1, 2, undefined]);
    trial.expect(await cache.get('set')).toBe(1);
    const added = [await cache.add('added', 1, { version: 2 }), await cache.add('added', 2, { version: 2 })];
    trial.expect([...added, await cache.add('added', 3)]).toEqual([true, false, true]);
    trial.expect(await cache.has('set', { version: 3 })).toBe(false);
    trial.expect(await cache.touch('set', null, { version: 2 })).toBe(true);
    trial.expect(await cache.ttl('set', { version: 2 })).toBe(null);
    trial.expect(await cache.ttl('set')).toBeGreaterThan(0);
    trial.expect(await cache.delete('set', { version: 2 })).toBe(true);
    trial.expect(await heldBy(cache, 'set')).toEqual([1, undefined, undefined]);
  });

  test('keeps many keys apart', ['stores'], async ({ cache, trial }) => {
    await cache.setMany({ a: 1, b: 2 }, { version: 2 });
    trial.expect((await cache.getMany(['a', 'b'])).size).toBe(0);
    trial.expect((await cache.getMany(['a', 'b'], { version: 2 })).size).toBe(2);
    trial.expect(await cache.deleteMany(['a', 'b'])).toBe(0);
    trial.expect(await cache.deleteMany(['a', 'b'], { version: 2 })).toBe(2);
  });

  test('keeps counters apart', ['stores'], async ({ cache, trial }) => {
    await cache.set('key', 37);
    await cache.set('key', 42, { version: 2 });
    trial.expect(await cache.increment('key', 1, { version: 2 })).toBe(43);
    trial.expect(await cache.decrement('key', 2, { version: 2 })).toBe(41);
    trial.expect(await heldBy(cache, 'key')).toEqual([37, 41, undefined]);
  });

  test('keeps loads apart', ['stores'], async ({ cache, trial }) => {
    trial.expect(await cache.getOrSet('key', () => 1979, { version: 2 })).toBe(1979);
    trial.expect(await cache.has('key')).toBe(false);
    trial.expect(await cache.getOrSet('key', () => 42)).toBe(42);
    trial.expect(await cache.getOrSet('key', () => 'never', { version: 2 })).toBe(1979);
    trial.expect(await heldBy(cache, 'key')).toEqual([42, 1979, undefined]);
  });

  test('ends all of them with clear()', ['stores'], async ({ cache, trial }) => {
    await cache.set('key', 1);
    await cache.set('key', 2, { version: 2 });
    await cache.clear();
    trial.expect(await heldBy(cache, 'key')).toEqual([undefined, undefined, undefined]);
  });

  test('refuses what is no version', [], async (scene) => {
    const { cache } = scene;
    for (const version of [-1, 0.5, NaN, 2 ** 60, '2' as unknown as number]) {
      await expectCodes(scene, 'CACHING_INVALID_KEY', [
        () => cache.get('key', { version }),
        () => cache.set('key', 1, { version }),
        () => cache.delete('key', { version }),
      ]);
    }
  });
}

function describeDefaults(test: CacheTest): void {
  test('goes by the one of the cache where a call names none', ['shared'], async (scene) => {
    const { cache, second, trial } = scene;
    await second.set('own', 'second');
    await second.set('named', 'first', { version: 1 });
    trial.expect(await heldBy(cache, 'own')).toEqual([undefined, 'second', undefined]);
    trial.expect([await cache.get('named'), await second.get('named')]).toEqual(['first', undefined]);
    trial.expect([await second.has('own'), await second.has('own', { version: 1 })]).toEqual([true, false]);
    trial
      .expect([await second.add('own', 1), await second.add('own', 1, { version: 1 })])
      .toEqual([false, true]);
    await second.set('count', 37, { version: 1 });
    await second.set('count', 42);
    trial.expect([await second.increment('count'), await second.decrement('count', 2)]).toEqual([43, 41]);
    trial.expect(await second.increment('count', 1, { version: 1 })).toBe(38);
    trial.expect([await second.delete('count'), await cache.get('count')]).toEqual([true, 38]);
  });
}

function describeMoves(test: CacheTest): void {
  test('moves a key to the next one, with its value and its life', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    await cache.set('object', { n: 1 }, { version: 2, ttl: 2 * LONG_MS });
    trial.expect(await cache.incrementVersion('object', 1, { version: 2 })).toBe(3);
    trial.expect(await heldBy(cache, 'object')).toEqual([undefined, undefined, { n: 1 }]);
    trial.expect(await cache.ttl('object', { version: 3 })).toBeGreaterThan(LONG_MS);
    await cache.set('lasting', 7, null);
    trial.expect(await cache.incrementVersion('lasting', 2)).toBe(3);
    trial.expect(await cache.ttl('lasting', { version: 3 })).toBe(null);
    trial.expect(await cache.increment('lasting', 1, { version: 3 })).toBe(8);
  });

  test('moves a key back, a stored null too', ['stores'], async ({ cache, trial }) => {
    await cache.set('key', null, { version: 2 });
    trial.expect(await cache.decrementVersion('key', 1, { version: 2 })).toBe(1);
    trial.expect(await heldBy(cache, 'key')).toEqual([null, undefined, undefined]);
  });

  test('moves nothing that is absent', [], async (scene) => {
    const { cache } = scene;
    await expectCodes(scene, 'CACHING_MISSING_KEY', [
      () => cache.incrementVersion('absent'),
      () => cache.decrementVersion('absent'),
    ]);
    await expectCodes(scene, 'CACHING_INVALID_KEY', [() => cache.decrementVersion('absent', 2)]);
  });

  test('moves a key by the version of the cache', ['shared'], async ({ cache, second, trial }) => {
    await second.set('key', 'value');
    trial.expect(await second.incrementVersion('key')).toBe(3);
    trial.expect(await heldBy(cache, 'key')).toEqual([undefined, undefined, 'value']);
  });
}
