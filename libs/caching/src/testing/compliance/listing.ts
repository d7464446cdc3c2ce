import type { Suite } from './suite.js';
import { LONG_MS, range, SHORT_MS, type Trial } from './trial.js';

/** Prefixes that a pattern language would take for one another. */
const LOOKALIKES = [
  'a*b',
  'a_b',
  'a%b',
  'a\\b',
  'a[b]',
  'a?b',
  'ab',
  'axb',
  'A*B',
  'a**b',
  'a%%b',
  "a'b",
  'a"b',
  '{a}b',
  '[a-z]b',
  '[^x]b',
  'a{b',
  'a}b',
  '*',
  '?',
  '%',
  '_',
  '\\',
];

/** `keys`, `clear` and `prune`. */
export function describeListing(suite: Suite): void {
  describeKeysOf(suite);
  describeClear(suite);
  describePrune(suite);
}

function describeKeysOf({ describe, test }: Suite): void {
  describe('keys(prefix)', () => {
    test('lists what begins with the prefix', ['stores', 'lists'], async ({ backend, expect }) => {
      for (const key of ['list:a', 'list:b', 'list', 'lis', 'xlist:a', 'list:'])
        await backend.set(key, 1, LONG_MS);
      expect(await collect(backend.keys('list:'))).toEqual(['list:', 'list:a', 'list:b']);
    });

    test('lists nothing where nothing is', ['lists'], async ({ backend, expect }) => {
      expect(await collect(backend.keys('list:'))).toEqual([]);
    });

    test('takes every character of the prefix for itself', ['stores', 'lists'], async (trial) => {
      await fill(trial);
      for (const prefix of LOOKALIKES) {
        trial.expect(await collect(trial.backend.keys(`${prefix}:`))).toEqual([`${prefix}:1`, `${prefix}:2`]);
      }
    });

    test(
      'leaves out what has expired or was deleted',
      ['stores', 'lists'],
      async ({ backend, expect, outlive }) => {
        await backend.set('list:expired', 1, SHORT_MS);
        await backend.set('list:deleted', 1, LONG_MS);
        await backend.set('list:kept', 1, LONG_MS);
        await backend.delete('list:deleted');
        await outlive(SHORT_MS);
        expect(await collect(backend.keys('list:'))).toEqual(['list:kept']);
      },
    );

    test('lists each of 2,000 keys once', ['stores', 'lists'], async ({ backend, expect }) => {
      const keys = range(2_000).map((n) => `list:${n}`);
      for (const key of keys) await backend.set(key, 1, LONG_MS);
      expect(await collect(backend.keys('list:'))).toEqual(keys.sort());
    });

    test('may be left early', ['stores', 'lists'], async ({ backend, expect, expectHeld }) => {
      for (const n of range(50)) await backend.set(`list:${n}`, 1, LONG_MS);
      let first: string | undefined;
      for await (const key of backend.keys('list:')) {
        first = key;
        break;
      }
      expect(first?.startsWith('list:')).toBe(true);
      await expectHeld('list:7', 1);
    });

    test('lists what another instance wrote', ['shared', 'lists'], async ({ backend, other, expect }) => {
      await other.set('list:theirs', 1, LONG_MS);
      expect(await collect(backend.keys('list:'))).toEqual(['list:theirs']);
    });
  });
}

function describeClear({ describe, test }: Suite): void {
  describe('clear(prefix)', () => {
    test('removes what begins with the prefix', ['stores', 'lists'], async ({ backend, expectHeld }) => {
      for (const key of ['clear:a', 'clear:b', 'clear:', 'clear', 'xclear:a'])
        await backend.set(key, 1, LONG_MS);
      await backend.clear('clear:');
      for (const key of ['clear:a', 'clear:b', 'clear:']) await expectHeld(key, undefined);
      for (const key of ['clear', 'xclear:a']) await expectHeld(key, 1);
    });

    test('answers nothing, also where nothing is', [], async ({ backend, expect }) => {
      expect(await backend.clear('clear:')).toBe(undefined);
    });

    for (const prefix of LOOKALIKES) {
      test(`touches nothing beside ${prefix}`, ['stores', 'lists'], async (trial) => {
        await fill(trial);
        await trial.backend.clear(`${prefix}:`);
        await trial.expectHeld(`${prefix}:1`, undefined);
        await trial.expectHeld(`${prefix}:2`, undefined);
        for (const other of LOOKALIKES) if (other !== prefix) await trial.expectHeld(`${other}:1`, 1);
      });
    }

    test('removes 2,000 keys', ['stores', 'lists'], async ({ backend, expect, expectHeld }) => {
      for (const n of range(2_000)) await backend.set(`clear:${n}`, n, LONG_MS);
      await backend.set('kept', 1, LONG_MS);
      await backend.clear('clear:');
      expect(await collect(backend.keys('clear:'))).toEqual([]);
      await expectHeld('clear:1234', undefined);
      await expectHeld('kept', 1);
    });

    test(
      'leaves the keys free for new writes',
      ['stores', 'lists'],
      async ({ backend, expectHeld, expectLife }) => {
        await backend.set('clear:a', 1, LONG_MS);
        await backend.clear('clear:');
        await backend.set('clear:a', 2, null);
        await expectHeld('clear:a', 2);
        await expectLife('clear:a', null);
      },
    );

    test('counts for another instance', ['shared', 'lists'], async ({ backend, other, expect }) => {
      await other.set('clear:a', 1, LONG_MS);
      await backend.clear('clear:');
      expect(await other.get('clear:a')).toBe(undefined);
    });

    test(
      'does nothing where the backend cannot list',
      ['stores', 'does not list'],
      async ({ backend, expectHeld }) => {
        await backend.set('clear:a', 1, LONG_MS);
        await backend.clear('clear:');
        await expectHeld('clear:a', 1);
      },
    );
  });
}

function describePrune({ describe, test }: Suite): void {
  describe('prune', () => {
    test(
      'frees what has expired and nothing else',
      ['stores', 'prune'],
      async ({ backend, expect, expectHeld, outlive }) => {
        for (const n of range(20)) await backend.set(`prune:${n}`, n, SHORT_MS);
        await backend.set('prune:kept', 1, LONG_MS);
        await backend.set('prune:lasting', 2, null);
        await outlive(SHORT_MS);
        // A sweep of the backend's own may have come first, and the wait leaves one more entry.
        expect(await backend.prune()).toBeLessThanOrEqual(21);
        expect(await backend.prune()).toBe(0);
        await expectHeld('prune:0', undefined);
        await expectHeld('prune:kept', 1);
        await expectHeld('prune:lasting', 2);
      },
    );

    test(
      'frees nothing where nothing has expired',
      ['stores', 'prune'],
      async ({ backend, expect, expectHeld }) => {
        await backend.set('prune:kept', 1, LONG_MS);
        expect(await backend.prune()).toBe(0);
        await expectHeld('prune:kept', 1);
      },
    );

    test('frees nothing where nothing is', ['prune'], async ({ backend, expect }) => {
      expect(await backend.prune()).toBe(0);
    });
  });
}

async function fill({ backend }: Trial): Promise<void> {
  for (const prefix of LOOKALIKES) {
    await backend.set(`${prefix}:1`, 1, LONG_MS);
    await backend.set(`${prefix}:2`, 2, LONG_MS);
  }
}

async function collect(keys: AsyncIterable<string>): Promise<string[]> {
  const listed: string[] = [];
  for await (const key of keys) listed.push(key);
  return listed.sort();
}
