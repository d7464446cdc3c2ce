import { isDeepStrictEqual } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { cacheKey, InvalidArgumentError, UnencodableArgumentError } from 'nestjs-caching';

class User {
  constructor(readonly id: number) {}
}

describe('cacheKey', () => {
  it.each<[unknown[], string]>([
    [[], 'product()'],
    [[42, 'de'], 'product(42,"de")'],
    [[{ b: 2, a: [1, null] }], 'product({"a":[1,null],"b":2})'],
    [[new Date(0), 1n, -0, undefined], 'product(Date<0>,1n,-0,undefined)'],
    [[new Map([['a', 1]]), new Set([1])], 'product(Map{"a":1},Set[1])'],
    [[Buffer.from('hi'), new Uint8Array([1])], 'product(Buffer<aGk=>,Uint8Array<AQ==>)'],
  ])('writes %p as %s', (args, key) => {
    expect(cacheKey('product', ...args)).toBe(key);
  });

  it('keeps apart what is not the same', () => {
    const lists: unknown[][] = [
      [],
      [undefined],
      [null],
      ['null'],
      ['undefined'],
      [1],
      ['1'],
      [1n],
      ['1n'],
      [true],
      ['true'],
      [0],
      [-0],
      [NaN],
      ['NaN'],
      [Infinity],
      [-Infinity],
      [''],
      [[]],
      [{}],
      [new Map()],
      [new Set()],
      ['a', 'b'],
      ['a,b'],
      ['a","b'],
      [['a', 'b']],
      [['a'], 'b'],
      [['a', ['b']]],
      [[undefined]],
      [[null]],
      [{ a: undefined }],
      [{ a: null }],
      [{ a: 1, b: 2 }],
      [{ a: { a: 1, b: 2 } }],
      [{ 'a":1,"b': 2 }],
      [new Map([['a', 1]])],
      [new Map([['a', '1']])],
      [{ a: 1 }],
      [new Set([['a', 1]])],
      [new Set(['a', 1])],
      [new Date(0)],
      [new Date(NaN)],
      ['1970-01-01T00:00:00.000Z'],
      ['Date<0>'],
      [Buffer.from('a')],
      [new Uint8Array([97])],
      [new Int8Array([97])],
      [new Uint8Array([97]).buffer],
      ['\ud800'],
      ['\udfff'],
      ['\\ud800'],
    ];
    expect(new Set(lists.map((list) => cacheKey('name', ...list))).size).toBe(lists.length);
  });

  it('does not go by the order of properties, of the entries of a Map and of a Set', () => {
    expect(cacheKey('n', { a: 1, b: { c: 2, d: 3 } })).toBe(cacheKey('n', { b: { d: 3, c: 2 }, a: 1 }));
    expect(
      cacheKey(
        'n',
        new Map<unknown, unknown>([
          ['a', 1],
          [{ k: 1 }, 2],
        ]),
      ),
    ).toBe(
      cacheKey(
        'n',
        new Map<unknown, unknown>([
          [{ k: 1 }, 2],
          ['a', 1],
        ]),
      ),
    );
    expect(cacheKey('n', new Set([1, 2]))).toBe(cacheKey('n', new Set([2, 1])));
    expect(cacheKey('n', [1, 2])).not.toBe(cacheKey('n', [2, 1]));
  });

  it('gives one key to two lists exactly if they are deeply equal', () => {
    const value = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: false,
      withSparseArray: false,
      withTypedArray: true,
      key: fc.constantFrom('a', 'b', '"', ',', ':', '}'),
      values: [
        fc.constantFrom<unknown>('', 'a', 'b', '"', ',', '1', 'null', 'undefined', '-0', '1n', 'a","b'),
        fc.constantFrom<unknown>(0, -0, 1, NaN, Infinity, null, undefined, true, false, 1n),
      ],
      maxDepth: 2,
      maxKeys: 2,
    });
    const list = fc.array(value, { maxLength: 2 });
    fc.assert(
      fc.property(list, list, (one, other) => {
        expect(cacheKey('n', ...one) === cacheKey('n', ...other)).toBe(isDeepStrictEqual(one, other));
        expect(cacheKey('n', ...one)).toBe(cacheKey('n', ...structuredClone(one)));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes plain data of another realm as plain data of this one', () => {
    const foreign: unknown = runInNewContext(
      '[{ a: [1], d: new Date(0), m: new Map([[1, 2]]), s: new Set([1]) }]',
    );
    const own = [{ a: [1], d: new Date(0), m: new Map([[1, 2]]), s: new Set([1]) }];
    expect(cacheKey('n', foreign)).toBe(cacheKey('n', own));
    expect(cacheKey('n', Object.create(null))).toBe(cacheKey('n', {}));
  });

  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = [cyclic];
  let deep: unknown = 1;
  for (let depth = 0; depth < 200; depth += 1) deep = [deep];
  it.each<[string, unknown, string, RegExp]>([
    ['a function', () => 1, 'arguments[1]', /a function/],
    ['a symbol', Symbol('s'), 'arguments[1]', /a symbol/],
    ['an instance of a class', new User(1), 'arguments[1]', /an instance of User/],
    ['an instance inside', { users: [new User(1)] }, 'arguments[1]["users"][0]', /an instance of User/],
    ['a subclass of Map', new (class Index extends Map {})(), 'arguments[1]', /instance of/],
    ['a subclass of Array', new (class List extends Array {})(), 'arguments[1]', /instance of/],
    ['a subclass of bytes', new (class Bytes extends Uint8Array {})(1), 'arguments[1]', /instance of/],
    ['a Promise', Promise.resolve(1), 'arguments[1]', /await forgotten/],
    ['a RegExp', /x/, 'arguments[1]', /RegExp/],
    ['a URL', new URL('http://a.example'), 'arguments[1]', /URL/],
    ['an Error', new Error('x'), 'arguments[1]', /Error/],
    ['a boxed number', Object(1), 'arguments[1]', /Number/],
    ['holes', [1, , 2], 'arguments[1]', /holes/],
    ['a named property of an array', Object.assign([1], { total: 2 }), 'arguments[1]', /properties/],
    ['a property of a Date', Object.assign(new Date(0), { zone: 'x' }), 'arguments[1]', /property/],
    ['a symbol property', { [Symbol('s')]: 1 }, 'arguments[1]', /symbol property/],
    ['a cycle', cyclic, 'arguments[1]["self"][0]', /a cycle/],
    ['too deep', deep, 'arguments[1]', /deeper than 100/],
    ['an own prototype', Object.create({ a: 1 }), 'arguments[1]', /prototype of its own/],
  ])('refuses %s', (_name, value, path, found) => {
    const error = thrownBy(() => cacheKey('n', 1, value));
    expect(error).toBeInstanceOf(UnencodableArgumentError);
    expect(error).toMatchObject({
      code: 'CACHING_UNENCODABLE_ARGUMENT',
      found: expect.stringMatching(found),
    });
    expect((error as UnencodableArgumentError).path.startsWith(path)).toBe(true);
  });

  it('refuses names that keys of others could begin with', () => {
    for (const name of ['', 'a(', 'a("b")', 1, undefined]) {
      expect(() => cacheKey(name as string)).toThrow(InvalidArgumentError);
    }
  });
});

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}
