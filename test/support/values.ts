/** A value that every cache has to give back as it was, of the same types, whatever the backend. */
export interface SampleValue {
  readonly name: string;
  /** A new one each time. */
  readonly make: () => unknown;
  /** Whether JSON alone carries it. */
  readonly isPlainJson?: true;
  readonly hasBinary?: true;
}

const PLAIN: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  true: () => true,
  false: () => false,
  zero: () => 0,
  'a negative integer': () => -42,
  'a fraction': () => 0.1 + 0.2,
  'the largest safe integer': () => Number.MAX_SAFE_INTEGER,
  'the largest number': () => Number.MAX_VALUE,
  'the smallest number': () => Number.MIN_VALUE,
  'the empty string': () => '',
  'a string': () => 'hello',
  'a string that begins with the mark of the codec': () => '~u',
  'the mark of the codec in an object': () => ({ a: '~', b: '~~', c: '~d0', '~u': '~n' }),
  'the marks of containers as items': () => [
    ['~m', 1, 2],
    ['~s'],
    ['~o', {}],
    ['~v', 'Buffer', 1],
    ['~=', {}],
    ['~a', 1],
  ],
  'a string of umlauts': () => 'Äöü ß ñ é',
  'a string of emoji': () => '👩‍👩‍👧‍👦 🇩🇪 𝒳',
  'a string of NUL and controls': () => '\u0000\u0001\b\f\n\r\t\u001f\u007f\u2028\u2029\ufeff',
  'a byte order mark in front': () => '\ufeffx',
  'a lone high surrogate': () => 'a\ud800b',
  'a lone low surrogate at the end': () => 'a\udc00',
  'reversed surrogates': () => '\udc00\ud800',
  'a lone surrogate as a key': () => ({ 'a\ud800': 1, '\udfff': 'x\udbff' }),
  'a string of a megabyte': () => 'aé€𝒳'.repeat(100_000),
  'an empty object': () => ({}),
  'an empty array': () => [],
  'nested objects and arrays': () => ({ a: [{ b: [1, 'x', null, { c: [[]] }] }], d: { e: { f: false } } }),
  rows: () =>
    Array.from({ length: 50 }, (_, id) => ({
      id,
      name: `row ${id}`,
      price: id * 1.1,
      tags: ['a', 'b'],
      parent: null,
    })),
  'a row of many fields': () =>
    Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`field ${index}`, index])),
  'keys like indexes': () => ({ 10: 'a', 2: 'b', x: 'c', '-1': 'd', '01': 'e', 4294967295: 'f' }),
  'an empty key': () => ({ '': 1 }),
  'an own key __proto__': () =>
    JSON.parse('{"__proto__":{"polluted":true},"a":{"__proto__":null,"b":["__proto__"]}}') as unknown,
  'own keys of Object.prototype': () => ({
    constructor: 'c',
    toString: 1,
    hasOwnProperty: [2],
    valueOf: null,
    prototype: {},
  }),
  'a toJSON that is data': () => ({ toJSON: 'data', nested: [{ toJSON: { x: 1 } }] }),
  'an own key then': () => ({ then: 1 }),
  '500 levels of arrays': () => nest(500, (inner) => [inner]),
  '500 levels of objects': () => nest(500, (inner) => ({ inner })),
};

const EXTENDED: Readonly<Record<string, () => unknown>> = {
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  '-0': () => -0,
  'special numbers in containers': () => ({
    a: [Number.NaN, -0, 0, Number.POSITIVE_INFINITY],
    b: -0,
    c: Number.NEGATIVE_INFINITY,
  }),
  'nested undefined': () => ({ a: undefined, b: [undefined, null, 1, undefined] }),
  bigints: () => [0n, 1n, -1n, 255n, -256n, 2n ** 64n, -(2n ** 200n), { big: 10n ** 40n }],
  'a top-level bigint': () => 123456789012345678901234567890n,
  'a Date': () => new Date('2024-02-29T12:34:56.789Z'),
  'Dates at the ends': () => [new Date(8.64e15), new Date(-8.64e15), new Date(0), new Date(-1)],
  'an invalid Date': () => ({ when: new Date(Number.NaN) }),
  'the same Date twice': () => {
    const now = new Date(1_700_000_000_000);
    return { createdAt: now, updatedAt: now };
  },
  'an empty Map and an empty Set': () => ({ map: new Map(), set: new Set() }),
  'a Map': () =>
    new Map<unknown, unknown>([
      ['a', 1],
      [1, 'a'],
      [Number.NaN, null],
      [null, undefined],
      [undefined, 1n],
      ['~m', '~s'],
    ]),
  'a Map of Maps with objects as keys': () => new Map([[{ id: 1 }, new Map([[[1], new Set([{}])]])]]),
  'a Set': () =>
    new Set<unknown>(['~s', '~', 1, '1', Number.NaN, undefined, null, new Date(5), [1], new Set([2n])]),
  'an array with holes': () => withItems(5, { 1: 'a', 3: undefined }),
  'an array of holes': () => withItems(3, {}),
  'an array of a billion holes': () => withItems(4_294_967_295, { 7: { a: [1] }, 4294967294: -0 }),
  'an object without a prototype': () => bare({ a: 1, b: bare({}), c: [bare({ '~o': '~o' })] }),
  'an object without a prototype with an own __proto__': () =>
    bare(JSON.parse('{"__proto__":{"x":1},"y":[1]}') as object),
  'a __proto__ that is replaced on the way': () =>
    JSON.parse('{"__proto__":[1]}', (_, item: unknown) => (item === 1 ? new Date(1) : item)) as unknown,
  'one object in several places': () => {
    const shared = { a: [1], when: new Date(3) };
    return {
      first: shared,
      list: [shared, shared],
      map: new Map([[shared, shared]]),
      inner: { again: shared.a },
    };
  },
  'one object without a prototype in several places': () => {
    const shared = bare({ a: bare({}) });
    return [shared, shared, [shared]];
  },
};

const BINARY: Readonly<Record<string, () => unknown>> = {
  'a Buffer': () => Buffer.from([0, 1, 127, 128, 255]),
  'an empty Buffer': () => Buffer.alloc(0),
  'a Buffer of 100 kB': () => Buffer.alloc(100_000, 'öx'),
  'a part of a Buffer': () => Buffer.from('hello world').subarray(3, 8),
  'a Uint8Array': () => new Uint8Array([1, 2, 255]),
  'typed arrays': () => [
    new Uint8ClampedArray([1, 255]),
    new Int8Array([-128, 127]),
    new Uint16Array([0, 65535]),
    new Int16Array([-32768]),
    new Uint32Array([4294967295]),
    new Int32Array([-1, 1]),
    new BigUint64Array([2n ** 64n - 1n]),
    new BigInt64Array([-(2n ** 63n)]),
    new Float32Array([1.5, Number.NaN, -0]),
    new Float64Array([Math.PI, Number.NEGATIVE_INFINITY]),
    new Float64Array([]),
  ],
  'a typed array at an offset': () =>
    new Uint32Array(new Uint8Array([9, 9, 9, 9, 1, 0, 0, 0, 2, 0, 0, 0]).buffer, 4, 2),
  'an ArrayBuffer': () => new Uint8Array([1, 2, 3]).buffer,
  'a DataView': () => new DataView(new Uint8Array([1, 2, 3, 4, 5]).buffer, 1, 3),
  'a page': () => ({ status: 200, headers: [['content-type', 'text/html']], body: Buffer.from('<p>ä</p>') }),
  'binary in all containers': () => ({
    map: new Map([['a', Buffer.from('a')]]),
    set: new Set([new Uint8Array([1])]),
    deep: bare({ list: [[new Float64Array([1])], new Date(1)] }),
  }),
  'one Buffer in several places': () => {
    const shared = Buffer.from('shared');
    return [shared, { shared }, new Map([['x', [shared]]])];
  },
};

/** Everything that a cache keeps, for the suites of the engine and of the backends. */
export const SAMPLE_VALUES: readonly SampleValue[] = [
  ...Object.entries(PLAIN).map(([name, make]) => ({ name, make, isPlainJson: true as const })),
  ...Object.entries(EXTENDED).map(([name, make]) => ({ name, make })),
  ...Object.entries(BINARY).map(([name, make]) => ({ name, make, hasBinary: true as const })),
];

/** A value with so many levels below the outermost. */
export function nest(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = wrap('bottom');
  for (let level = 0; level < levels; level++) value = wrap(value);
  return value;
}

/** An object without a prototype. */
export function bare(fields: object): object {
  return { __proto__: null, ...fields };
}

function withItems(length: number, items: Readonly<Record<number, unknown>>): unknown[] {
  // With its highest index set once, an array is a dictionary: no length takes memory.
  const array: unknown[] = [];
  array[4_294_967_294] = undefined;
  delete array[4_294_967_294];
  array.length = length;
  for (const [index, item] of Object.entries(items)) array[Number(index)] = item;
  return array;
}
