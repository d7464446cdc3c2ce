import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidArgumentError, InvalidDurationError } from 'nestjs-caching';
import { parseCacheControl } from '../../libs/caching/src/page/cache-control.js';
import {
  type CacheControlOptions,
  directivesOf,
  patchAnswer,
  patchCacheControl,
} from '../../libs/caching/src/page/cache-control-patch.js';

const patch = (existing: string | undefined, options: CacheControlOptions): string =>
  patchCacheControl(existing, directivesOf(options));

describe("patchCacheControl, as Django's patch_cache_control (django.md B16)", () => {
  it.each([undefined, ''])('189: %j and private is private', (existing) => {
    expect(patch(existing, { private: true })).toBe('private');
  });

  it('190: no-cache takes field names, in the quotes of RFC 9111 §5.2.2.4', () => {
    expect(patch('', { noCache: ['Set-Cookie'] })).toBe('no-cache="Set-Cookie"');
  });

  it('192: field names of no-cache add up, and a bare no-cache replaces them (HD-4)', () => {
    expect(patch('no-cache=Set-Cookie', { noCache: ['Link'] })).toBe('no-cache="Set-Cookie, Link"');
    expect(patch('no-cache="Set-Cookie, Link"', { noCache: ['Custom'] })).toBe(
      'no-cache="Set-Cookie, Link, Custom"',
    );
    expect(patch('no-cache=Set-Cookie', { noCache: true })).toBe('no-cache');
    expect(patch('no-cache', { noCache: ['Link'] })).toBe('no-cache');
  });

  it.each([
    ['private', { private: true }, 'private'],
    ['private', { public: true }, 'public'],
    ['public', { public: true }, 'public'],
    ['public', { private: true }, 'private'],
  ] as const)('193: %s and %j is %s', (existing, options, expected) => {
    expect(patch(existing, options)).toBe(expected);
  });

  it('194: the rest of the field stays', () => {
    const [isPrivate, isPublic] = ['must-revalidate,max-age=60,private', 'must-revalidate,max-age=60,public'];
    expect(patch(isPrivate, { public: true })).toBe('must-revalidate, max-age=60, public');
    expect(patch(isPublic, { private: true })).toBe('must-revalidate, max-age=60, private');
    expect(patch('must-revalidate,max-age=60', { public: true })).toBe('must-revalidate, max-age=60, public');
  });

  it('196: exactly the given directives are written, private and public together (HD-3)', () => {
    const options = { maxAge: '123s', private: true, public: true, extensions: { Custom: 456 } } as const;
    expect(patch(undefined, options)).toBe('max-age=123, private, public, custom=456');
  });

  it('HD-1: what is true is bare, what is false or absent is left out, values are quoted where they must', () => {
    const options = { noStore: false, immutable: true, extensions: { a: true, b: 'x y"' } } as const;
    expect(patch('X=1', options)).toBe('x=1, immutable, a, b="x y\\""');
    expect(patch('a, b="c d"', {})).toBe('a, b="c d"');
  });

  it('HD-2: of two lives the smaller counts', () => {
    expect(patch('max-age=60', { maxAge: '10m' })).toBe('max-age=60');
    expect(patch('max-age=6000', { maxAge: '10m' })).toBe('max-age=600');
    expect(patch('s-maxage=5, max-age=x', { sMaxAge: '1m', maxAge: '1m' })).toBe('s-maxage=5, max-age=0');
    expect(patch('max-age=5, max-age=3', {})).toBe('max-age=3');
  });

  it('HD-6: a negative life is 0', () => {
    expect(patch('', { maxAge: -5000, sMaxAge: 0 })).toBe('max-age=0, s-maxage=0');
  });

  it('knows every directive', () => {
    const all: Required<Omit<CacheControlOptions, 'extensions'>> = {
      maxAge: '1m',
      sMaxAge: 1500,
      private: ['x-a'],
      public: true,
      noStore: true,
      noCache: true,
      noTransform: true,
      mustRevalidate: true,
      proxyRevalidate: true,
      mustUnderstand: true,
      immutable: true,
      staleWhileRevalidate: '1h',
      staleIfError: '2h',
    };
    expect(patch('', all)).toBe(
      'max-age=60, s-maxage=1, private="x-a", public, no-store, no-cache, no-transform, must-revalidate, ' +
        'proxy-revalidate, must-understand, immutable, stale-while-revalidate=3600, stale-if-error=7200',
    );
  });
});

describe('directivesOf', () => {
  it.each([
    { maxAge: 60 },
    { sMaxAge: '250ms' },
    { noCache: [] },
    { private: ['a b'] },
    { extensions: { 'a b': 1 } },
    { extensions: { a: 'x\r\nset-cookie: y' } },
    { maxage: 5 },
  ])('refuses %j', (options) => {
    expect(() => directivesOf(options as CacheControlOptions)).toThrow(InvalidArgumentError);
  });

  it('names the seconds that were probably meant, and refuses what is no duration', () => {
    expect(() => directivesOf({ maxAge: 60 })).toThrow("did you mean '60s'?");
    expect(() => directivesOf({ maxAge: 'soon' as never })).toThrow(InvalidDurationError);
  });
});

describe('a field that a handler has set', () => {
  it.each(['private', 'no-store', 'no-cache', 'private="x'])(
    'keeps its %s beside a public of the decorator',
    (field) => {
      const patched = patchAnswer(field, directivesOf({ public: true, maxAge: '1m' }));
      expect(parseCacheControl(patched)).toMatchObject({ forbidsStoring: true, isPublic: false });
    },
  );

  it('gets only restrictive directives if it cannot be read, in front, where no open quote hides them', () => {
    expect(patch('private="x', { maxAge: '1m', noStore: true })).toBe('no-store, private="x');
    expect(patch('private="x', { maxAge: '1m' })).toBe('private="x');
  });

  it('never becomes storable by a patch, and a patched field is patched alike again', () => {
    const field = fc.string({
      unit: fc.constantFrom('private', 'no-store', 'max-age=5', ',', '"', '=', ' ', 'x'),
    });
    const options = fc.record(
      {
        public: fc.boolean(),
        maxAge: fc.constantFrom('1m', '5s'),
        immutable: fc.boolean(),
        noCache: fc.boolean(),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(field, options, (existing, given) => {
        const directives = directivesOf(given);
        const once = patchAnswer(existing, directives);
        if (parseCacheControl(existing).forbidsStoring)
          expect(parseCacheControl(once).forbidsStoring).toBe(true);
        if (!parseCacheControl(existing).isMalformed) expect(patchAnswer(once, directives)).toBe(once);
      }),
    );
  });
});
