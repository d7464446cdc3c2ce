import type { Suite } from './suite.js';
import { bytes, LONG_MS, range, show } from './trial.js';

/** A payload comes back as it was. */
export function describePayloads(suite: Suite): void {
  describeBytes(suite);
  describeIntegers(suite);
  describeHeldObjects(suite);
}

function describeBytes({ describe, test }: Suite): void {
  const cases: [string, Uint8Array][] = [
    ['no bytes', new Uint8Array(0)],
    ['one zero byte', new Uint8Array(1)],
    ['each of the 256 bytes', Uint8Array.from(range(256))],
    ['line ends and protocol words', bytes('\r\nEND\r\nVALUE x 0 1\r\n$-1\r\n\0')],
    ['text outside ASCII', bytes('Straße 中文 🙂 é')],
    ['bytes that are not UTF-8', Uint8Array.of(0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80)],
    ['bytes that spell an integer', bytes('5')],
    ['bytes that spell a negative integer', bytes('-12')],
    ['bytes that spell a large integer', bytes('9007199254740991')],
    ['bytes that spell JSON', bytes('{"value":"5","expires":null}')],
    ['bytes that spell null', bytes('null')],
    ['compressed bytes', Uint8Array.of(0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3, 3, 0)],
    ['a megabyte', Uint8Array.from({ length: 1_000_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff)],
  ];

  describe('bytes', () => {
    for (const [what, payload] of cases) {
      test(`come back as they were: ${what}`, ['stores'], async ({ backend, expectHeld }) => {
        await backend.set('bytes:key', payload, LONG_MS);
        await expectHeld('bytes:key', payload);
      });
    }

    test('are taken from a view into a larger buffer', ['stores'], async ({ backend, expectHeld }) => {
      const buffer = Uint8Array.from(range(100));
      await backend.set('bytes:view', buffer.subarray(10, 20), LONG_MS);
      await expectHeld('bytes:view', Uint8Array.from(range(10, 10)));
    });

    test('are taken from a Buffer', ['stores'], async ({ backend, expectHeld }) => {
      await backend.set('bytes:buffer', Buffer.from('pooled'), LONG_MS);
      await expectHeld('bytes:buffer', bytes('pooled'));
    });

    test('do not change with the buffer of the caller', ['stores'], async ({ backend, expectHeld }) => {
      const buffer = bytes('before');
      await backend.set('bytes:reused', buffer, LONG_MS);
      buffer.fill(0);
      await expectHeld('bytes:reused', bytes('before'));
    });

    test('are Uint8Arrays', ['stores'], async ({ backend, expect }) => {
      await backend.set('bytes:type', bytes('5'), LONG_MS);
      expect((await backend.get('bytes:type')) instanceof Uint8Array).toBe(true);
    });
  });
}

function describeIntegers({ describe, test }: Suite): void {
  const integers = [0, 1, -1, 42, -300, 255, 256, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 32, 10 ** 15];

  describe('integers', () => {
    for (const integer of [...integers, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) {
      test(`come back as numbers: ${integer}`, ['stores'], async ({ backend, expectHeld }) => {
        await backend.set('integer:key', integer, LONG_MS);
        await expectHeld('integer:key', integer);
      });
    }

    test('differ from the bytes that spell them', ['stores'], async ({ backend, expect }) => {
      await backend.set('integer:number', 5, LONG_MS);
      await backend.set('integer:bytes', bytes('5'), LONG_MS);
      const both = [await backend.get('integer:number'), await backend.get('integer:bytes')];
      expect(both.map(show)).toEqual([show(5), show(bytes('5'))]);
    });
  });
}

function describeHeldObjects({ describe, test }: Suite): void {
  const held = Object.freeze({ size: 10, value: Object.freeze({ deep: true }) });

  describe('held objects', () => {
    test('come back as the same object', ['stores', 'holds objects'], async ({ backend, expect }) => {
      await backend.set('held:key', held, LONG_MS);
      expect((await backend.get('held:key')) === held).toBe(true);
    });

    test(
      'come back from a bulk read as the same object',
      ['stores', 'holds objects', 'getMany'],
      async (trial) => {
        const { backend, expect } = trial;
        await backend.set('held:key', held, LONG_MS);
        expect((await backend.getMany(['held:key']))[0] === held).toBe(true);
      },
    );

    test(
      'are compared by identity',
      ['stores', 'holds objects', 'compareAndSet', 'compareAndDelete'],
      async (trial) => {
        const { backend, expect } = trial;
        const twin = { ...held };
        await backend.set('held:key', held, LONG_MS);
        expect(await backend.compareAndSet('held:key', twin, 1, null)).toBe(false);
        expect(await backend.compareAndDelete('held:key', twin)).toBe(false);
        expect(await backend.compareAndSet('held:key', held, twin, null)).toBe(true);
        expect(await backend.compareAndDelete('held:key', twin)).toBe(true);
      },
    );
  });
}
