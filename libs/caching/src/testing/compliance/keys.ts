import type { Suite } from './suite.js';
import { LONG_MS, range } from './trial.js';

const PRINTABLE = range(0x7f - 0x21, 0x21).map((code) => String.fromCharCode(code));

/** Keys that a careless backend mixes up or chokes on. Each list is written whole, then read whole. */
const DISTINCT: Readonly<Record<string, readonly string[]>> = {
  'every printable character by itself': PRINTABLE,
  'every printable character in the middle': PRINTABLE.map((character) => `key:${character}:end`),
  'upper and lower case': ['case:key', 'case:Key', 'case:KEY', 'CASE:key'],
  'keys that begin with each other': ['a', 'ab', 'abc', 'abcd', 'a:', 'a:b', 'a:b:c'],
  'glob characters': ['glob*', 'glob?', 'glob[a]', 'globa', 'globb', 'glob**', 'glob\\*', 'glob\\'],
  'LIKE characters': ['like%', 'like_', 'likea', 'likeab', 'like\\%', 'like\\_', "like'", 'like"'],
  'path characters': [
    '.',
    '..',
    '/',
    '//',
    '../up',
    './here',
    '/etc/passwd',
    'a/b',
    'a//b',
    'a\\b',
    'dir/',
    'dir',
  ],
  'percent escapes': ['%41', 'A', '%2F', '%', '%%', '%00'],
  'digits and words of languages': ['1', '01', '1.0', '1e0', '-1', 'null', 'undefined', 'true', 'NaN', '0x1'],
  'names of object properties': [
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'length',
  ],
  'names of devices and hidden files': [
    'CON',
    'nul',
    'aux.txt',
    '.hidden',
    'trailing.',
    '~',
    '~root',
    '-rf',
    '--',
  ],
  'hash tags': ['{a}b', '{a}c', '{}', '{', '}', '{a', 'a}', '{{a}}', '{a}{b}'],
  'words of protocols': ['get', 'END', 'STORED', 'noreply', 'flush_all', '$1', '*1', "';--", '$(id)', '`id`'],
};

/** A key is final and is never edited. */
export function describeKeys({ describe, test }: Suite): void {
  describe('keys', () => {
    for (const [what, keys] of Object.entries(DISTINCT)) {
      test(`stay apart: ${what}`, ['stores'], async ({ backend, expectHeld }) => {
        for (const [index, key] of keys.entries()) await backend.set(key, index, LONG_MS);
        for (const [index, key] of keys.entries()) await expectHeld(key, index);
      });
    }

    test('stay apart in deletes', ['stores'], async ({ backend, expect, expectHeld }) => {
      const keys = ['a*b', 'a_b', 'a%b', 'a\\b', 'a[b]', 'ab', 'aab'];
      for (const key of keys) await backend.set(key, 1, LONG_MS);
      for (const [index, key] of keys.entries()) {
        expect(await backend.delete(key)).toBe(true);
        for (const left of keys.slice(index + 1)) await expectHeld(left, 1);
      }
    });

    test('may hold every printable character at once', ['stores'], async ({ backend, expectHeld }) => {
      await backend.set(PRINTABLE.join(''), 1, LONG_MS);
      await expectHeld(PRINTABLE.join(''), 1);
    });

    test('may be 250 bytes long', ['stores'], async ({ backend, expect, expectHeld, expectLife }) => {
      const key = 'k'.repeat(250);
      await backend.set(key, 1, LONG_MS);
      await expectHeld(key, 1);
      await expectLife(key, LONG_MS);
      expect(await backend.delete(key)).toBe(true);
    });

    test('of 250 bytes stay apart to the last', ['stores'], async ({ backend, expectHeld }) => {
      const keys = ['a', 'b', 'B'].map((last) => 'k'.repeat(249) + last);
      for (const [index, key] of keys.entries()) await backend.set(key, index, LONG_MS);
      for (const [index, key] of keys.entries()) await expectHeld(key, index);
      await expectHeld('k'.repeat(249), undefined);
    });
  });
}
