import type { Suite } from '../suite.js';
import { cacheTestOf, expectCodes } from './scene.js';

/** A cache above a backend that keeps nothing: keys and values are checked, every load runs. */
export function describeCacheKeepingNothing(suite: Suite): void {
  const test = cacheTestOf(suite);
  suite.describe('a cache above it, if it stores nothing,', () => {
    test('answers as if it were empty', ['stores nothing'], async ({ cache, trial }) => {
      await cache.set('key', 'value');
      trial.expect(await cache.setMany({ a: 1, b: 'ü' }, { ttl: 1000, version: 2 })).toEqual([]);
      trial.expect([await cache.add('key', 1), await cache.add('key', 1)]).toEqual([true, true]);
      trial.expect([await cache.get('key'), await cache.get('key', { default: 7 })]).toEqual([undefined, 7]);
      trial.expect((await cache.getMany(['key', 'a', 'with space'])).size).toBe(0);
      trial.expect([await cache.has('key'), await cache.ttl('key')]).toEqual([false, undefined]);
      trial.expect([await cache.delete('key'), await cache.deleteMany(['a'])]).toEqual([false, 0]);
      trial.expect([await cache.touch('key'), await cache.persist('key')]).toEqual([false, false]);
      trial.expect(await cache.clear()).toBe(undefined);
    });

    test('has no counter and no version to go on from', ['stores nothing'], async (scene) => {
      const { cache, trial } = scene;
      await cache.set('key', 42);
      await expectCodes(scene, 'CACHING_MISSING_KEY', [
        () => cache.increment('key'),
        () => cache.increment('absent', -1),
        () => cache.decrement('key'),
        () => cache.incrementVersion('key'),
        () => cache.decrementVersion('key'),
      ]);
      trial.expect(await cache.increment('key', 2, { initial: 10 })).toBe(12);
    });

    test('runs every load', ['stores nothing'], async ({ cache, trial }) => {
      let runs = 0;
      const load = () => (runs += 1);
      trial.expect([await cache.getOrSet('key', load), await cache.getOrSet('key', load)]).toEqual([1, 2]);
      trial.expect(await cache.getOrSet('key', () => null)).toBe(null);
    });

    test('still checks keys, values and lives', ['stores nothing'], async (scene) => {
      const { cache } = scene;
      await expectCodes(scene, 'CACHING_INVALID_KEY', [() => cache.set(5 as unknown as string, 1)]);
      await expectCodes(scene, 'CACHING_UNSERIALIZABLE_VALUE', [() => cache.set('key', () => 1)]);
      await expectCodes(scene, 'CACHING_INVALID_DURATION', [() => cache.set('key', 1, NaN)]);
    });
  });
}
