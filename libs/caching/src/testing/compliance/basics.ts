import type { Suite } from './suite.js';
import { atOnce, bytes, LONG_MS, range, show } from './trial.js';

/** get, set, delete and ttl, in one instance and in two. */
export function describeBasics(suite: Suite): void {
  describeOneInstance(suite);
  describeTwoInstances(suite);
  describeWritesAtOnce(suite);
}

function describeOneInstance({ describe, test }: Suite): void {
  describe('basics', () => {
    test('gives nothing for a key that was never set', [], async ({ backend, expect, expectHeld }) => {
      await expectHeld('basic:absent', undefined);
      expect(await backend.ttl('basic:absent')).toBe(undefined);
    });

    test('gives what was set', ['stores'], async ({ backend, expectHeld }) => {
      await backend.set('basic:key', bytes('value'), LONG_MS);
      await expectHeld('basic:key', bytes('value'));
    });

    test('answers set with nothing', [], async ({ backend, expect }) => {
      expect(await backend.set('basic:key', 1, LONG_MS)).toBe(undefined);
    });

    test('gives the last of several writes', ['stores'], async ({ backend, expectHeld }) => {
      for (const text of ['first', 'second, longer', '3rd'])
        await backend.set('basic:key', bytes(text), LONG_MS);
      await expectHeld('basic:key', bytes('3rd'));
    });

    test(
      'puts an integer over bytes and bytes over an integer',
      ['stores'],
      async ({ backend, expectHeld }) => {
        await backend.set('basic:key', bytes('text'), null);
        await backend.set('basic:key', 7, null);
        await expectHeld('basic:key', 7);
        await backend.set('basic:key', bytes('text'), null);
        await expectHeld('basic:key', bytes('text'));
      },
    );

    test(
      'answers delete with whether the key was present',
      ['stores'],
      async ({ backend, expect, expectHeld }) => {
        await backend.set('basic:key', bytes('value'), LONG_MS);
        expect(await backend.delete('basic:key')).toBe(true);
        await expectHeld('basic:key', undefined);
        expect(await backend.ttl('basic:key')).toBe(undefined);
        expect(await backend.delete('basic:key')).toBe(false);
      },
    );

    test('answers delete of a key that was never set with false', [], async ({ backend, expect }) => {
      expect(await backend.delete('basic:absent')).toBe(false);
    });

    test(
      'takes a key again after it was deleted',
      ['stores'],
      async ({ backend, expectHeld, expectLife }) => {
        await backend.set('basic:key', 1, LONG_MS);
        await backend.delete('basic:key');
        await backend.set('basic:key', bytes('again'), null);
        await expectHeld('basic:key', bytes('again'));
        await expectLife('basic:key', null);
      },
    );

    test('deletes one key and no other', ['stores'], async ({ backend, expectHeld }) => {
      await backend.set('basic:a', 1, null);
      await backend.set('basic:b', 2, null);
      await backend.delete('basic:a');
      await expectHeld('basic:b', 2);
    });
  });
}

function describeTwoInstances({ describe, test }: Suite): void {
  describe('two instances on one storage', () => {
    test('see the writes of each other', ['shared'], async ({ backend, other, expect }) => {
      await backend.set('two:key', bytes('first'), LONG_MS);
      expect(show(await other.get('two:key'))).toBe(show(bytes('first')));
      await other.set('two:key', 2, LONG_MS);
      expect(show(await backend.get('two:key'))).toBe(show(2));
    });

    test('see the deletes of each other', ['shared'], async ({ backend, other, expect }) => {
      await backend.set('two:key', bytes('first'), null);
      expect(await other.delete('two:key')).toBe(true);
      expect(await backend.get('two:key')).toBe(undefined);
      expect(await backend.delete('two:key')).toBe(false);
    });

    test('agree on the life of a key', ['shared'], async ({ backend, other, expect }) => {
      await backend.set('two:key', 1, LONG_MS);
      const rest = await other.ttl('two:key');
      expect(rest).toBeGreaterThan(LONG_MS / 2);
      expect(rest).toBeLessThanOrEqual(LONG_MS);
    });

    test('go on when the other is closed', ['shared'], async ({ backend, other, expect }) => {
      await other.set('two:key', 1, null);
      await other.close();
      expect(await backend.get('two:key')).toBe(1);
    });
  });
}

function describeWritesAtOnce({ describe, test }: Suite): void {
  /** Payloads of different lengths, each of one byte repeated, so that a mixture shows. */
  const versions = range(100).map((n) => new Uint8Array(1_000 + 317 * n).fill(n + 1));
  const whole = new Set(versions.map(show));

  describe('writes of one key at once', () => {
    test('never give a torn payload', ['stores'], async ({ backend, expect }) => {
      const seen: string[] = [];
      await atOnce(100, async (n) => {
        await backend.set('torn:key', versions[n]!, LONG_MS);
        seen.push(show(await backend.get('torn:key')));
      });
      expect(seen.filter((text) => !whole.has(text))).toEqual([]);
    });

    test('never give a torn payload to another instance', ['shared'], async ({ backend, other, expect }) => {
      await backend.set('torn:key', versions[0]!, LONG_MS);
      const seen: string[] = [];
      await atOnce(100, async (n) => {
        const [writer, reader] = n % 2 === 0 ? [backend, other] : [other, backend];
        const read = async () => seen.push(show(await reader.get('torn:key')));
        await Promise.all([writer.set('torn:key', versions[n]!, LONG_MS), read()]);
      });
      expect(seen.filter((text) => !whole.has(text))).toEqual([]);
    });

    test('keep the keys of 100 callers apart', ['stores'], async ({ backend, expectHeld }) => {
      await atOnce(100, (n) => backend.set(`apart:${n}`, versions[n]!, LONG_MS));
      for (const n of range(100)) await expectHeld(`apart:${n}`, versions[n]);
    });
  });
}
