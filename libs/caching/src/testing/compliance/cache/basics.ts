import type { Suite } from '../suite.js';
import { LONG_MS } from '../trial.js';
import { type CacheTest, cacheTestOf, expectCodes } from './scene.js';

/** Values as the caller has them, and what comes back. */
const VALUES: readonly (readonly [string, unknown])[] = [
  ['text', 'Straße 中文 🙂 \ud800'],
  ['empty text', ''],
  ['digits in text', '5'],
  ['an integer', 42],
  ['a negative integer', -7],
  ['the largest safe integer', Number.MAX_SAFE_INTEGER],
  ['a fraction', 0.1],
  ['an infinite number', -Infinity],
  ['a number past the safe integers', 2 ** 60],
  ['true', true],
  ['false', false],
  ['null', null],
  ['a BigInt', 2n ** 80n],
  ['a list', [1, 'two', null, [true]]],
  ['nested objects', { a: { b: [{ c: null }] }, __proto: 'own', empty: {} }],
  ['undefined inside', { a: undefined, b: [undefined] }],
  ['a Date', new Date('2026-11-23T10:00:00.123Z')],
  [
    'a Map and a Set',
    new Map<unknown, unknown>([
      ['k', new Set([1n, 'two'])],
      [1, 'integer key'],
    ]),
  ],
  ['bytes', Uint8Array.from([0, 13, 10, 255])],
];

/** The verbs on one key and on many, with the caller's values. */
export function describeCacheBasics(suite: Suite): void {
  const test = cacheTestOf(suite);
  suite.describe('a cache above it', () => {
    describeOneKey(test);
    describeManyKeys(test);
    describeValues(test);
    describeShared(test);
    describeListing(test);
  });
}

function describeOneKey(test: CacheTest): void {
  test('gives what was set, and nothing or the default where nothing is', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    await cache.set('key', 'value');
    await cache.set('nothing', null);
    trial.expect(await cache.get('key')).toBe('value');
    trial.expect(await cache.get('nothing', { default: 'instead' })).toBe(null);
    trial.expect(await cache.get('absent')).toBe(undefined);
    trial.expect(await cache.get('absent', { default: 'instead' })).toBe('instead');
  });

  test('knows what is present', ['stores'], async ({ cache, trial }) => {
    await cache.set('key', 1);
    await cache.set('lasting', { for: 'ever' }, null);
    await cache.set('nothing', null);
    const asked = ['key', 'lasting', 'nothing', 'absent'];
    const answers = await Promise.all(asked.map((key) => cache.has(key)));
    trial.expect(answers).toEqual([true, true, true, false]);
  });

  test('deletes what is present, and says so', ['stores'], async ({ cache, trial }) => {
    await cache.set('key', { of: 'objects' });
    await cache.set('other', 2);
    trial.expect([await cache.delete('key'), await cache.delete('key')]).toEqual([true, false]);
    trial.expect([await cache.get('key'), await cache.get('other')]).toEqual([undefined, 2]);
  });

  test('adds where nothing is, and leaves what is there', ['stores'], async ({ cache, trial }) => {
    trial.expect([await cache.add('key', { n: 1 }), await cache.add('key', { n: 2 })]).toEqual([true, false]);
    trial.expect(await cache.get('key')).toEqual({ n: 1 });
    await cache.set('nothing', null);
    trial.expect(await cache.add('nothing', 1)).toBe(false);
  });

  test('is emptied by clear(), and takes new writes at once', ['stores'], async ({ cache, trial }) => {
    await cache.setMany({ a: 1, b: { two: 2 }, c: null });
    await cache.clear();
    trial.expect((await cache.getMany(['a', 'b', 'c'])).size).toBe(0);
    trial.expect([await cache.has('a'), await cache.delete('b')]).toEqual([false, false]);
    trial.expect([await cache.add('c', 3), await cache.get('c')]).toEqual([true, 3]);
  });

  test('refuses every verb after close()', [], async (scene) => {
    const { cache } = scene;
    await cache.close();
    await expectCodes(scene, 'CACHING_CLOSED', [
      () => cache.get('key'),
      () => cache.set('key', 1),
      () => cache.getOrSet('key', () => 1),
      () => cache.getMany(['key']),
      () => cache.increment('key'),
      () => cache.clear(),
    ]);
  });
}

function describeManyKeys(test: CacheTest): void {
  test('reads and writes many, from one-shot iterators too', ['stores'], async ({ cache, trial }) => {
    const values = new Map<string, unknown>([
      ['a', 1],
      ['b', null],
      ['c', { three: 3 }],
    ]);
    trial.expect(await cache.setMany(values.entries())).toEqual([]);
    trial.expect(await cache.getMany(['a', 'b', 'c', 'absent'].values())).toEqual(values);
    trial.expect(await cache.deleteMany(['a', 'b', 'b', 'absent'].values())).toBe(2);
    trial.expect([...(await cache.getMany(['a', 'b', 'c'])).keys()]).toEqual(['c']);
  });

  test('takes no keys for many', [], async ({ cache, trial }) => {
    trial.expect(await cache.setMany({})).toEqual([]);
    trial.expect((await cache.getMany([])).size).toBe(0);
    trial.expect(await cache.deleteMany([])).toBe(0);
  });
}

function describeValues(test: CacheTest): void {
  for (const [what, value] of VALUES) {
    test(`keeps ${what}`, ['stores'], async ({ cache, trial }) => {
      await cache.set('set', value);
      await cache.add('added', value);
      await cache.setMany({ many: value });
      const read = [await cache.get('set'), await cache.get('added'), await cache.get('many')];
      trial.expect(read).toEqual([value, value, value]);
      trial.expect(read.map((each) => typeof each)).toEqual(Array(3).fill(typeof value));
    });
  }

  test('tells -0 and NaN from what they resemble', ['stores'], async ({ cache, trial }) => {
    await cache.setMany({ minus: -0, none: NaN });
    trial.expect(Object.is(await cache.get('minus'), -0)).toBe(true);
    trial.expect(Object.is(await cache.get('none'), NaN)).toBe(true);
  });

  test('keeps snapshots, and gives copies that may be changed', ['stores'], async ({ cache, trial }) => {
    const mine = { list: [1] };
    await cache.set('key', mine);
    mine.list.push(2);
    trial.expect(await cache.get('key')).toEqual({ list: [1] });
    const copy = await cache.get<typeof mine>('key', { copy: true });
    copy?.list.push(3);
    trial.expect(copy).toEqual({ list: [1, 3] });
    trial.expect(await cache.get('key')).toEqual({ list: [1] });
  });

  test('refuses what cannot be stored, and keeps what was there', ['stores'], async (scene) => {
    const { cache, trial } = scene;
    await cache.set('key', 'kept');
    for (const value of [undefined, { run: () => 1 }, [Symbol('s')], { of: new (class User {})() }]) {
      await expectCodes(scene, 'CACHING_UNSERIALIZABLE_VALUE', [
        () => cache.set('key', value),
        () => cache.add('absent', value),
        () => cache.setMany({ key: value }),
      ]);
    }
    trial.expect([await cache.get('key'), await cache.has('absent')]).toEqual(['kept', false]);
  });
}

function describeShared(test: CacheTest): void {
  test('is one with the same cache elsewhere', ['shared'], async ({ cache, elsewhere, trial }) => {
    await cache.set('key', { n: 1 }, LONG_MS);
    trial.expect(await elsewhere.get('key')).toEqual({ n: 1 });
    trial.expect(await elsewhere.add('key', 2)).toBe(false);
    trial.expect(await elsewhere.delete('key')).toBe(true);
    trial.expect(await cache.has('key')).toBe(false);
  });

  test('sees a clear() and an invalidation elsewhere at once', ['shared'], async (scene) => {
    const { cache, elsewhere, trial } = scene;
    await cache.set('tagged', 1, { tags: ['t'] });
    await cache.set('untagged', 2);
    trial.expect(await cache.get('tagged')).toBe(1);
    await elsewhere.invalidateTags(['t']);
    trial.expect([await cache.get('tagged'), await cache.get('untagged')]).toEqual([undefined, 2]);
    await elsewhere.clear();
    trial.expect(await cache.get('untagged')).toBe(undefined);
    await cache.set('untagged', 3);
    trial.expect(await elsewhere.get('untagged')).toBe(3);
  });

  test('forgets what carries an invalidated tag, and nothing else', ['stores'], async ({ cache, trial }) => {
    await cache.setMany({ a: 1, b: 2 }, { ttl: LONG_MS, tags: ['t', 'u'] });
    await cache.set('c', 3, { tags: ['v'] });
    await cache.invalidateTags(['u']);
    trial.expect([...(await cache.getMany(['a', 'b', 'c'])).keys()]).toEqual(['c']);
    trial.expect([await cache.delete('a'), await cache.add('b', 4)]).toEqual([false, true]);
  });
}

function describeListing(test: CacheTest): void {
  test('lists and removes by pattern', ['stores', 'lists'], async ({ cache, trial }) => {
    const keys = ['a:1', 'a:2', 'b*:%', 'ü', `long:${'x'.repeat(300)}`];
    await cache.setMany(keys.map((key) => [key, { key }] as const));
    const listed: string[] = [];
    for await (const key of cache.keys()) listed.push(key);
    trial.expect(listed.sort()).toEqual([...keys].sort());
    trial.expect(await cache.deletePattern('a:*')).toBe(2);
    trial.expect([...(await cache.getMany(keys)).keys()]).toEqual(keys.slice(2));
  });

  test('refuses to list where the backend cannot', ['does not list'], async (scene) => {
    const listing = () => scene.cache.keys().next();
    await expectCodes(scene, 'CACHING_UNSUPPORTED_OPERATION', [
      listing,
      () => scene.cache.deletePattern('*'),
    ]);
  });
}
