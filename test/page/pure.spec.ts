import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseCacheControl } from '../../libs/caching/src/page/cache-control.js';
import { isNotModified, weakEtag } from '../../libs/caching/src/page/conditional.js';
import { pageSegments, withParts } from '../../libs/caching/src/page/page-key.js';
import { canonicalQuery, QueryPolicy } from '../../libs/caching/src/page/query.js';
import { pageCodec, type PageRecord } from '../../libs/caching/src/page/page-record.js';
import { boundedKey, escapeKey, escapeSegment, KeySpace } from '../../libs/caching/src/cache/keys.js';
import { decodeFrame, encodeFrame } from '../../libs/caching/src/cache/frame.js';

describe('parseCacheControl', () => {
  it.each([
    'no-store',
    'No-Store',
    'max-age=60,\tPRIVATE',
    'private="x-a"',
    'private=',
    'private=""',
    'private="a',
    'no-cache="x, y"',
    'public; private',
    'private, private="b"',
    'max-age=5 no-store',
  ])('forbids storing by %j', (field) => {
    expect(parseCacheControl(field).forbidsStoring).toBe(true);
  });

  it.each([
    ['', undefined, undefined],
    ['public, max-age=60', 60, undefined],
    ['max-age="60", s-maxage=003600', 60, 3600],
    ['max-age=60, max-age=5', 5, undefined],
    ['max-age=-1', 0, undefined],
    ['max-age=3600.5', 0, undefined],
    ['max-age=99999999999999', 2 ** 31, undefined],
    ['x="max-age=0"', undefined, undefined],
  ])('reads the lives of %j', (field, maxAge, sMaxAge) => {
    const read = parseCacheControl(field);
    expect([read.forbidsStoring, read.maxAge, read.sMaxAge]).toEqual([false, maxAge, sMaxAge]);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (field) => void parseCacheControl(field)));
    for (const piece of [' ', ',', '"', '="', 'a=']) parseCacheControl(piece.repeat(100_000));
  });
});

describe('isNotModified', () => {
  const ask = (ifNoneMatch?: string, ifModifiedSince?: string) => ({ ifNoneMatch, ifModifiedSince });

  it('compares weakly, with each tag of a list and with *', () => {
    for (const list of ['"a"', 'W/"a"', '"x", W/"a"', '*', '"x" , "a"', '"with,comma", "a"']) {
      expect([list, isNotModified(ask(list), '"a"', undefined)]).toEqual([list, true]);
    }
    for (const list of ['"b"', '"', 'a', '"a', '']) {
      expect([list, isNotModified(ask(list), '"a"', undefined)]).toEqual([list, false]);
    }
  });

  it('goes by the tag alone where there is one', () => {
    const date = 'Mon, 23 Nov 2026 10:00:00 GMT';
    expect(isNotModified(ask('"b"', date), '"a"', date)).toBe(false);
    expect(isNotModified(ask(undefined, date), '"a"', date)).toBe(true);
    expect(isNotModified(ask(undefined, 'rubbish'), '"a"', date)).toBe(false);
  });

  it('makes the same tag of the same bytes only', () => {
    expect(weakEtag(Buffer.from('a'))).toBe(weakEtag(Buffer.from('a')));
    expect(weakEtag(Buffer.from('a'))).not.toBe(weakEtag(Buffer.from('b')));
  });
});

describe('page keys', () => {
  it('put parameters in the order of their names and leave those of one name as they are', () => {
    expect(canonicalQuery('b=2&a=1&b=1')).toBe('a=1&b=2&b=1');
    expect(canonicalQuery('a=1&%61=2')).toBe('a=1&%61=2');
    expect(canonicalQuery('%E0%A4%A=1&a')).toBe('%E0%A4%A=1&a');
  });

  it('never join two addresses into one', () => {
    const part = fc.string({ unit: fc.constantFrom(':', '%', 'a', '/', '=', '~', 'é') });
    const address = fc.record({
      route: part,
      scheme: part,
      host: part,
      target: part,
      query: fc.constant(new QueryPolicy()),
      parts: fc.array(part.map(escapeSegment), { minLength: 1, maxLength: 1 }),
    });
    type Parts = Parameters<typeof pageSegments>[0] & { readonly parts: readonly string[] };
    const segmentsOf = (given: Parts): string => withParts(pageSegments(given), given.parts);
    fc.assert(
      fc.property(address, address, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(segmentsOf(one)).not.toBe(segmentsOf(other));
      }),
    );
  });
});

describe('keys', () => {
  it('are exactly these', () => {
    const space = new KeySpace('shop', 'default');
    expect(space.base(1000, 1, 'value') + escapeKey('user:42')).toBe('shop:default:rs:1:v:user:42');
    expect(space.controlKey).toBe('shop:default:@control');
    expect(escapeKey('a b~{é\ud800%')).toBe('a%20b%7E%7B%C3%A9%uD800%25');
    expect(new KeySpace('a:b', '').root).toBe('a%3Ab::');
  });

  it('are short, printable and distinct whatever the input', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 400 }),
        fc.string({ unit: 'binary', maxLength: 400 }),
        (one, other) => {
          const [a, b] = [boundedKey(escapeKey(one)), boundedKey(escapeKey(other))];
          expect(a).toMatch(/^[!-~]{0,250}$/);
          expect(a === b).toBe(one === other);
        },
      ),
    );
  });
});

describe('frames', () => {
  const frame = {
    codec: 1,
    createdAt: 1.5,
    loadMs: 0,
    guard: undefined,
    fullKey: 'a:b',
    body: Buffer.from('body'),
  };

  it('come back as they were, under their own key only', () => {
    const bytes = encodeFrame(frame);
    expect(decodeFrame(bytes, 'a:b')).toEqual(frame);
    expect(decodeFrame(bytes, 'a:c')).toBeUndefined();
    for (let length = 0; length < bytes.length - 4; length += 1) {
      expect(decodeFrame(bytes.subarray(0, length), 'a:b')).toBeUndefined();
    }
  });

  it('hold pages, and nothing that a response could not have had', () => {
    const page: PageRecord = {
      status: 200,
      headers: [
        ['x-a', ['1', '2']],
        ['date', 'Mon, 23 Nov 2026 10:00:00 GMT'],
      ] as const,
      etag: '"e"',
      lastModified: undefined,
      ageSeconds: 7,
      body: Buffer.from([0, 255]),
      text: undefined,
    };
    const { codec, body } = pageCodec.encode(page);
    expect(pageCodec.decode(codec, body)).toEqual(page);
    for (const bad of [
      { ...page, status: 99 },
      { ...page, ageSeconds: -1 },
      { ...page, headers: [['x-a', 'a\r\nset-cookie: b']] as const },
      { ...page, headers: [['set-cookie', 'a']] as const },
    ]) {
      const encoded = pageCodec.encode(bad);
      expect(() => pageCodec.decode(encoded.codec, encoded.body)).toThrow();
    }
    expect(() => pageCodec.decode(codec, body.subarray(0, 10))).toThrow();
  });
});
