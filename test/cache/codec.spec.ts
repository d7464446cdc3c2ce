import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CodecId, decode, encode } from '../../libs/caching/src/cache/codec.js';
import { freezeDecoded, MAX_DEPTH, snapshot } from '../../libs/caching/src/cache/snapshot.js';
import { assertSameValue } from '../support/same-value.js';
import { bare, nest, SAMPLE_VALUES } from '../support/values.js';

const take = (value: unknown) => snapshot(value, { classInstances: 'refuse' });
const encoded = (value: unknown) => encode(take(value));

const PROTOTYPE_KEYS = Reflect.ownKeys(Object.prototype);
afterEach(() => {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(PROTOTYPE_KEYS);
  expect(Reflect.getPrototypeOf({})).toBe(Object.prototype);
});

describe('the codec', () => {
  it.each(SAMPLE_VALUES)('carries $name through bytes', ({ make }) => {
    const { codec, body } = encoded(make());
    assertSameValue(decode(codec, body), make());
  });

  it.each(SAMPLE_VALUES)('gives what is no part of the bytes: $name', ({ make }) => {
    const { codec, body } = encoded(make());
    const own = Buffer.from(body);
    const value = decode(codec, own);
    own.fill(0);
    assertSameValue(freezeDecoded(value), make());
  });

  it('reads a body at any offset', () => {
    const { codec, body } = encoded({ floats: new Float64Array([1, 2]), ints: new Uint32Array([3]) });
    const framed = Buffer.concat([Buffer.alloc(3), body]).subarray(3);
    assertSameValue(decode(codec, framed), { floats: new Float64Array([1, 2]), ints: new Uint32Array([3]) });
  });

  it('takes the shortest form for the common values', () => {
    expect(encoded({ a: [1] })).toEqual({ codec: CodecId.json, body: Buffer.from('{"a":[1]}') });
    expect(encoded('<p>"</p>')).toEqual({ codec: CodecId.text, body: Buffer.from('<p>"</p>') });
    expect(encoded('\ud800').codec).toBe(CodecId.json);
    expect(encoded(Buffer.from([0xff]))).toEqual({ codec: CodecId.bytes, body: Buffer.from([0xff]) });
    expect(encoded({ body: Buffer.alloc(10_000) }).body.length).toBeLessThan(10_100);
  });

  it('keeps one object one object', () => {
    const shared = { a: 1 };
    const { codec, body } = encoded([shared, new Map([['k', shared]])]);
    const [first, map] = decode(codec, body) as [object, Map<string, object>];
    expect(map.get('k')).toBe(first);
  });

  it('does not explode on nested repetition', () => {
    let bomb: unknown = ['x'];
    for (let level = 0; level < 200; level++) bomb = { left: bomb, right: bare({ bomb }) };
    const { codec, body } = encoded(bomb);
    expect(body.length).toBeLessThan(20_000);
    expect(freezeDecoded(decode(codec, body))).toHaveProperty('right');
  });

  it('carries any value', () => {
    fc.assert(
      fc.property(anyValue(), (value) => {
        const { codec, body } = encoded(value);
        const decoded = decode(codec, body);
        assertSameValue(decoded, value);
        assertSameValue(take(value).value, value);
        expect(Buffer.from(encoded(decoded).body)).toEqual(Buffer.from(body));
      }),
      { numRuns: 500 },
    );
  });

  it('says plain JSON exactly where JSON gives the same', () => {
    fc.assert(
      fc.property(fc.oneof(anyValue(), fc.jsonValue()), (value) => {
        if (take(value).isPlainJson) assertSameValue(JSON.parse(JSON.stringify(value)), value);
      }),
    );
  });
});

describe('decode', () => {
  it.each([0, 5, 255, -1, Number.NaN])('throws for codec %s', (codec) => {
    expect(() => decode(codec, Buffer.from('1'))).toThrow('codec');
  });

  it.each([
    ['nothing', ''],
    ['half an object', '{"a":'],
    ['two values', '1 2'],
    ['code', 'process.exit()'],
  ])('throws for %s that says to be JSON, and does not quote it', (_, text) => {
    expect(() => decode(CodecId.json, Buffer.from(text))).toThrow(new Error('The body is not JSON.'));
  });

  it.each([CodecId.json, CodecId.text])('throws for broken UTF-8 under codec %s', (codec) => {
    expect(() => decode(codec, Buffer.from([0x22, 0xc3, 0x22]))).toThrow('UTF-8');
  });

  it.each([
    ['a constant', '"~x"'],
    ['a lone mark', '"~"'],
    ['a constant with more behind it', '"~uu"'],
    ['a tag outside of its place', '[1,"~m"]'],
    ['a Date without a time', '"~d"'],
    ['a Date past the end', '"~d8640000000000001"'],
    ['a Date of a fraction', '"~d1.5"'],
    ['a Date in another notation', '"~d1e3"'],
    ['a bigint without digits', '"~b"'],
    ['a bigint of other digits', '"~b0x1"'],
    ['a bigint with two signs', '"~b--1"'],
    ['a reference to nothing', '"~#0"'],
    ['a reference to itself', '["~=",["~#0"]]'],
    ['a reference forward', '["~#0",["~=",[]]]'],
    ['a reference of another kind', '[["~=",[]],"~#x","~#-1"]'],
    ['a repeated number', '["~=",1]'],
    ['a repeated object with more', '["~=",{},1]'],
    ['a Map with half an entry', '["~m",1]'],
    ['a Map with a key twice', '["~m",1,2,1,3]'],
    ['a Set with a member twice', '["~s",1,1]'],
    ['a bare object of nothing', '["~o"]'],
    ['a bare object of an array', '["~o",[]]'],
    ['a bare object of another', '["~o",["~o",{}]]'],
    ['holes without a length', '["~a"]'],
    ['holes of a negative length', '["~a",-1]'],
    ['holes past the longest array', '["~a",4294967296]'],
    ['holes with an index outside', '["~a",2,2,"x"]'],
    ['holes with half an item', '["~a",2,1]'],
    ['holes with a named property', '["~a",2,"length",1]'],
    ['binary data of no class', '["~v","Function",0]'],
    ['binary data of a property of all objects', '["~v","constructor",0]'],
    ['binary data of no length', '["~v","Buffer"]'],
    ['binary data longer than there is', '["~v","Buffer",5]'],
    ['binary data of a negative length', '["~v","Buffer",-1]'],
    ['binary data of half an element', '["~v","Uint16Array",3]'],
  ])('throws for %s', (_, json) => {
    const binary = json.includes('~v') ? Buffer.from('abc') : Buffer.alloc(0);
    expect(() => decode(CodecId.extended, extendedBody(json, binary))).toThrow(/^The body has a malformed /);
  });

  it.each([
    ['no header', Buffer.from([0, 0])],
    ['binary data that nothing names', extendedBody('1', Buffer.from('abc'))],
    ['a length past the end', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x31])],
  ])('throws for %s', (_, body) => {
    expect(() => decode(CodecId.extended, body)).toThrow(/^The body /);
  });

  it('keeps __proto__ a name', () => {
    const json = '{"__proto__":{"polluted":"~u"},"x":{"__proto__":"~d1"}}';
    const value = decode(CodecId.extended, extendedBody(json)) as Record<string, object>;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.getPrototypeOf(value['x'])).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(['__proto__', 'x']);
    expect(value).not.toHaveProperty('polluted');
    const plain = decode(CodecId.json, Buffer.from('{"__proto__":{"polluted":1}}'));
    expect(Object.getPrototypeOf(plain)).toBe(Object.prototype);
  });

  it.each(['[', '{"a":', '["~=",', '["~m",1,', '["~o",{"a":'])('throws for 100,000 of %s', (open) => {
    const close = open.includes('{') ? (open.startsWith('[') ? '}]' : '}') : ']';
    const json = `${open.repeat(100_000)}1${close.repeat(100_000)}`;
    expect(() => decode(CodecId.extended, extendedBody(json))).toThrow('too deep');
    expect(() => decode(CodecId.json, Buffer.from(json))).toThrow('too deep');
  });

  it('reads the deepest value that a snapshot takes', () => {
    let deepest: unknown = bare({ end: Number.NaN });
    for (let level = 0; level < MAX_DEPTH; level++) deepest = bare({ deepest });
    const twice = [deepest, deepest];
    expect(() => encoded(twice)).toThrow('nested deeper');
    const value = { a: nest(MAX_DEPTH - 1, (inner) => bare({ inner, n: -0 })) };
    const { codec, body } = encoded(value);
    assertSameValue(decode(codec, body), value);
  });

  it('takes no memory for holes', () => {
    const json = `[${Array.from({ length: 20 }, () => '["~a",3000000]').join()}]`;
    const before = process.memoryUsage().heapUsed;
    expect(decode(CodecId.extended, extendedBody(json))).toHaveLength(20);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000);
  });

  it('throws or reads data, whatever the bytes', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 6 }), fc.uint8Array({ maxLength: 200 }), harmless), {
      numRuns: 500,
    });
    fc.assert(
      fc.property(fc.json(), fc.uint8Array({ maxLength: 8 }), (json, rest) => {
        harmless(CodecId.extended, extendedBody(json, rest));
      }),
    );
  });

  it('throws or reads data, whatever was changed in the bytes', () => {
    fc.assert(
      fc.property(anyValue(), fc.nat(), fc.nat(255), fc.nat(), (value, at, byte, end) => {
        const { codec, body } = encoded(value);
        const changed = Buffer.from(body);
        if (changed.length > 0) changed[at % changed.length] = byte;
        harmless(codec, changed);
        harmless(codec, body.subarray(0, end % (body.length + 1)));
      }),
      { numRuns: 1000 },
    );
  });

  it('throws or reads data, whatever the marks say', () => {
    const mark = fc.constantFrom(
      '~=',
      '~m',
      '~s',
      '~o',
      '~a',
      '~v',
      '~u',
      '~#0',
      '~#1',
      '~d1',
      '~b1',
      '~~',
      '~',
      'Buffer',
      0,
      1,
      2,
      3,
    );
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        mark,
        fc.array(tie('node'), { maxLength: 5 }),
        fc.dictionary(fc.constantFrom('a', '__proto__', 'constructor', '~m'), tie('node')),
      ),
    }));
    fc.assert(
      fc.property(node, fc.uint8Array({ maxLength: 3 }), (json, rest) => {
        harmless(CodecId.extended, extendedBody(JSON.stringify(json), rest));
      }),
      { numRuns: 2000 },
    );
  });
});

/** Decodes, and wants an error or a value that could have been stored. */
function harmless(codec: number, body: Uint8Array): void {
  let value: unknown;
  try {
    value = decode(codec, body);
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(RangeError);
    return;
  }
  take(value);
}

function extendedBody(json: string, binary: Uint8Array = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(json));
  return Buffer.concat([length, Buffer.from(json), binary]);
}

function anyValue(): fc.Arbitrary<unknown> {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('~', '~m', '__proto__', 'toJSON', '\ud800', '\udc00x'),
  );
  const leaf = fc.oneof(
    text,
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.bigInt(),
    fc.constantFrom(null, undefined, -0, Number.NaN),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 9 }),
    fc.float64Array({ maxLength: 3 }),
    fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes)),
  );
  return fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 6 }),
      fc.sparseArray(tie('value'), { maxNumElements: 4 }),
      fc.array(fc.tuple(text, tie('value')), { maxLength: 6 }).map((fields) => Object.fromEntries(fields)),
      fc
        .array(fc.tuple(text, tie('value')), { maxLength: 4 })
        .map((fields) => bare(Object.fromEntries(fields))),
      fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
      fc.array(tie('value'), { maxLength: 4 }).map((members) => new Set(members)),
      tie('value').map((shared) => [shared, { shared }, shared]),
    ),
  })).value;
}
