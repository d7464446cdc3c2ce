import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseCacheControl } from '../../libs/caching/src/page/cache-control.js';
import { stepsOf } from '../support/steps.js';

const RESTRICTIVE = ['no-store', 'private', 'no-cache'] as const;

/** A directive in one of the spellings that RFC 9111 allows. */
const spelled = (name: string): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.array(fc.boolean(), { minLength: name.length, maxLength: name.length }),
      fc.constantFrom('', ' ', '\t', ' \t '),
    )
    .map(
      ([upper, blanks]) =>
        blanks + [...name].map((letter, i) => (upper[i] ? letter.toUpperCase() : letter)).join('') + blanks,
    );

describe('Cache-Control of a response (http.md A1)', () => {
  it.each(RESTRICTIVE)('2-5: %s forbids storing in any case, with tabs, on any line', (name) => {
    for (const line of [name, name.toUpperCase(), `max-age=60,\t${name}\t`, `${name}, public, max-age=9`]) {
      expect([line, parseCacheControl(line).forbidsStoring]).toEqual([line, true]);
      expect(parseCacheControl(['public', line, 'max-age=60']).forbidsStoring).toBe(true);
    }
  });

  it('6: a qualified private or no-cache counts as unqualified', () => {
    expect(parseCacheControl('private="x-a"')).toMatchObject({ forbidsStoring: true, isPrivate: true });
    expect(parseCacheControl('no-cache="x-a, x-b"')).toMatchObject({ forbidsStoring: true, noCache: true });
  });

  it.each([
    'private=',
    'private=""',
    'private=" authorization"',
    'private="a',
    'private, private="b"',
    'private = "x"',
    'private ="x"',
    'private="x" y',
    'public; private',
    'max-age=5 no-store',
    'public, max-age=60, "',
    '=private',
    'a="b"c',
    'max-age=60;',
    'x="\\',
    'ü',
  ])('7: malformed or doubtful %j is not stored', (field) => {
    expect(parseCacheControl(field).forbidsStoring).toBe(true);
  });

  it('8: a zero life is read as zero', () => {
    expect(parseCacheControl('max-age=0, s-maxage=0')).toMatchObject({ maxAge: 0, sMaxAge: 0 });
  });

  it('25: must-understand takes nothing away from no-store', () => {
    const read = parseCacheControl('no-store, must-understand');
    expect(read).toMatchObject({ forbidsStoring: true, mustUnderstand: true });
  });

  it('reads one line without being misled by a quote in another', () => {
    expect(parseCacheControl(['x="', 'no-store"']).forbidsStoring).toBe(true);
    expect(parseCacheControl([]).forbidsStoring).toBe(false);
    expect(parseCacheControl('').forbidsStoring).toBe(false);
  });

  it('does not see directives inside a quoted argument', () => {
    expect(parseCacheControl('x="a, no-store, \\"private\\""').forbidsStoring).toBe(false);
    expect(parseCacheControl('x="max-age=0"').maxAge).toBeUndefined();
  });
});

describe('lifetimes in Cache-Control (http.md A2)', () => {
  it('30: of several the smallest counts', () => {
    expect(parseCacheControl('max-age=60, max-age=5').maxAge).toBe(5);
    expect(parseCacheControl(['max-age=5', 'max-age=60']).maxAge).toBe(5);
    expect(parseCacheControl('s-maxage=60, s-maxage=x').sMaxAge).toBe(0);
  });

  it.each([
    "max-age='3600'",
    'max-age=-1',
    'max-age=3600.5',
    'max-age=a100',
    'max-age=100a',
    'max-age',
    'max-age=',
  ])('31: %s is 0', (field) => expect(parseCacheControl(field).maxAge).toBe(0));

  it('31: blanks around = make the field unreadable', () => {
    expect(parseCacheControl('max-age = 3600')).toMatchObject({
      forbidsStoring: true,
      maxAge: 0,
      sMaxAge: 0,
    });
  });

  it('31: quotes and leading zeros are no obstacle', () => {
    expect(parseCacheControl('max-age="3600", s-maxage=003600')).toMatchObject({
      maxAge: 3600,
      sMaxAge: 3600,
    });
  });

  it('32: huge numbers are 2^31', () => {
    const digits = '9'.repeat(400);
    const read = parseCacheControl(`max-age=99999999999, s-maxage=${digits}, stale-if-error=${digits}`);
    expect(read).toMatchObject({ maxAge: 2 ** 31, sMaxAge: 2 ** 31, staleIfError: 2 ** 31 });
  });

  it('36-39: reads must-revalidate, proxy-revalidate, the stale windows, immutable and public', () => {
    const field =
      'must-revalidate, Proxy-Revalidate, stale-while-revalidate=5, stale-if-error=6, immutable, public';
    expect(parseCacheControl(field)).toMatchObject({
      forbidsStoring: false,
      mustRevalidate: true,
      proxyRevalidate: true,
      staleWhileRevalidate: 5,
      staleIfError: 6,
      immutable: true,
      isPublic: true,
      noTransform: false,
    });
  });

  it('takes what relaxes only in its exact form', () => {
    expect(parseCacheControl('public=1, immutable=""')).toMatchObject({ isPublic: false, immutable: false });
    expect(parseCacheControl('public, "')).toMatchObject({ isPublic: false, mustRevalidate: true });
    expect(parseCacheControl(['public', 'public=1'])).toMatchObject({ isPublic: false });
  });
});

describe('parseCacheControl, whatever comes', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('"', '\\', ',', '=', ' ', '\t', 'a', '1', 'no-store', 'max-age') }),
  );

  it('never throws, and gives lives between 0 and 2^31', () => {
    fc.assert(
      fc.property(anything, (field) => {
        const { maxAge = 0, sMaxAge = 0 } = parseCacheControl(field);
        for (const life of [maxAge, sMaxAge]) expect(life >= 0 && life <= 2 ** 31).toBe(true);
      }),
    );
  });

  it('never lets a directive that forbids go unseen among other directives', () => {
    const other = fc.constantFrom('public', 'max-age=60', 'x="a, b"', 'x="\\""', '', ' ', 'immutable', 'x=y');
    const directive = fc.constantFrom(...RESTRICTIVE).chain(spelled);
    fc.assert(
      fc.property(fc.array(other), directive, fc.array(other), (before, forbidden, after) => {
        expect(parseCacheControl([...before, forbidden, ...after].join(',')).forbidsStoring).toBe(true);
      }),
    );
  });

  it('never lets more text allow what less text forbade, line by line', () => {
    fc.assert(
      fc.property(fc.array(anything), anything, (lines, line) => {
        fc.pre(parseCacheControl(lines).forbidsStoring);
        expect(parseCacheControl([...lines, line]).forbidsStoring).toBe(true);
      }),
    );
  });

  it.each([' ', '\t', ',', ', ', '"', '\\', '="', 'a=', 'a="\\"', 'a,', '\t "'])(
    'takes twice the steps for twice as much of %j',
    (piece) => {
      for (const end of ['', '"', 'x', '=']) {
        const [once, twice] = [2000, 4000].map((count) =>
          stepsOf(() => parseCacheControl(piece.repeat(count) + end)),
        ) as [number, number];
        expect(twice).toBeLessThanOrEqual(2 * once + 50);
      }
    },
  );
});
