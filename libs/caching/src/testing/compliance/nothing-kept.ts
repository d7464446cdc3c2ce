import type { Suite } from './suite.js';
import { bytes, codeOf, LONG_MS } from './trial.js';

/** A backend that declares that it keeps nothing: every write succeeds and every key is absent. */
export function describeNothingKept({ describe, test }: Suite): void {
  describe('a backend that stores nothing', () => {
    test('forgets what was set', ['stores nothing'], async ({ backend, expect }) => {
      await backend.set('null:key', bytes('value'), LONG_MS);
      await backend.set('null:key', 5, null);
      expect(await backend.get('null:key')).toBe(undefined);
      expect(await backend.ttl('null:key')).toBe(undefined);
      expect(await backend.delete('null:key')).toBe(false);
    });

    test('answers add with true each time', ['stores nothing', 'add'], async ({ backend, expect }) => {
      expect(await backend.add('null:key', 1, LONG_MS)).toBe(true);
      expect(await backend.add('null:key', 1, LONG_MS)).toBe(true);
      expect(await backend.get('null:key')).toBe(undefined);
    });

    test('has no counter to go on from', ['stores nothing', 'increment'], async ({ backend, expect }) => {
      await backend.set('null:key', 41, LONG_MS);
      expect(await backend.increment('null:key', 1, undefined, null)).toBe(undefined);
      expect(await backend.increment('null:key', -1, undefined, null)).toBe(undefined);
    });

    test(
      'starts a counter anew each time',
      ['stores nothing', 'increment'],
      async ({ backend, expect, failureOf }) => {
        expect(await backend.increment('null:key', 2, 10, LONG_MS)).toBe(12);
        expect(await backend.increment('null:key', 2, 10, LONG_MS)).toBe(12);
        const error = await failureOf(() => backend.increment('null:key', 1, Number.MAX_SAFE_INTEGER, null));
        expect(codeOf(error)).toBe('CACHING_NUMBER_OUT_OF_RANGE');
      },
    );

    test('touches nothing', ['stores nothing', 'touch'], async ({ backend, expect }) => {
      await backend.set('null:key', 1, LONG_MS);
      expect(await backend.touch('null:key', LONG_MS)).toBe(false);
      expect(await backend.touch('null:key', null)).toBe(false);
    });

    test(
      'finds nothing as expected',
      ['stores nothing', 'compareAndSet', 'compareAndDelete'],
      async (trial) => {
        const { backend, expect } = trial;
        await backend.set('null:key', 1, LONG_MS);
        expect(await backend.compareAndSet('null:key', 1, 2, null)).toBe(false);
        expect(await backend.compareAndDelete('null:key', 1)).toBe(false);
      },
    );

    test(
      'refuses and finds nothing in bulk',
      ['stores nothing', 'getMany', 'setMany', 'deleteMany'],
      async (trial) => {
        const { backend, expect } = trial;
        expect(await backend.setMany([{ key: 'null:a', payload: 1, ttlMs: null }])).toEqual([]);
        expect(await backend.getMany(['null:a', 'null:b'])).toEqual([undefined, undefined]);
        expect(await backend.deleteMany(['null:a'])).toBe(0);
      },
    );

    test('clears nothing without complaint', ['stores nothing'], async ({ backend, expect }) => {
      await backend.set('null:key', 1, LONG_MS);
      expect(await backend.clear('null:')).toBe(undefined);
    });
  });
}
