import type { Suite } from './suite.js';
import { bytes, LONG_MS, SHORT_MS } from './trial.js';

/** `add` and the compare-and-set pair. */
export function describeAtomic(suite: Suite): void {
  describeAdd(suite);
  describeCompareAndSet(suite);
  describeCompareAndDelete(suite);
}

function describeAdd({ describe, test }: Suite): void {
  describe('add', () => {
    test(
      'stores where the key is absent',
      ['stores', 'add'],
      async ({ backend, expect, expectHeld, expectLife }) => {
        expect(await backend.add('add:key', bytes('value'), LONG_MS)).toBe(true);
        expect(await backend.add('add:lasting', 5, null)).toBe(true);
        await expectHeld('add:key', bytes('value'));
        await expectLife('add:key', LONG_MS);
        await expectHeld('add:lasting', 5);
        await expectLife('add:lasting', null);
      },
    );

    test(
      'leaves a present key and its life',
      ['stores', 'add'],
      async ({ backend, expect, expectHeld, expectLife }) => {
        await backend.set('add:key', bytes('first'), LONG_MS);
        await backend.set('add:lasting', 1, null);
        expect(await backend.add('add:key', bytes('second'), null)).toBe(false);
        expect(await backend.add('add:lasting', 2, LONG_MS)).toBe(false);
        await expectHeld('add:key', bytes('first'));
        await expectLife('add:key', LONG_MS);
        await expectHeld('add:lasting', 1);
        await expectLife('add:lasting', null);
      },
    );

    test('takes empty bytes and zero for present', ['stores', 'add'], async ({ backend, expect }) => {
      await backend.set('add:empty', new Uint8Array(0), LONG_MS);
      await backend.set('add:zero', 0, LONG_MS);
      expect(await backend.add('add:empty', 1, LONG_MS)).toBe(false);
      expect(await backend.add('add:zero', 1, LONG_MS)).toBe(false);
    });

    test(
      'stores where one has expired',
      ['stores', 'add'],
      async ({ backend, expect, expectHeld, expectLife, outlive }) => {
        await backend.set('add:key', bytes('old'), SHORT_MS);
        await outlive(SHORT_MS);
        expect(await backend.add('add:key', 2, LONG_MS)).toBe(true);
        await expectHeld('add:key', 2);
        await expectLife('add:key', LONG_MS);
      },
    );

    test('stores after a delete', ['stores', 'add'], async ({ backend, expect, expectHeld }) => {
      await backend.set('add:key', 1, null);
      await backend.delete('add:key');
      expect(await backend.add('add:key', 2, null)).toBe(true);
      await expectHeld('add:key', 2);
    });

    test(
      'stores with a life that ends',
      ['stores', 'add'],
      async ({ backend, expect, expectHeld, outlive }) => {
        expect(await backend.add('add:key', 1, SHORT_MS)).toBe(true);
        await outlive(SHORT_MS);
        await expectHeld('add:key', undefined);
      },
    );
  });
}

function describeCompareAndSet({ describe, test }: Suite): void {
  describe('compareAndSet', () => {
    test('replaces what is as expected', ['stores', 'compareAndSet'], async (trial) => {
      const { backend, expect, expectHeld, expectLife } = trial;
      await backend.set('cas:bytes', bytes('old'), null);
      await backend.set('cas:integer', -5, LONG_MS);
      await backend.set('cas:empty', new Uint8Array(0), LONG_MS);
      expect(await backend.compareAndSet('cas:bytes', bytes('old'), bytes('new'), LONG_MS)).toBe(true);
      expect(await backend.compareAndSet('cas:integer', -5, bytes('new'), null)).toBe(true);
      expect(await backend.compareAndSet('cas:empty', new Uint8Array(0), 1, LONG_MS)).toBe(true);
      await expectHeld('cas:bytes', bytes('new'));
      await expectLife('cas:bytes', LONG_MS);
      await expectHeld('cas:integer', bytes('new'));
      await expectLife('cas:integer', null);
      await expectHeld('cas:empty', 1);
    });

    test('replaces with the same payload and a new life', ['stores', 'compareAndSet'], async (trial) => {
      const { backend, expect, expectHeld } = trial;
      await backend.set('cas:key', bytes('same'), LONG_MS);
      expect(await backend.compareAndSet('cas:key', bytes('same'), bytes('same'), 2 * LONG_MS)).toBe(true);
      await expectHeld('cas:key', bytes('same'));
      const rest = await backend.ttl('cas:key');
      expect(rest).toBeGreaterThan(LONG_MS);
    });

    test('leaves what is not as expected', ['stores', 'compareAndSet'], async (trial) => {
      const { backend, expect, expectHeld, expectLife } = trial;
      await backend.set('cas:key', bytes('other'), LONG_MS);
      for (const expected of [
        bytes('old'),
        bytes('othe'),
        bytes('others'),
        bytes('Other'),
        new Uint8Array(0),
        0,
        1,
      ]) {
        expect(await backend.compareAndSet('cas:key', expected, bytes('new'), null)).toBe(false);
      }
      await expectHeld('cas:key', bytes('other'));
      await expectLife('cas:key', LONG_MS);
    });

    test(
      'tells an integer from its digits',
      ['stores', 'compareAndSet'],
      async ({ backend, expect, expectHeld }) => {
        await backend.set('cas:integer', 5, LONG_MS);
        await backend.set('cas:bytes', bytes('5'), LONG_MS);
        expect(await backend.compareAndSet('cas:integer', bytes('5'), 6, LONG_MS)).toBe(false);
        expect(await backend.compareAndSet('cas:bytes', 5, 6, LONG_MS)).toBe(false);
        await expectHeld('cas:integer', 5);
        await expectHeld('cas:bytes', bytes('5'));
      },
    );

    test('tells large integers apart', ['stores', 'compareAndSet'], async ({ backend, expect }) => {
      await backend.set('cas:key', Number.MAX_SAFE_INTEGER, LONG_MS);
      expect(await backend.compareAndSet('cas:key', Number.MAX_SAFE_INTEGER - 1, 1, LONG_MS)).toBe(false);
      expect(await backend.compareAndSet('cas:key', Number.MAX_SAFE_INTEGER, 1, LONG_MS)).toBe(true);
    });

    test(
      'does nothing where the key is absent',
      ['stores', 'compareAndSet'],
      async ({ backend, expect, expectHeld }) => {
        for (const expected of [bytes('old'), new Uint8Array(0), 0]) {
          expect(await backend.compareAndSet('cas:absent', expected, bytes('new'), LONG_MS)).toBe(false);
        }
        await expectHeld('cas:absent', undefined);
      },
    );

    test('never revives', ['stores', 'compareAndSet'], async ({ backend, expect, expectHeld, outlive }) => {
      await backend.set('cas:key', bytes('old'), SHORT_MS);
      await outlive(SHORT_MS);
      expect(await backend.compareAndSet('cas:key', bytes('old'), bytes('new'), LONG_MS)).toBe(false);
      await expectHeld('cas:key', undefined);
    });
  });
}

function describeCompareAndDelete({ describe, test }: Suite): void {
  describe('compareAndDelete', () => {
    test(
      'removes what is as expected',
      ['stores', 'compareAndDelete'],
      async ({ backend, expect, expectHeld }) => {
        await backend.set('cad:bytes', bytes('old'), LONG_MS);
        await backend.set('cad:integer', 5, null);
        await backend.set('cad:empty', new Uint8Array(0), null);
        expect(await backend.compareAndDelete('cad:bytes', bytes('old'))).toBe(true);
        expect(await backend.compareAndDelete('cad:integer', 5)).toBe(true);
        expect(await backend.compareAndDelete('cad:empty', new Uint8Array(0))).toBe(true);
        for (const key of ['cad:bytes', 'cad:integer', 'cad:empty']) await expectHeld(key, undefined);
      },
    );

    test(
      'leaves what is not as expected',
      ['stores', 'compareAndDelete'],
      async ({ backend, expect, expectHeld }) => {
        await backend.set('cad:bytes', bytes('5'), LONG_MS);
        await backend.set('cad:integer', 5, null);
        expect(await backend.compareAndDelete('cad:bytes', 5)).toBe(false);
        expect(await backend.compareAndDelete('cad:bytes', bytes('50'))).toBe(false);
        expect(await backend.compareAndDelete('cad:integer', bytes('5'))).toBe(false);
        expect(await backend.compareAndDelete('cad:integer', 6)).toBe(false);
        await expectHeld('cad:bytes', bytes('5'));
        await expectHeld('cad:integer', 5);
      },
    );

    test('is false where the key is absent', ['compareAndDelete'], async ({ backend, expect }) => {
      expect(await backend.compareAndDelete('cad:absent', bytes('old'))).toBe(false);
      expect(await backend.compareAndDelete('cad:absent', new Uint8Array(0))).toBe(false);
    });

    test(
      'is false where the key has expired',
      ['stores', 'compareAndDelete'],
      async ({ backend, expect, outlive }) => {
        await backend.set('cad:key', bytes('old'), SHORT_MS);
        await outlive(SHORT_MS);
        expect(await backend.compareAndDelete('cad:key', bytes('old'))).toBe(false);
      },
    );
  });
}
