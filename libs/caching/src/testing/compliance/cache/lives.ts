import type { Ttl } from '../../../duration.js';
import type { Suite } from '../suite.js';
import { atOnce, LONG_MS, SHORT_MS } from '../trial.js';
import { type CacheScene, type CacheTest, cacheTestOf, expectCodes } from './scene.js';

const DAY_MS = 86_400_000;

/** A life that must not be over before it is lengthened, on a busy machine. */
const TOUCHED_MS = 10 * SHORT_MS;

/** The caller's lives, and counters. */
export function describeCacheLives(suite: Suite): void {
  const test = cacheTestOf(suite);
  suite.describe('a cache above it, in its lives,', () => {
    describeEnds(test);
    describeLong(test);
    describeNone(test);
  });
  suite.describe('a cache above it, in its counters,', () => describeCounters(test));
}

function describeEnds(test: CacheTest): void {
  test('takes what has ended for absent, with every verb', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    const keys = ['set', 'added', 'first', 'second', 'loaded', 'tagged'];
    await cache.set('set', { n: 1 }, SHORT_MS);
    await cache.add('added', 2, SHORT_MS);
    await cache.setMany({ first: 3, second: null }, SHORT_MS);
    await cache.getOrSet('loaded', () => 'made', SHORT_MS);
    await cache.set('tagged', 4, { ttl: SHORT_MS, tags: ['t'] });
    await trial.outlive(SHORT_MS);
    while (await cache.has('tagged')) await trial.passTime(1);
    trial.expect((await cache.getMany(keys)).size).toBe(0);
    for (const key of keys) {
      trial.expect([await cache.get(key), await cache.has(key)]).toEqual([undefined, false]);
      trial.expect([await cache.ttl(key), await cache.touch(key)]).toEqual([undefined, false]);
      trial.expect([await cache.persist(key), await cache.delete(key)]).toEqual([false, false]);
    }
    await expectCodes(scene, 'CACHING_MISSING_KEY', [() => cache.increment('added')]);
    trial.expect([await cache.add('set', 'new'), await cache.get('set')]).toEqual([true, 'new']);
    trial.expect(await cache.getOrSet('loaded', () => 'made anew')).toBe('made anew');
  });

  test('lengthens a life by touch, also to the default one', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    await cache.setMany({ given: 1, by: { default: true } }, TOUCHED_MS);
    trial.expect([await cache.touch('given', 2 * LONG_MS), await cache.touch('by')]).toEqual([true, true]);
    trial.expect(await cache.ttl('given')).toBeGreaterThan(LONG_MS);
    await expectLife(scene, 'by', LONG_MS);
    await trial.outlive(TOUCHED_MS);
    trial.expect([await cache.get('given'), await cache.get('by')]).toEqual([1, { default: true }]);
  });

  test('shortens a life by touch, and ends it by one of none', ['stores'], async ({ cache, trial }) => {
    await cache.set('key', 1, null);
    trial.expect(await cache.touch('key', SHORT_MS)).toBe(true);
    await trial.outlive(SHORT_MS);
    trial.expect(await cache.has('key')).toBe(false);
    await cache.set('key', 1, null);
    trial.expect([await cache.touch('key', 0), await cache.has('key')]).toEqual([true, false]);
  });
}

function describeLong(test: CacheTest): void {
  test('gives the default life where none is given', ['stores'], async (scene) => {
    const { cache } = scene;
    await cache.set('set', 1);
    await cache.add('added', { n: 2 });
    await cache.getOrSet('loaded', () => 3);
    for (const key of ['set', 'added', 'loaded']) await expectLife(scene, key, LONG_MS);
  });

  const lives: readonly (readonly [string, Ttl, number])[] = [
    ['of 30 days and a second', 30 * DAY_MS + 1000, 30 * DAY_MS + 1000],
    ['of a year', '365d', 365 * DAY_MS],
    ['with a fraction of a millisecond', LONG_MS + 0.2, LONG_MS + 1],
    ['below a second', 900, 900],
  ];
  for (const [what, ttl, ms] of lives) {
    test(`keeps lives ${what}`, ['stores'], async (scene) => {
      const { cache, trial } = scene;
      await cache.set('set', 1, ttl);
      trial.expect(await cache.add('added', { n: 2 }, ttl)).toBe(true);
      await cache.setMany({ many: null }, ttl);
      for (const key of ['set', 'added', 'many']) await expectLife(scene, key, ms);
    });
  }

  test('keeps lives without end, and leaves them to add', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    await cache.set('set', 'old', null);
    trial
      .expect([await cache.add('added', 1, null), await cache.add('set', 'new', 1)])
      .toEqual([true, false]);
    await cache.setMany({ many: {} }, null);
    await cache.set('persisted', 1, LONG_MS);
    trial.expect(await cache.persist('persisted')).toBe(true);
    for (const key of ['set', 'added', 'many', 'persisted']) {
      trial.expect(await cache.ttl(key)).toBe(null);
    }
    trial.expect(await cache.get('set')).toBe('old');
  });
}

function describeNone(test: CacheTest): void {
  for (const ttl of [0, -1]) {
    test(`keeps nothing with a life of ${ttl}, and removes what was there`, ['stores'], async (scene) => {
      const { cache, trial } = scene;
      await cache.setMany({ set: 1, many: 2 });
      await cache.set('set', 3, ttl);
      trial.expect(await cache.setMany({ many: 4 }, ttl)).toEqual([]);
      trial.expect(await cache.add('added', 5, ttl)).toBe(true);
      trial.expect(await cache.getOrSet('loaded', () => 6, ttl)).toBe(6);
      trial.expect((await cache.getMany(['set', 'many', 'added', 'loaded'])).size).toBe(0);
    });
  }

  test('refuses lives that are none', [], async (scene) => {
    const { cache } = scene;
    for (const ttl of [NaN, Infinity, '5 minutes', '']) {
      await expectCodes(scene, 'CACHING_INVALID_DURATION', [
        () => cache.set('key', 1, ttl as Ttl),
        () => cache.touch('key', ttl as Ttl),
        () => cache.getOrSet('key', () => 1, ttl as Ttl),
      ]);
    }
  });
}

function describeCounters(test: CacheTest): void {
  test('counts on what set() wrote, up and down', ['stores'], async ({ cache, trial }) => {
    await cache.set('key', 41);
    trial.expect([await cache.increment('key'), await cache.increment('key', 10)]).toEqual([42, 52]);
    trial.expect([await cache.increment('key', -10), await cache.decrement('key')]).toEqual([42, 41]);
    trial.expect([await cache.decrement('key', 10), await cache.decrement('key', -10)]).toEqual([31, 41]);
    trial.expect(await cache.get('key')).toBe(41);
  });

  test('refuses what is absent, and starts it where it is told to', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    await expectCodes(scene, 'CACHING_MISSING_KEY', [
      () => cache.increment('key'),
      () => cache.increment('key', -1),
      () => cache.decrement('key'),
    ]);
    trial.expect(await cache.increment('key', 2, { initial: 10, ttl: null })).toBe(12);
    trial.expect([await cache.get('key'), await cache.ttl('key')]).toEqual([12, null]);
    trial.expect(await cache.decrement('key', 2, { initial: 10 })).toBe(10);
  });

  test('refuses what is no number, and leaves it', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    const values = { text: '5', flag: true, nothing: null, fraction: 0.5, list: [1] };
    await cache.setMany(values);
    const keys = Object.keys(values);
    await expectCodes(scene, 'CACHING_NOT_A_NUMBER', [
      ...keys.map((key) => () => cache.increment(key)),
      ...keys.map((key) => () => cache.decrement(key, 1, { initial: 0 })),
    ]);
    trial.expect(Object.fromEntries(await cache.getMany(keys))).toEqual(values);
  });

  test('keeps the life of a counter', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    await cache.set('lasting', 1, null);
    await cache.set('long', 1, 2 * LONG_MS);
    await cache.set('short', 1, SHORT_MS);
    for (const key of ['lasting', 'long']) {
      await cache.increment(key);
      await cache.decrement(key, 5, { initial: 0, ttl: SHORT_MS });
    }
    trial.expect(await cache.ttl('lasting')).toBe(null);
    trial.expect(await cache.ttl('long')).toBeGreaterThan(LONG_MS);
    await cache.increment('short', 1, { initial: 0, ttl: LONG_MS }).catch(() => undefined);
    await trial.outlive(SHORT_MS);
    trial.expect([await cache.get('lasting'), await cache.get('long')]).toEqual([-3, -3]);
  });

  test('adds up the increments of many callers', ['stores'], async ({ cache, trial }) => {
    const sums = await atOnce(60, () => cache.increment('key', 1, { initial: 0 }));
    trial.expect(new Set(sums).size).toBe(60);
    trial.expect(await cache.get('key')).toBe(60);
  });

  test('adds up the increments made elsewhere', ['shared', 'shared atomicity'], async (scene) => {
    const { cache, elsewhere, trial } = scene;
    await atOnce(60, (n) => (n % 2 === 0 ? cache : elsewhere).increment('key', 1, { initial: 0 }));
    trial.expect([await cache.get('key'), await elsewhere.get('key')]).toEqual([60, 60]);
  });
}

async function expectLife({ cache, trial }: CacheScene, key: string, lifeMs: number): Promise<void> {
  const rest = (await cache.ttl(key)) ?? 0;
  trial.expect(rest).toBeLessThanOrEqual(lifeMs);
  trial.expect(rest).toBeGreaterThan(Math.max(0, lifeMs - LONG_MS / 2));
}
