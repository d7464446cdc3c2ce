import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { IncomingHttpHeaders } from 'node:http';
import { namesBeyond, variantSegments } from '../../libs/caching/src/page/variants.js';
import { appendVary, parseVary } from '../../libs/caching/src/page/vary.js';
import { PATCHED_VARY } from '../support/vary-examples.js';

describe('parseVary (http.md A1, A4)', () => {
  it.each(['*', '*, *', ', *', 'Foo, *', ' * ', '\t*,'])('10: %j is never stored, on any line', (field) => {
    expect(parseVary(field).isUnbounded).toBe(true);
    expect(parseVary(['Foo', field, 'Bar']).isUnbounded).toBe(true);
  });

  it.each(['a b', 'Accept-Language; q=1', 'ü', '"Cookie"', 'a:b', 'Accept\u00a0Language', 'a=b'])(
    '10: what is no name of a header, as %j, is as *',
    (field) => expect(parseVary(field).isUnbounded).toBe(true),
  );

  it('60: names are read in any case, trimmed, from any number of lines, each once and in one order', () => {
    const expected = { isUnbounded: false, names: ['accept', 'cookie'] };
    for (const field of [
      'Cookie, Accept',
      ' accept ,\tCOOKIE\t',
      'cookie,,Accept,cookie',
      ['Accept', 'Cookie'],
    ]) {
      expect(parseVary(field)).toEqual(expected);
    }
    for (const field of [undefined, '', ' , ', []]) expect(parseVary(field).names).toEqual([]);
  });

  it('never throws, and takes no field for bounded in which a * stands alone', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.nat(), (members, position) => {
        void parseVary(members);
        const at = position % (members.length + 1);
        expect(parseVary(members.toSpliced(at, 0, '*').join(',')).isUnbounded).toBe(true);
      }),
    );
  });
});

describe("appendVary, as Django's patch_vary_headers (django.md B16)", () => {
  it.each([
    ...PATCHED_VARY,
    ['Cookie', ['*'], '*'],
    [['Cookie', 'Accept'], ['accept', 'Origin'], 'Cookie, Accept, Origin'],
  ])('188: %j and %j is %j', (existing, added, expected) => {
    expect(appendVary(existing, added)).toBe(expected);
  });

  it('never takes a name away, nor doubt', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.constantFrom('Cookie', 'ACCEPT', 'x-a')), (existing, added) => {
        const [before, after] = [parseVary(existing), parseVary(appendVary(existing, added))];
        if (before.isUnbounded) expect(after.isUnbounded).toBe(true);
        else expect(after.names).toEqual([...new Set([...before.names, ...parseVary(added).names])].sort());
      }),
    );
  });
});

describe('variantSegments (http.md A4, django.md B17)', () => {
  const of = (request: IncomingHttpHeaders, headers: string[], cookies: string[] = []): string[] =>
    variantSegments(request, { headers, cookies });

  it('212: tells X-A: ab, X-B: c from X-A: a, X-B: bc', () => {
    const names = ['x-a', 'x-b'];
    expect(of({ 'x-a': 'ab', 'x-b': 'c' }, names)).not.toEqual(of({ 'x-a': 'a', 'x-b': 'bc' }, names));
  });

  it('213: tells an absent header from an empty one', () => {
    expect(of({}, ['x-a'])).toEqual(['x-a']);
    expect(of({ 'x-a': '' }, ['x-a'])).toEqual(['x-a=']);
  });

  it('214: is the same whatever order the names have', () => {
    const request = { accept: 'a', 'x-a': 'b', cookie: 'c=1; d=2' };
    expect(of(request, ['x-a', 'accept'], ['d', 'c'])).toEqual(
      of(request, ['accept', 'x-a', 'accept'], ['c', 'd']),
    );
  });

  it('60: takes several lines for one list', () => {
    expect(of({ 'x-a': ['a', 'b'] as never }, ['x-a'])).toEqual(of({ 'x-a': 'a, b' }, ['x-a']));
  });

  it('61: does not split by headers and cookies that are not named', () => {
    const [one, other] = [
      { 'x-a': '1', cookie: 'theme=dark; _ga=1', 'x-b': '1' },
      { 'x-a': '1', cookie: '_ga=2; theme=dark', 'x-b': '2' },
    ];
    expect(of(one, ['x-a'], ['theme'])).toEqual(of(other, ['x-a'], ['theme']));
  });

  it('tells cookies apart by every value under the name, as it was sent', () => {
    const cookies = [
      undefined,
      '',
      'theme',
      'mytheme=dark',
      'Theme=dark',
      'theme=',
      'theme=dark',
      'theme="dark"',
      'theme=%64ark',
      'theme=light; theme=dark',
      'theme=dark; theme=light',
    ];
    const segments = cookies.map((cookie) =>
      of(cookie === undefined ? {} : { cookie }, [], ['theme']).join(),
    );
    expect(new Set(segments.slice(0, 5))).toEqual(new Set([';theme']));
    expect(new Set(segments.slice(4)).size).toBe(cookies.length - 4);
    expect(of({ cookie: ' a=1 ;\ttheme =dark' }, [], ['theme'])).toEqual(
      of({ cookie: 'theme=dark' }, [], ['theme']),
    );
  });

  it('keeps credentials and cookies out of keys', () => {
    const request = { authorization: 'Bearer s3cret', cookie: 'sid=s3cret', 'proxy-authorization': 's3cret' };
    const segments = of(request, ['authorization', 'cookie', 'proxy-authorization'], ['sid']);
    expect(segments).toHaveLength(4);
    expect(segments.join()).not.toContain('s3cret');
  });

  it('never gives two different requests the same segments', () => {
    const value = fc.option(fc.string({ unit: fc.constantFrom('a', '=', ';', ',', ' ', 'x-a') }), {
      nil: undefined,
    });
    const request = fc.record({ 'x-a': value, 'x-b': value, authorization: value });
    const names = ['x-a', 'x-b', 'authorization'];
    fc.assert(
      fc.property(request, request, (one, other) => {
        const isEqual = names.every((name) => one[name as 'x-a'] === other[name as 'x-a']);
        const [segments, others] = [one, other].map((given) => of(given as IncomingHttpHeaders, names));
        expect(JSON.stringify(segments) === JSON.stringify(others)).toBe(isEqual);
      }),
    );
  });
});

describe('namesBeyond', () => {
  it('leaves what no declaration covers; any declared cookie covers Cookie', () => {
    const names = ['accept', 'cookie', 'x-a'];
    expect(namesBeyond({ headers: ['accept'], cookies: [] }, names)).toEqual(['cookie', 'x-a']);
    expect(namesBeyond({ headers: ['x-a'], cookies: ['theme'] }, names)).toEqual(['accept']);
    expect(namesBeyond({ headers: ['cookie', 'accept', 'x-a'], cookies: [] }, names)).toEqual([]);
  });
});
