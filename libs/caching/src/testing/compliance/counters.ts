import type { Suite } from './suite.js';
import { atOnce, bytes, codeOf, LONG_MS, range, SHORT_MS } from './trial.js';

const MAX = Number.MAX_SAFE_INTEGER;

/** `increment`. */
export function describeCounters(suite: Suite): void {
  describeCounting(suite);
  describeInitial(suite);
  describeRefusals(suite);
  describeCountingAtOnce(suite);
}

function describeCounting({ describe, test }: Suite): void {
  describe('increment', () => {
    test('adds and answers the sum', ['stores', 'increment'], async ({ backend, expect, expectHeld }) => {
      await backend.set('count:key', 41, LONG_MS);
      expect(await backend.increment('count:key', 1, undefined, null)).toBe(42);
      expect(await backend.increment('count:key', 10, undefined, null)).toBe(52);
      await expectHeld('count:key', 52);
    });

    test('subtracts, also through zero', ['stores', 'increment'], async ({ backend, expect, expectHeld }) => {
      await backend.set('count:key', 10, LONG_MS);
      expect(await backend.increment('count:key', -10, undefined, null)).toBe(0);
      expect(await backend.increment('count:key', -10, undefined, null)).toBe(-10);
      expect(await backend.increment('count:key', 15, undefined, null)).toBe(5);
      await expectHeld('count:key', 5);
    });

    test('by zero answers what is there', ['stores', 'increment'], async ({ backend, expect }) => {
      await backend.set('count:key', -7, LONG_MS);
      expect(await backend.increment('count:key', 0, undefined, null)).toBe(-7);
    });

    test('never makes -0', ['stores', 'increment'], async ({ backend, expect, expectHeld }) => {
      await backend.set('count:key', -1, LONG_MS);
      expect(Object.is(await backend.increment('count:key', 1, undefined, null), 0)).toBe(true);
      expect(Object.is(await backend.increment('count:key', -0, undefined, null), 0)).toBe(true);
      expect(Object.is(await backend.increment('count:new', -0, -0, null), 0)).toBe(true);
      await expectHeld('count:key', 0);
      await expectHeld('count:new', 0);
    });

    test('goes on from what add stored', ['stores', 'increment', 'add'], async ({ backend, expect }) => {
      await backend.add('count:key', 7, LONG_MS);
      expect(await backend.increment('count:key', 1, undefined, null)).toBe(8);
    });

    test(
      'reaches the ends of the safe integers',
      ['stores', 'increment'],
      async ({ backend, expect, expectHeld }) => {
        await backend.set('count:high', MAX - 1, LONG_MS);
        await backend.set('count:low', 1 - MAX, LONG_MS);
        expect(await backend.increment('count:high', 1, undefined, null)).toBe(MAX);
        expect(await backend.increment('count:low', -1, undefined, null)).toBe(-MAX);
        await expectHeld('count:high', MAX);
        await expectHeld('count:low', -MAX);
      },
    );

    test('keeps the life', ['stores', 'increment'], async ({ backend, expectLife, expectHeld, outlive }) => {
      await backend.set('count:key', 1, LONG_MS);
      await backend.set('count:lasting', 1, null);
      await backend.set('count:short', 1, SHORT_MS * 5);
      for (const key of ['count:key', 'count:lasting']) await backend.increment(key, 1, 0, 2 * LONG_MS);
      await backend.increment('count:short', 1, undefined, LONG_MS);
      await expectLife('count:key', LONG_MS);
      await expectLife('count:lasting', null);
      await outlive(SHORT_MS * 5);
      await expectHeld('count:short', undefined);
    });
  });
}

function describeInitial({ describe, test }: Suite): void {
  describe('increment of an absent key', () => {
    test('without initial answers undefined', ['increment'], async ({ backend, expect, expectHeld }) => {
      expect(await backend.increment('count:absent', 1, undefined, LONG_MS)).toBe(undefined);
      expect(await backend.increment('count:absent', -1, undefined, null)).toBe(undefined);
      await expectHeld('count:absent', undefined);
    });

    test('starts at initial + delta', ['stores', 'increment'], async ({ backend, expect, expectHeld }) => {
      expect(await backend.increment('count:up', 5, 100, LONG_MS)).toBe(105);
      expect(await backend.increment('count:down', -5, 0, LONG_MS)).toBe(-5);
      await expectHeld('count:up', 105);
      await expectHeld('count:down', -5);
    });

    test(
      'takes the given life',
      ['stores', 'increment'],
      async ({ backend, expectLife, expectHeld, outlive }) => {
        await backend.increment('count:key', 1, 0, LONG_MS);
        await backend.increment('count:lasting', 1, 0, null);
        await backend.increment('count:short', 1, 0, SHORT_MS);
        await expectLife('count:key', LONG_MS);
        await expectLife('count:lasting', null);
        await outlive(SHORT_MS);
        await expectHeld('count:short', undefined);
      },
    );

    test('ignores initial from the second time on', ['stores', 'increment'], async ({ backend, expect }) => {
      expect(await backend.increment('count:key', 1, 10, LONG_MS)).toBe(11);
      expect(await backend.increment('count:key', 1, 10, LONG_MS)).toBe(12);
    });

    test(
      'never revives an expired one',
      ['stores', 'increment'],
      async ({ backend, expect, expectHeld, outlive }) => {
        await backend.set('count:key', 41, SHORT_MS);
        await outlive(SHORT_MS);
        expect(await backend.increment('count:key', 1, undefined, LONG_MS)).toBe(undefined);
        await expectHeld('count:key', undefined);
      },
    );

    test('starts anew where one has expired', ['stores', 'increment'], async (trial) => {
      const { backend, expect, expectHeld, expectLife, outlive } = trial;
      await backend.set('count:key', 41, SHORT_MS);
      await backend.set('count:bytes', bytes('41'), SHORT_MS);
      await outlive(SHORT_MS);
      expect(await backend.increment('count:key', 1, 0, LONG_MS)).toBe(1);
      expect(await backend.increment('count:bytes', 1, 0, LONG_MS)).toBe(1);
      await expectHeld('count:key', 1);
      await expectLife('count:key', LONG_MS);
    });

    test('starts anew after a delete', ['stores', 'increment'], async ({ backend, expect }) => {
      await backend.set('count:key', 41, LONG_MS);
      await backend.delete('count:key');
      expect(await backend.increment('count:key', 1, 0, LONG_MS)).toBe(1);
    });
  });
}

function describeRefusals({ describe, test }: Suite): void {
  describe('increment refuses', () => {
    for (const [what, payload] of [
      ['bytes', bytes('value')],
      ['bytes that spell an integer', bytes('5')],
      ['no bytes', new Uint8Array(0)],
    ] as const) {
      test(`${what} and leaves them`, ['stores', 'increment'], async (trial) => {
        const { backend, expect, expectHeld, expectLife, failureOf } = trial;
        await backend.set('count:key', payload, LONG_MS);
        const without = await failureOf(() => backend.increment('count:key', 1, undefined, null));
        const withInitial = await failureOf(() => backend.increment('count:key', 1, 0, null));
        expect([without, withInitial].map(codeOf)).toEqual(Array(2).fill('CACHING_NOT_A_NUMBER'));
        await expectHeld('count:key', payload);
        await expectLife('count:key', LONG_MS);
      });
    }

    for (const [what, held, delta] of [
      ['above the safe integers', MAX, 1],
      ['below the safe integers', -MAX, -1],
      ['far above', MAX, MAX],
    ] as const) {
      test(`to go ${what} and leaves the counter`, ['stores', 'increment'], async (trial) => {
        const { backend, expect, expectHeld, expectLife, failureOf } = trial;
        await backend.set('count:key', held, LONG_MS);
        const error = await failureOf(() => backend.increment('count:key', delta, undefined, null));
        expect(codeOf(error)).toBe('CACHING_NUMBER_OUT_OF_RANGE');
        await expectHeld('count:key', held);
        await expectLife('count:key', LONG_MS);
      });
    }

    test('to start out of range and starts nothing', ['stores', 'increment'], async (trial) => {
      const { backend, expect, expectHeld, failureOf } = trial;
      const error = await failureOf(() => backend.increment('count:key', 1, MAX, LONG_MS));
      expect(codeOf(error)).toBe('CACHING_NUMBER_OUT_OF_RANGE');
      await expectHeld('count:key', undefined);
    });
  });
}

function describeCountingAtOnce({ describe, test }: Suite): void {
  describe('increments at once', () => {
    test('add up', ['stores', 'increment'], async ({ backend, expect, expectHeld }) => {
      await backend.set('count:key', 0, LONG_MS);
      const sums = await atOnce(100, () => backend.increment('count:key', 1, undefined, null));
      expect(sums.map(Number).sort((a, b) => a - b)).toEqual(range(100, 1));
      await expectHeld('count:key', 100);
    });

    test('start one counter', ['stores', 'increment'], async ({ backend, expect, expectHeld }) => {
      const sums = await atOnce(100, () => backend.increment('count:key', 1, 0, LONG_MS));
      expect(sums.map(Number).sort((a, b) => a - b)).toEqual(range(100, 1));
      await expectHeld('count:key', 100);
    });

    test('up and down cancel out', ['stores', 'increment'], async ({ backend, expectHeld }) => {
      await backend.set('count:key', 7, LONG_MS);
      await atOnce(100, (n) => backend.increment('count:key', n % 2 === 0 ? 3 : -3, undefined, null));
      await expectHeld('count:key', 7);
    });

    test(
      'add up over two instances',
      ['stores', 'shared atomicity'],
      async ({ backend, other, expect, expectHeld }) => {
        const sums = await atOnce(100, (n) =>
          (n % 2 === 0 ? backend : other).increment('count:key', 1, 0, LONG_MS),
        );
        expect(sums.map(Number).sort((a, b) => a - b)).toEqual(range(100, 1));
        await expectHeld('count:key', 100);
      },
    );
  });
}
