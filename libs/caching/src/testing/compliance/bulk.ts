import type { Suite } from './suite.js';
import { bytes, LONG_MS, range, SHORT_MS, show } from './trial.js';

/** Many keys at a time. */
export function describeBulk(suite: Suite): void {
  describeGetMany(suite);
  describeSetMany(suite);
  describeDeleteMany(suite);
  describeLargeBatches(suite);
}

function describeGetMany({ describe, test }: Suite): void {
  describe('getMany', () => {
    test('keeps the order of the keys', ['stores', 'getMany'], async ({ backend, expect }) => {
      await backend.set('bulk:a', 1, LONG_MS);
      await backend.set('bulk:b', bytes('b'), null);
      await backend.set('bulk:c', new Uint8Array(0), LONG_MS);
      const held = await backend.getMany(['bulk:c', 'bulk:absent', 'bulk:a', 'bulk:b']);
      expect(held.map(show)).toEqual([new Uint8Array(0), undefined, 1, bytes('b')].map(show));
    });

    test('answers a repeated key each time', ['stores', 'getMany'], async ({ backend, expect }) => {
      await backend.set('bulk:a', 1, LONG_MS);
      await backend.set('bulk:b', 2, LONG_MS);
      const keys = ['bulk:a', 'bulk:b', 'bulk:a', 'bulk:absent', 'bulk:a', 'bulk:absent'];
      expect(await backend.getMany(keys)).toEqual([1, 2, 1, undefined, 1, undefined]);
    });

    test('of no keys answers nothing', ['getMany'], async ({ backend, expect }) => {
      expect(await backend.getMany([])).toEqual([]);
    });

    test('of absent keys answers undefined for each', ['getMany'], async ({ backend, expect }) => {
      expect(await backend.getMany(['bulk:x', 'bulk:y'])).toEqual([undefined, undefined]);
    });

    test('leaves out what has expired', ['stores', 'getMany'], async ({ backend, expect, outlive }) => {
      await backend.set('bulk:a', 1, SHORT_MS);
      await backend.set('bulk:b', 2, LONG_MS);
      await outlive(SHORT_MS);
      expect(await backend.getMany(['bulk:a', 'bulk:b'])).toEqual([undefined, 2]);
    });

    test('keeps keys apart that look alike', ['stores', 'getMany'], async ({ backend, expect }) => {
      const keys = ['k', 'K', '__proto__', 'constructor', '1', '01', 'k*', 'k%'];
      for (const [index, key] of keys.entries()) await backend.set(key, index, LONG_MS);
      expect(await backend.getMany(keys)).toEqual(range(keys.length));
    });
  });
}

function describeSetMany({ describe, test }: Suite): void {
  describe('setMany', () => {
    test('stores all, each with its own life', ['stores', 'setMany'], async (trial) => {
      const { backend, expect, expectHeld, expectLife } = trial;
      const refused = await backend.setMany([
        { key: 'bulk:a', payload: 1, ttlMs: LONG_MS },
        { key: 'bulk:b', payload: bytes('b'), ttlMs: null },
        { key: 'bulk:c', payload: new Uint8Array(0), ttlMs: 2 * LONG_MS },
      ]);
      expect(refused).toEqual([]);
      await expectHeld('bulk:a', 1);
      await expectHeld('bulk:b', bytes('b'));
      await expectHeld('bulk:c', new Uint8Array(0));
      await expectLife('bulk:a', LONG_MS);
      await expectLife('bulk:b', null);
      expect(await backend.ttl('bulk:c')).toBeGreaterThan(LONG_MS);
    });

    test(
      'replaces payloads and lives',
      ['stores', 'setMany'],
      async ({ backend, expectHeld, expectLife, outlive }) => {
        await backend.set('bulk:a', 1, null);
        await backend.set('bulk:b', bytes('b'), SHORT_MS);
        await backend.setMany([
          { key: 'bulk:a', payload: bytes('a'), ttlMs: SHORT_MS },
          { key: 'bulk:b', payload: 2, ttlMs: null },
        ]);
        await outlive(SHORT_MS);
        await expectHeld('bulk:a', undefined);
        await expectHeld('bulk:b', 2);
        await expectLife('bulk:b', null);
      },
    );

    test('of nothing refuses nothing', ['setMany'], async ({ backend, expect }) => {
      expect(await backend.setMany([])).toEqual([]);
    });

    test(
      'keeps the last write of a repeated key',
      ['stores', 'setMany'],
      async ({ backend, expect, expectHeld }) => {
        const writes = [1, 2, 3].map((payload) => ({ key: 'bulk:a', payload, ttlMs: LONG_MS }));
        expect(await backend.setMany(writes)).toEqual([]);
        await expectHeld('bulk:a', 3);
      },
    );
  });
}

function describeDeleteMany({ describe, test }: Suite): void {
  describe('deleteMany', () => {
    test(
      'removes all and counts those present',
      ['stores', 'deleteMany'],
      async ({ backend, expect, expectHeld }) => {
        for (const key of ['bulk:a', 'bulk:b', 'bulk:c']) await backend.set(key, 1, LONG_MS);
        expect(await backend.deleteMany(['bulk:a', 'bulk:absent', 'bulk:c'])).toBe(2);
        await expectHeld('bulk:a', undefined);
        await expectHeld('bulk:b', 1);
        await expectHeld('bulk:c', undefined);
      },
    );

    test('counts a repeated key once', ['stores', 'deleteMany'], async ({ backend, expect }) => {
      await backend.set('bulk:a', 1, LONG_MS);
      expect(await backend.deleteMany(['bulk:a', 'bulk:a', 'bulk:a'])).toBe(1);
    });

    test('of no keys counts none', ['deleteMany'], async ({ backend, expect }) => {
      expect(await backend.deleteMany([])).toBe(0);
    });

    test(
      'does not count what has expired',
      ['stores', 'deleteMany'],
      async ({ backend, expect, outlive }) => {
        await backend.set('bulk:a', 1, SHORT_MS);
        await backend.set('bulk:b', 1, null);
        await outlive(SHORT_MS);
        expect(await backend.deleteMany(['bulk:a', 'bulk:b'])).toBe(1);
      },
    );
  });
}

function describeLargeBatches({ describe, test }: Suite): void {
  const keys = range(2_000).map((n) => `batch:${n}`);
  const writes = keys.map((key, n) => ({
    key,
    payload: n % 2 === 0 ? n : bytes(`payload ${n}`),
    ttlMs: LONG_MS,
  }));

  describe('a batch of 2,000 keys', () => {
    test('is written and read whole', ['stores', 'setMany', 'getMany'], async ({ backend, expect }) => {
      expect(await backend.setMany(writes)).toEqual([]);
      const held = await backend.getMany([...keys, 'batch:absent']);
      expect(held.map(show)).toEqual([...writes.map(({ payload }) => show(payload)), show(undefined)]);
    });

    test('is removed whole', ['stores', 'setMany', 'deleteMany', 'getMany'], async ({ backend, expect }) => {
      await backend.setMany(writes);
      expect(await backend.deleteMany(keys)).toBe(2_000);
      expect((await backend.getMany(keys)).filter((payload) => payload !== undefined)).toEqual([]);
    });
  });
}
