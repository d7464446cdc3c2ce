import { describe, expect, it } from '@jest/globals';
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { UnserializableValueError } from '../../libs/caching/src/errors.js';
import {
  freezeDecoded,
  MAX_DEPTH,
  mutableCopy,
  readerCopy,
  snapshot,
} from '../../libs/caching/src/cache/snapshot.js';
import { assertSameValue } from '../support/same-value.js';
import { bare, nest, SAMPLE_VALUES } from '../support/values.js';

const REFUSE = { classInstances: 'refuse' } as const;
const PLAIN = { classInstances: 'plain' } as const;

class User {
  readonly #password = 'secret';
  constructor(readonly id: number) {}
  get name(): string {
    return `user ${this.id} ${this.#password.length}`;
  }
}
class List extends Array<unknown> {}
class Index extends Map<unknown, unknown> {}
class Day extends Date {}
class Bytes extends Uint8Array {}

describe('a snapshot', () => {
  it.each(SAMPLE_VALUES)('keeps $name as it is', ({ make, isPlainJson = false, hasBinary = false }) => {
    const original = make();
    const taken = snapshot(original, REFUSE);
    assertSameValue(taken.value, original);
    expect(taken).toMatchObject({ isPlainJson, hasBinary });
    expect(Number.isFinite(taken.size)).toBe(true);
  });

  it.each(SAMPLE_VALUES)('leaves the original of $name alone', ({ make }) => {
    const original = make();
    snapshot(original, REFUSE);
    assertSameValue(original, make());
    if (typeof original === 'object' && original !== null) expect(Object.isExtensible(original)).toBe(true);
  });

  it.each(SAMPLE_VALUES.filter(({ hasBinary }) => hasBinary !== true))(
    'freezes $name to the bottom',
    ({ make }) => {
      expect(firstUnfrozen(snapshot(make(), REFUSE).value)).toBeUndefined();
    },
  );

  it('does not change when the caller changes the original', () => {
    const original = {
      list: [{ a: 1 }],
      when: new Date(1),
      map: new Map([['k', [1]]]),
      set: new Set([1]),
      bytes: Buffer.from('abc'),
    };
    const { value } = snapshot(original, REFUSE);
    original.list[0]!.a = 2;
    original.list.push({ a: 3 });
    original.when.setTime(2);
    original.map.get('k')!.push(2);
    original.map.set('l', []);
    original.set.add(2);
    original.bytes[0] = 0;
    assertSameValue(value, {
      list: [{ a: 1 }],
      when: new Date(1),
      map: new Map([['k', [1]]]),
      set: new Set([1]),
      bytes: Buffer.from('abc'),
    });
  });

  it('reads a getter once', () => {
    let reads = 0;
    const original = {
      get now() {
        return { reads: ++reads };
      },
    };
    expect(snapshot(original, REFUSE).value).toStrictEqual({ now: { reads: 1 } });
    expect(reads).toBe(1);
  });

  it('leaves out what is not enumerable', () => {
    const original = Object.defineProperty({ a: 1 }, Symbol('meta'), { value: () => 1 });
    Object.defineProperty(original, 'hidden', { value: () => 1 });
    expect(Reflect.ownKeys(snapshot(original, REFUSE).value as object)).toEqual(['a']);
  });

  it('keeps values of another realm as values of this one', () => {
    const foreign: unknown = runInNewContext(
      '({ o: { a: [1, , 3] }, d: new Date(5), m: new Map([[1, new Set([2])]]), b: new Uint16Array([7]), v: new DataView(new ArrayBuffer(2)) })',
    );
    assertSameValue(snapshot(foreign, REFUSE).value, {
      o: { a: [1, , 3] },
      d: new Date(5),
      m: new Map([[1, new Set([2])]]),
      b: new Uint16Array([7]),
      v: new DataView(new ArrayBuffer(2)),
    });
  });

  it('keeps what the core modules of Node give', async () => {
    const { mtime } = await stat('package.json');
    assertSameValue(snapshot({ mtime, file: await readFile('package.json') }, REFUSE).value, {
      mtime: new Date(mtime.getTime()),
      file: await readFile('package.json'),
    });
  });

  it('keeps what a Proxy of plain data shows', () => {
    const proxy = new Proxy(
      { a: [1] },
      { get: (target, key) => (key === 'a' ? [2] : Reflect.get(target, key)) },
    );
    expect(snapshot({ proxy, list: new Proxy([1], {}) }, REFUSE).value).toStrictEqual({
      proxy: { a: [2] },
      list: [1],
    });
  });

  it('copies what occurs twice once', () => {
    const shared = { a: 1 };
    const { value, repeated } = snapshot([shared, { shared }], REFUSE);
    const [first, second] = value as [object, { shared: object }];
    expect(first).toBe(second.shared);
    expect([...(repeated ?? [])]).toEqual([shared]);
    expect(snapshot([{ a: 1 }, { a: 1 }], REFUSE).repeated).toBeUndefined();
    const when = new Date(1);
    expect(snapshot([when, when], REFUSE).repeated).toBeUndefined();
  });

  it('does not explode on nested repetition', () => {
    let bomb: unknown = { payload: Buffer.from('x') };
    for (let level = 0; level < 200; level++) bomb = [bomb, bomb];
    const taken = snapshot(bomb, REFUSE);
    expect(taken.size).toBeLessThan(50_000);
    expect(mutableCopy(taken.value)).toHaveLength(2);
    expect(readerCopy(taken.value)).toHaveLength(2);
    expect(freezeDecoded(mutableCopy(taken.value))).toHaveLength(2);
  });

  it('estimates more for more', () => {
    const size = (value: unknown) => snapshot(value, REFUSE).size;
    expect(size('x'.repeat(10_000))).toBeGreaterThan(10_000);
    expect(size('ж'.repeat(10_000))).toBeGreaterThan(20_000);
    expect(size(Buffer.alloc(10_000))).toBeGreaterThan(10_000);
    expect(size(new Array(1000).fill(0.5))).toBeGreaterThan(16_000);
    expect(size(new Map(Array.from({ length: 1000 }, (_, index) => [index, index])))).toBeGreaterThan(24_000);
    expect(size(2n ** 80_000n)).toBeGreaterThan(10_000);
  });
});

describe('a snapshot refuses', () => {
  const cyclic: Record<string, unknown> = { list: [{}] };
  (cyclic['list'] as unknown[]).push({ back: cyclic });
  const selfish = new Map<string, unknown>();
  selfish.set('self', [selfish]);
  const named = Object.assign([1, 2], { total: 2 });
  const dated = Object.assign(new Date(), { zone: 'UTC' });

  it.each<[string, unknown, string, string]>([
    ['a function', { items: [0, 1, 2, { callback: () => 1 }] }, 'value.items[3].callback', 'a function'],
    ['a class', [User], 'value[0]', 'a function'],
    ['a function at the top', () => 1, 'value', 'a function'],
    ['toJSON as a method', { a: { toJSON: () => 1 } }, 'value.a.toJSON', 'a function'],
    ['a symbol', { 'odd key': Symbol('s') }, 'value["odd key"]', 'a symbol'],
    [
      'a property under a symbol',
      { a: { [Symbol('s')]: 1 } },
      'value.a[Symbol(s)]',
      'a property under a symbol',
    ],
    ['a Promise', { user: Promise.resolve(1) }, 'value.user', 'a Promise (was an await forgotten?)'],
    ['a class instance', [new User(1)], 'value[0]', 'an instance of User'],
    ['a subclass of Array', new List(), 'value', 'an instance of List'],
    ['a subclass of Map', { index: new Index() }, 'value.index', 'an instance of Index'],
    ['a subclass of Date', new Day(), 'value', 'an instance of Day'],
    ['a subclass of Uint8Array', new Bytes(2), 'value', 'an instance of Bytes'],
    ['an object with a prototype', Object.create({ a: 1 }), 'value', 'an object with a prototype of its own'],
    ['a WeakMap', { w: new WeakMap() }, 'value.w', 'a WeakMap'],
    ['an Error', { e: new TypeError('x') }, 'value.e', 'an Error'],
    ['a RegExp', /x/, 'value', 'a RegExp'],
    ['a URL', new URL('http://localhost'), 'value', 'a URL'],
    ['a boxed number', { n: Object(1) as unknown }, 'value.n', 'a Number object'],
    ['a SharedArrayBuffer', new SharedArrayBuffer(1), 'value', 'a SharedArrayBuffer'],
    ['a generator', (function* () {})(), 'value', 'a Generator'],
    ['a Proxy of a Map', new Proxy(new Map(), {}), 'value', 'a Map'],
    ['a Proxy of an instance', new Proxy(new User(1), {}), 'value', 'an instance of User'],
    [
      'what stands in a Map',
      {
        m: new Map([
          ['a', 1],
          ['b', /x/],
        ] as [string, unknown][]),
      },
      'value.m.values()[1]',
      'a RegExp',
    ],
    [
      'a key of a Map',
      new Map<unknown, unknown>([
        ['a', 1],
        [() => 1, 2],
      ]),
      'value.keys()[1]',
      'a function',
    ],
    ['a member of a Set', { s: new Set([1, { f: () => 1 }]) }, 'value.s.values()[1].f', 'a function'],
    ['a cycle', cyclic, 'value.list[1].back', 'a reference back to value (a cycle)'],
    [
      'a cycle through a Map',
      { selfish },
      'value.selfish.values()[0][0]',
      'a reference back to value.selfish (a cycle)',
    ],
    ['a named property of an array', { named }, 'value.named.total', 'a property set on an Array'],
    ['a match of a RegExp', 'ab'.match(/b/), 'value.index', 'a property set on an Array'],
    ['a named property of a Date', dated, 'value.zone', 'a property set on a Date'],
  ])('%s, naming the path', (_, value, path, found) => {
    expect(refusalOf(() => snapshot(value, REFUSE))).toMatchObject({
      path,
      found,
      code: 'CACHING_UNSERIALIZABLE_VALUE',
    });
  });

  it('with every way out of a class instance', () => {
    const { message } = refusalOf(() => snapshot(new User(1), REFUSE));
    expect(message).toContain('{ ...entity }');
    expect(message).toContain('`converters`');
    expect(message).toContain("classInstances: 'plain'");
    expect(message).toContain('class serializer');
  });

  it.each([
    ['arrays', (inner: unknown) => [inner]],
    ['objects', (inner: unknown) => ({ inner })],
    ['Maps', (inner: unknown) => new Map([[inner, inner]])],
  ])('10,000 levels of %s without running out of stack', (_, wrap) => {
    const { found, message } = refusalOf(() => snapshot(nest(10_000, wrap), REFUSE));
    expect(found).toBe(`nested deeper than ${MAX_DEPTH} levels`);
    expect(message.length).toBeLessThan(1000);
  });

  it('exactly from one level more than it says', () => {
    expect(() =>
      snapshot(
        nest(MAX_DEPTH, (inner) => [inner]),
        REFUSE,
      ),
    ).not.toThrow();
    expect(() =>
      snapshot(
        nest(MAX_DEPTH + 1, (inner) => [inner]),
        REFUSE,
      ),
    ).toThrow(UnserializableValueError);
  });
});

describe("classInstances: 'plain'", () => {
  it('keeps own enumerable fields only, nested too', () => {
    const { value, isPlainJson } = snapshot(
      { users: [Object.assign(new User(1), { friend: new User(2) })] },
      PLAIN,
    );
    assertSameValue(value, { users: [{ id: 1, friend: { id: 2 } }] });
    expect(isPlainJson).toBe(true);
  });

  it('keeps subclasses of built-in classes as what they extend', () => {
    const value = [List.from([1, 2]), new Index([[1, new Day(2)]]), new Bytes([3])];
    assertSameValue(snapshot(value, PLAIN).value, [[1, 2], new Map([[1, new Date(2)]]), new Uint8Array([3])]);
  });

  it.each<[string, unknown, string]>([
    ['functions', Object.assign(new User(1), { save: () => 1 }), 'value.save'],
    ['symbols', Object.assign(new User(1), { kind: Symbol('s') }), 'value.kind'],
    ['fields of a Map', Object.assign(new Index(), { extra: 1 }), 'value.extra'],
    ['a Promise', { p: Promise.resolve() }, 'value.p'],
    ['an Error', [new RangeError('x')], 'value[0]'],
    ['a RegExp', [/x/], 'value[0]'],
    ['a URL', [new URL('http://localhost')], 'value[0]'],
    ['URLSearchParams', [new URLSearchParams('a=1')], 'value[0]'],
    ['a WeakSet', [new WeakSet()], 'value[0]'],
    ['a boxed string', [Object('x')], 'value[0]'],
    ['an iterator', [[1].values()], 'value[0]'],
    ['a Proxy of a Date', [new Proxy(new Date(), {})], 'value[0]'],
    ['a formatter', [new Intl.NumberFormat()], 'value[0]'],
  ])('still refuses %s', (_, value, path) => {
    expect(refusalOf(() => snapshot(value, PLAIN))).toMatchObject({ path });
  });
});

describe('a frozen value', () => {
  const make = () => ({
    list: [{ a: 1 }],
    when: new Date(1),
    map: new Map([['k', { b: 1 }]]),
    set: new Set([1]),
  });
  const frozen = () => snapshot(make(), REFUSE).value as ReturnType<typeof make>;

  it.each<[string, (value: ReturnType<typeof make>) => unknown]>([
    ['a field', (value) => (value.list = [])],
    ['a new field', (value) => Object.assign(value, { x: 1 })],
    ['an item', (value) => value.list.push({ a: 2 })],
    ['a nested field', (value) => (value.list[0]!.a = 2)],
    ['a removal', (value) => value.list.pop()],
    ['a value in a Map', (value) => (value.map.get('k')!.b = 2)],
    ['a field of a Date', (value) => Object.assign(value.when, { x: 1 })],
    ['a shadow', (value) => delete (value.map as Partial<Map<string, unknown>>).set],
  ])('throws on a write to %s', (_, write) => {
    const value = frozen();
    expect(() => write(value)).toThrow(TypeError);
    assertSameValue(value, make());
  });

  const setters = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'));
  it.each([
    ...setters.map((name) => ['when', name] as const),
    ...['set', 'delete', 'clear'].map((name) => ['map', name] as const),
    ...['add', 'delete', 'clear'].map((name) => ['set', name] as const),
  ])('throws on %s.%s and names the way out', (field, method) => {
    const value = frozen();
    const target = value[field] as unknown as Record<string, (argument: unknown) => unknown>;
    expect(() => target[method]!('k')).toThrow(
      new TypeError('This value comes from the cache and is shared. Use { copy: true } to get your own.'),
    );
    assertSameValue(value, make());
  });

  it('looks like any other value', () => {
    const value = frozen();
    assert.deepStrictEqual(value, make());
    expect(value).toEqual(make());
    expect(value).toStrictEqual(make());
    expect(JSON.stringify(value)).toBe(JSON.stringify(make()));
    expect(inspect(value)).toBe(inspect(make()));
    expect(inspect(structuredClone(value))).toBe(inspect(make()));
    expect(Object.keys(value.when)).toEqual([]);
    expect({ ...value }).toStrictEqual(make());
    expect(new Map(value.map).set('l', { b: 2 }).size).toBe(2);
  });

  it('can be stored again', () => {
    const value = frozen();
    assertSameValue(snapshot(value, REFUSE).value, make());
  });
});

describe('mutableCopy', () => {
  it.each(SAMPLE_VALUES)('gives $name as it was', ({ make }) => {
    assertSameValue(mutableCopy(snapshot(make(), REFUSE).value), make());
  });

  it('gives a value that may be changed, and leaves the snapshot alone', () => {
    const make = () => ({
      l: [{ a: 1 }],
      d: new Date(1),
      m: new Map([['k', [1]]]),
      s: new Set([1]),
      b: Buffer.from('a'),
      n: bare({ a: 1 }),
    });
    const { value } = snapshot(make(), REFUSE);
    const copy = mutableCopy(value) as ReturnType<typeof make>;
    copy.l.push({ a: 2 });
    copy.l[0]!.a = 9;
    copy.d.setTime(5);
    copy.m.get('k')!.push(1);
    copy.m.clear();
    copy.s.add(4);
    copy.b[0] = 0;
    Object.assign(copy.n, { a: 2 });
    assertSameValue(value, make());
  });

  it('keeps one object one object', () => {
    const shared = {};
    const [first, second] = mutableCopy(snapshot([shared, shared], REFUSE).value) as unknown[];
    expect(first).toBe(second);
  });
});

describe('readerCopy', () => {
  it.each(SAMPLE_VALUES)('gives $name as it was', ({ make }) => {
    assertSameValue(readerCopy(snapshot(make(), REFUSE).value), make());
  });

  it('copies binary data and what is on the way, and nothing else', () => {
    const { value } = snapshot(
      { a: { list: [1], b: [Buffer.from('abc')] }, rest: { x: new Map([[1, { y: 1 }]]) } },
      REFUSE,
    );
    const cached = value as { a: { list: number[]; b: Buffer[] }; rest: object };
    const read = readerCopy(value) as typeof cached;
    read.a.b[0]![0] = 0;
    expect(cached.a.b[0]!.toString()).toBe('abc');
    expect(read.rest).toBe(cached.rest);
    expect(read.a.list).toBe(cached.a.list);
    expect(() => (read.a.b = [])).toThrow(TypeError);
    expect(() => read.a.b.push(Buffer.alloc(0))).toThrow(TypeError);
  });

  it('freezes the Maps and Sets that it copies', () => {
    const { value } = snapshot(
      { m: new Map([['a', Buffer.from('a')]]), s: new Set([Buffer.from('b')]) },
      REFUSE,
    );
    const read = readerCopy(value) as { m: Map<string, Buffer>; s: Set<Buffer> };
    expect(() => read.m.clear()).toThrow(TypeError);
    expect(() => read.s.clear()).toThrow(TypeError);
  });
});

describe('freezeDecoded', () => {
  it.each(SAMPLE_VALUES)('gives $name as it was, frozen', ({ make }) => {
    const value = make();
    expect(freezeDecoded(value)).toBe(value);
    assertSameValue(value, make());
    expect(firstUnfrozen(value)).toBeUndefined();
  });
});

function refusalOf(take: () => unknown): UnserializableValueError {
  try {
    take();
  } catch (error) {
    if (error instanceof UnserializableValueError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The first object in a value that can be changed, binary data aside. */
function firstUnfrozen(value: unknown, seen = new Set<unknown>()): unknown {
  if (typeof value !== 'object' || value === null || seen.has(value)) return undefined;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return undefined;
  seen.add(value);
  if (!Object.isFrozen(value)) return value;
  const items =
    value instanceof Map ? [...value].flat(1) : value instanceof Set ? [...value] : Object.values(value);
  return items.map((item) => firstUnfrozen(item, seen)).find((item) => item !== undefined);
}
