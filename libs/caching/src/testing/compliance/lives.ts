import type { Suite } from './suite.js';
import { bytes, LONG_MS, SHORT_MS } from './trial.js';

const DAY_MS = 86_400_000;

/** Expiry, `ttl` and `touch`. */
export function describeLives(suite: Suite): void {
  describeExpiry(suite);
  describeLongLives(suite);
  describeTouch(suite);
}

function describeExpiry({ describe, test }: Suite): void {
  describe('lives', () => {
    test('end when their time has come', ['stores'], async ({ backend, expectHeld, expectLife, outlive }) => {
      await backend.set('life:key', bytes('value'), SHORT_MS);
      await outlive(SHORT_MS);
      await expectHeld('life:key', undefined);
      await expectLife('life:key', undefined);
    });

    test('end for integers', ['stores'], async ({ backend, expectHeld, expectLife, outlive }) => {
      await backend.set('life:key', 5, SHORT_MS);
      await outlive(SHORT_MS);
      await expectLife('life:key', undefined);
      await expectHeld('life:key', undefined);
    });

    test('do not end early', ['stores'], async ({ backend, expect, passTime }) => {
      const began = performance.now();
      await backend.set('life:key', 5, 3 * SHORT_MS);
      await passTime(2 * SHORT_MS);
      const held = await backend.get('life:key');
      const late = performance.now() - began >= 3 * SHORT_MS;
      expect(held === 5 || late).toBe(true);
    });

    test('under a second are kept as such', ['stores'], async ({ backend, expectLife }) => {
      await backend.set('life:key', 5, 900);
      await expectLife('life:key', 900);
    });

    test('of a millisecond end', ['stores'], async ({ backend, expectHeld, outlive }) => {
      await backend.set('life:key', 5, 1);
      await outlive(1);
      await expectHeld('life:key', undefined);
    });

    test('that are null do not end', ['stores'], async ({ backend, expectHeld, expectLife, outlive }) => {
      await backend.set('life:key', 5, null);
      await outlive(SHORT_MS);
      await expectHeld('life:key', 5);
      await expectLife('life:key', null);
    });

    test('are shortened by a new write', ['stores'], async ({ backend, expectHeld, outlive }) => {
      await backend.set('life:key', 1, LONG_MS);
      await backend.set('life:lasting', 1, null);
      await backend.set('life:key', 2, SHORT_MS);
      await backend.set('life:lasting', 2, SHORT_MS);
      await outlive(SHORT_MS);
      await expectHeld('life:key', undefined);
      await expectHeld('life:lasting', undefined);
    });

    test(
      'are lengthened by a new write',
      ['stores'],
      async ({ backend, expectHeld, expectLife, outlive }) => {
        await backend.set('life:key', 1, SHORT_MS);
        await backend.set('life:lasting', 1, SHORT_MS);
        await backend.set('life:key', 2, LONG_MS);
        await backend.set('life:lasting', 2, null);
        await outlive(SHORT_MS);
        await expectHeld('life:key', 2);
        await expectLife('life:key', LONG_MS);
        await expectHeld('life:lasting', 2);
        await expectLife('life:lasting', null);
      },
    );

    test('that have ended count as absent for delete', ['stores'], async ({ backend, expect, outlive }) => {
      await backend.set('life:key', 1, SHORT_MS);
      await outlive(SHORT_MS);
      expect(await backend.delete('life:key')).toBe(false);
    });

    test(
      'that have ended leave the key free for set',
      ['stores'],
      async ({ backend, expectHeld, outlive }) => {
        await backend.set('life:key', 1, SHORT_MS);
        await outlive(SHORT_MS);
        await backend.set('life:key', 2, null);
        await expectHeld('life:key', 2);
      },
    );

    test(
      'that have ended have ended for another instance',
      ['shared'],
      async ({ backend, other, expect, outlive }) => {
        await backend.set('life:key', 1, SHORT_MS);
        await outlive(SHORT_MS);
        expect(await other.get('life:key')).toBe(undefined);
        expect(await other.ttl('life:key')).toBe(undefined);
        expect(await other.delete('life:key')).toBe(false);
      },
    );
  });
}

function describeLongLives({ describe, test }: Suite): void {
  const lives: [string, number][] = [
    ['30 days and a second', 30 * DAY_MS + 1000],
    ['more milliseconds than 32 bits hold', 2 ** 32 + 1],
    ['a year', 365 * DAY_MS],
    ['50 years', 50 * 365 * DAY_MS],
    ['the longest that a Duration may be', 9_000_000_000_000],
  ];

  describe('long lives', () => {
    for (const [what, life] of lives) {
      test(`are kept: ${what}`, ['stores'], async ({ backend, expectHeld, expectLife }) => {
        await backend.set('life:long', bytes('value'), life);
        await expectHeld('life:long', bytes('value'));
        await expectLife('life:long', life);
      });
    }

    test('are kept by add', ['stores', 'add'], async ({ backend, expect, expectHeld, expectLife }) => {
      expect(await backend.add('life:long', 1, 30 * DAY_MS + 1000)).toBe(true);
      await expectHeld('life:long', 1);
      await expectLife('life:long', 30 * DAY_MS + 1000);
    });
  });
}

function describeTouch({ describe, test }: Suite): void {
  describe('touch', () => {
    test(
      'lengthens a life',
      ['stores', 'touch'],
      async ({ backend, expect, expectHeld, expectLife, outlive }) => {
        await backend.set('touch:key', bytes('value'), SHORT_MS * 5);
        expect(await backend.touch('touch:key', LONG_MS)).toBe(true);
        await outlive(SHORT_MS * 5);
        await expectHeld('touch:key', bytes('value'));
        await expectLife('touch:key', LONG_MS);
      },
    );

    test('shortens a life', ['stores', 'touch'], async ({ backend, expect, expectHeld, outlive }) => {
      await backend.set('touch:key', 1, LONG_MS);
      expect(await backend.touch('touch:key', SHORT_MS)).toBe(true);
      await outlive(SHORT_MS);
      await expectHeld('touch:key', undefined);
    });

    test(
      'ends a life without end',
      ['stores', 'touch'],
      async ({ backend, expect, expectLife, expectHeld }) => {
        await backend.set('touch:key', bytes('value'), null);
        expect(await backend.touch('touch:key', LONG_MS)).toBe(true);
        await expectLife('touch:key', LONG_MS);
        await expectHeld('touch:key', bytes('value'));
      },
    );

    test('makes a life endless', ['stores', 'touch'], async ({ backend, expect, expectHeld, expectLife }) => {
      await backend.set('touch:key', 5, LONG_MS);
      expect(await backend.touch('touch:key', null)).toBe(true);
      await expectLife('touch:key', null);
      await expectHeld('touch:key', 5);
    });

    test(
      'with null is true for a key without end',
      ['stores', 'touch'],
      async ({ backend, expect, expectLife }) => {
        await backend.set('touch:key', 5, null);
        expect(await backend.touch('touch:key', null)).toBe(true);
        await expectLife('touch:key', null);
      },
    );

    test('with the same life is true each time', ['stores', 'touch'], async ({ backend, expect }) => {
      await backend.set('touch:key', 5, LONG_MS);
      expect(await backend.touch('touch:key', LONG_MS)).toBe(true);
      expect(await backend.touch('touch:key', LONG_MS)).toBe(true);
    });

    test('is false for a key that was never set', ['touch'], async ({ backend, expect, expectHeld }) => {
      expect(await backend.touch('touch:absent', LONG_MS)).toBe(false);
      expect(await backend.touch('touch:absent', null)).toBe(false);
      await expectHeld('touch:absent', undefined);
    });

    test('never revives', ['stores', 'touch'], async ({ backend, expect, expectHeld, outlive }) => {
      await backend.set('touch:key', bytes('value'), SHORT_MS);
      await backend.set('touch:other', 1, SHORT_MS);
      await outlive(SHORT_MS);
      expect(await backend.touch('touch:key', LONG_MS)).toBe(false);
      expect(await backend.touch('touch:other', null)).toBe(false);
      await expectHeld('touch:key', undefined);
      await expectHeld('touch:other', undefined);
    });
  });
}
