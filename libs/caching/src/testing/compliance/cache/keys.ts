import type { Suite } from '../suite.js';
import { type CacheTest, cacheTestOf, expectCodes } from './scene.js';

const LONG = 'k'.repeat(100_000);

/** Keys of the caller: any string is one. Each list is written whole, then read whole. */
const DISTINCT: Readonly<Record<string, readonly string[]>> = {
  'of no or blank text': ['', ' ', '  ', '\t', '\u00a0', '\u3000', '\u200b'],
  'with spaces': ['a b', 'a  b', 'ab', ' ab', 'ab ', 'a%20b', 'a+b', 'a~20b'],
  'with control characters': [...'\0\u0001\b\t\v\f\u001b\u007f\u0085\u2028'].map((char) => `key${char}end`),
  'with line ends': ['a\r\nb', 'a\nb', 'a\rb', 'a\r\n', 'a', 'get a\r\nset b 0 0 1\r\nx\r\n', 'a\\r\\nb'],
  'with NUL': ['nul', 'nul\0', '\0nul', 'nul\0\0', 'nu\0l'],
  'of 100 kB': [LONG, `${LONG}k`, `${LONG}K`, `K${LONG}`, LONG.slice(1), `${LONG.slice(1)}\0`],
  'near the bound': [200, 230, 240, 249, 250, 251, 255, 256, 300].map((length) => 'x'.repeat(length)),
  'with lone surrogates': [
    '\ud800',
    '\udc00',
    '\ud800\ud800',
    '\udc00\ud800',
    '\ufffd',
    '%uD800',
    '💾',
    '\ud83d',
  ],
  'in NFC and NFD': ['\u00e9', 'e\u0301', 'e', '\u1e9b\u0323', '\u1e9b', '\u017f\u0323\u0307', 'ﬁ', 'fi'],
  'that differ in case': ['key', 'Key', 'KEY', 'ß', 'ẞ', 'SS', 'ss', 'i', 'İ', 'ı', 'I', 'k', '\u212a'],
  'of the language': [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'undefined',
    'null',
    'NaN',
    '0',
  ],
  'of paths': [
    '.',
    '..',
    '/',
    '../..',
    '/etc/passwd',
    'a/b',
    'a//b',
    'a/../b',
    'a\\b',
    'C:\\a',
    'con',
    'nul',
  ],
  'of patterns': [
    '*',
    '?',
    '[a]',
    'a*',
    'a?',
    '%',
    '_',
    'a%',
    'a_',
    '\\*',
    '\\',
    '{a}',
    '{a',
    'a}',
    '{}',
    '{{a}}',
  ],
  'of separators and escapes': [
    'a:b',
    'a::b',
    ':a:b',
    'a:b:',
    'a~b',
    'a~~b',
    'a~3ab',
    'a%3Ab',
    'a-b',
    '%',
    '%%',
  ],
  'of statements': ["'", '"', "';--", '`', '$1', ':a', '?', '??', '$(id)', '\\x00', 'flush_all', 'noreply'],
};

/** Any string is a key, and distinct ones stay distinct. */
export function describeCacheKeys(suite: Suite): void {
  const test = cacheTestOf(suite);
  suite.describe('a cache above it, with keys', () => {
    for (const [what, keys] of Object.entries(DISTINCT)) describeDistinct(test, what, keys);

    test('that are no text, refuses each verb', [], async (scene) => {
      const { cache } = scene;
      for (const key of [undefined, null, 5, {}, ['key']] as unknown as string[]) {
        await expectCodes(scene, 'CACHING_INVALID_KEY', [
          () => cache.get(key),
          () => cache.set(key, 1),
          () => cache.add(key, 1),
          () => cache.getOrSet(key, () => 1),
          () => cache.has(key),
          () => cache.delete(key),
          () => cache.touch(key),
          () => cache.increment(key),
          () => cache.getMany([key]),
          () => cache.deleteMany([key]),
        ]);
      }
    });
  });
}

function describeDistinct(test: CacheTest, what: string, keys: readonly string[]): void {
  test(`${what} keeps them apart with every verb`, ['stores'], async ({ cache, trial }) => {
    const { expect } = trial;
    const numbers = keys.map((_, index) => index);
    expect(new Set(keys).size).toBe(keys.length);

    for (const [index, key] of keys.entries()) expect(await cache.add(key, { index })).toBe(true);
    const values = keys.map((_, index) => ({ index }));
    expect(await Promise.all(keys.map((key) => cache.get(key)))).toEqual(values);
    expect([...(await cache.getMany(keys))]).toEqual(keys.map((key, index) => [key, { index }]));
    expect(await Promise.all(keys.map((key) => cache.getOrSet(key, () => 'never')))).toEqual(values);

    expect(await cache.setMany(keys.map((key, index) => [key, index] as const))).toEqual([]);
    expect(await Promise.all(keys.map((key) => cache.increment(key, 100)))).toEqual(
      numbers.map((index) => index + 100),
    );

    const [gone = '', ...left] = keys;
    expect([await cache.delete(gone), await cache.has(gone)]).toEqual([true, false]);
    expect((await cache.getMany(left)).size).toBe(left.length);
    expect(await cache.deleteMany(keys)).toBe(left.length);
  });
}
