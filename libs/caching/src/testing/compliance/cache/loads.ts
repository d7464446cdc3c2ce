import type { Suite } from '../suite.js';
import { atOnce, codeOf } from '../trial.js';
import { type CacheTest, cacheTestOf } from './scene.js';

/** `getOrSet` and what invalidations do to it. */
export function describeCacheLoads(suite: Suite): void {
  const test = cacheTestOf(suite);
  suite.describe('a cache above it, in its loads,', () => {
    describeOne(test);
    describeMany(test);
    describeInvalidated(test);
    describeBeside(test);
  });
}

function describeOne(test: CacheTest): void {
  test('stores what the factory makes, null too, and asks it once', ['stores'], async ({ cache, trial }) => {
    trial.expect(await cache.getOrSet('key', () => 42)).toBe(42);
    trial.expect(await cache.getOrSet('key', () => 'never')).toBe(42);
    trial.expect(await cache.getOrSet('nothing', () => null)).toBe(null);
    trial.expect(await cache.getOrSet('nothing', () => 'never')).toBe(null);
    trial.expect([await cache.get('key'), await cache.has('nothing')]).toEqual([42, true]);
  });

  test('stores no undefined and no failure', ['stores'], async ({ cache, trial }) => {
    const failure = new Error('the factory failed');
    const failing = () => cache.getOrSet('failed', () => Promise.reject(failure), { errorTtl: 0 });
    trial.expect(await cache.getOrSet('undefined', () => undefined)).toBe(undefined);
    trial.expect((await trial.failureOf(failing)) === failure).toBe(true);
    trial.expect([await cache.has('undefined'), await cache.has('failed')]).toEqual([false, false]);
    trial.expect(await cache.getOrSet('failed', () => 'made')).toBe('made');
  });

  test('refuses what cannot be stored', [], async ({ cache, trial }) => {
    const error = await trial.failureOf(() => cache.getOrSet('key', () => ({ run: () => 1 })));
    trial.expect(codeOf(error)).toBe('CACHING_UNSERIALIZABLE_VALUE');
    trial.expect(await cache.has('key')).toBe(false);
  });

  test('runs one of 50 callers’ factories', ['stores'], async ({ cache, trial }) => {
    let runs = 0;
    const load = async () => ({ run: (runs += 1), rest: await trial.passTime(1) });
    const values = await atOnce(50, () => cache.getOrSet('key', load));
    trial.expect(runs).toBe(1);
    for (const value of values) trial.expect(value).toEqual({ run: 1, rest: undefined });
  });

  test('runs one factory for callers elsewhere, too', ['shared', 'shared atomicity'], async (scene) => {
    const { cache, elsewhere, trial } = scene;
    let runs = 0;
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const began = new Promise<void>((resolve) => {
      const load = async (): Promise<object> => {
        runs += 1;
        resolve();
        await finished;
        return { runs };
      };
      void atOnce(5, () => cache.getOrSet('key', load)).catch(() => undefined);
    });
    await began;
    const waiting = atOnce(5, () => elsewhere.getOrSet('key', () => ({ runs: (runs += 1) })));
    // It must be seen waiting, not coming late.
    trial.expect((await elsewhere.explain('key')).held.what).toBe('lease');
    finish();
    for (const value of await waiting) trial.expect(value).toEqual({ runs: 1 });
  });
}

function describeMany(test: CacheTest): void {
  test('loads only the missing ones of many', ['stores'], async ({ cache, trial }) => {
    await cache.set('b', 'kept');
    const asked: string[] = [];
    const load = (missing: readonly string[]) => {
      asked.push(...missing);
      return new Map(missing.filter((key) => key !== 'c').map((key) => [key, `made ${key}`]));
    };
    const values = await cache.getOrSetMany(['a', 'b', 'c', 'a'], load);
    trial.expect(Object.fromEntries(values)).toEqual({ a: 'made a', b: 'kept' });
    trial.expect(asked.sort()).toEqual(['a', 'c']);
    trial.expect([await cache.get('a'), await cache.has('c')]).toEqual(['made a', false]);
  });
}

function describeInvalidated(test: CacheTest): void {
  const changes = {
    'a delete': (cache) => cache.delete('key'),
    'a set': (cache) => cache.set('key', 'newer'),
    'a clear': (cache) => cache.clear(),
    'an invalidated tag': (cache) => cache.invalidateTags(['t']),
  } satisfies Record<string, (cache: CacheOf) => Promise<unknown>>;

  for (const [what, change] of Object.entries(changes)) {
    test(`lets ${what} during a load win`, ['stores'], async ({ cache, trial }) => {
      const value = await cache.getOrSet('key', () => change(cache).then(() => 'old'), { tags: ['t'] });
      trial.expect(value).toBe('old');
      trial.expect(await cache.get('key')).toBe(what === 'a set' ? 'newer' : undefined);
    });

    test(`lets ${what} elsewhere during a load win`, ['shared', 'shared atomicity'], async (scene) => {
      const { cache, elsewhere, trial } = scene;
      await cache.getOrSet('key', () => change(elsewhere).then(() => 'old'), { tags: ['t'] });
      const expected = what === 'a set' ? 'newer' : undefined;
      trial.expect([await cache.get('key'), await elsewhere.get('key')]).toEqual([expected, expected]);
    });
  }
}

/** An invalidation changes the record that all operations read: it must not look like a `clear()` to those under way. */
function describeBeside(test: CacheTest): void {
  const ROUNDS = 20;

  test('counts once beside invalidations', ['stores'], async ({ cache, trial }) => {
    await cache.set('key', 0);
    for (let round = 0; round < ROUNDS; round += 1) {
      const tags = ['t', 'u'].map((tag) => cache.invalidateTags([tag]));
      await Promise.all([...tags, cache.increment('key')]);
    }
    trial.expect(await cache.get('key')).toBe(ROUNDS);
  });

  test('tells the truth beside invalidations', ['stores', 'shared atomicity'], async ({ cache, trial }) => {
    const beside = async (call: Promise<boolean>): Promise<boolean> =>
      (await Promise.all([call, cache.invalidateTags(['t'])]))[0];
    for (let round = 0; round < ROUNDS; round += 1) {
      trial.expect(await beside(cache.add('key', round))).toBe(true);
      trial.expect(await beside(cache.delete('key'))).toBe(true);
      const lock = await cache.lock('key');
      trial.expect(await beside(lock.release())).toBe(true);
    }
  });
}

type CacheOf = Parameters<Parameters<CacheTest>[2]>[0]['cache'];
