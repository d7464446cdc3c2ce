import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  evaluatePreconditions,
  isEntityTag,
  isKeptByNotModified,
  isNotModified,
  type Preconditions,
  type Validators,
} from '../../libs/caching/src/page/conditional.js';
import { stepsOf } from '../support/steps.js';

const DATE = 'Mon, 23 Nov 2026 10:00:00 GMT';
const OLDER = 'Mon, 23 Nov 2026 09:59:59 GMT';
const NEWER = 'Mon, 23 Nov 2026 10:00:01 GMT';
/** With a fraction of a second, which no header can say. */
const CURRENT: Validators = { etag: '"a"', lastModified: Date.UTC(2026, 10, 23, 10) + 999 };

function verdict(method: string, asked: Partial<Preconditions>, current: Validators = CURRENT): string {
  const none = {
    ifMatch: undefined,
    ifUnmodifiedSince: undefined,
    ifNoneMatch: undefined,
    ifModifiedSince: undefined,
  };
  return evaluatePreconditions(method, { ...none, ...asked }, current);
}

describe('If-None-Match (http.md A3)', () => {
  it.each([
    '"a"',
    'W/"a"',
    '"x", W/"a"',
    '*',
    '"x" , "a"',
    '"with,comma", "a"',
    ',, "a"',
    '"a", rubbish',
    '\t"a"\t',
  ])('44: %j has the tag, by weak comparison', (list) => {
    for (const etag of ['"a"', 'W/"a"']) {
      expect(isNotModified({ ifNoneMatch: list, ifModifiedSince: undefined }, etag, undefined)).toBe(true);
    }
  });

  it.each([
    '"b"',
    '"',
    '"""',
    'a',
    '"a',
    '',
    'w/"a"',
    'W/ "a"',
    '"A"',
    '"a" "b"',
    'rubbish, "a"',
    '**',
    '"a\\""',
  ])('44: %j has not', (list) => {
    expect(isNotModified({ ifNoneMatch: list, ifModifiedSince: undefined }, '"a"', undefined)).toBe(false);
  });

  it('44: a backslash in a tag is a character like others', () => {
    const asked = { ifNoneMatch: '"a\\"', ifModifiedSince: undefined };
    expect(isNotModified(asked, '"a\\"', undefined)).toBe(true);
  });

  it('44: nothing matches where there is no tag, * included', () => {
    expect(isNotModified({ ifNoneMatch: '*', ifModifiedSince: undefined }, undefined, undefined)).toBe(false);
  });

  it('45: takes precedence over If-Modified-Since, also if it is malformed', () => {
    for (const ifNoneMatch of ['"b"', '"""', '']) {
      expect(isNotModified({ ifNoneMatch, ifModifiedSince: DATE }, '"a"', DATE)).toBe(false);
    }
  });

  it('46: If-Modified-Since counts in all three forms, and only as a whole date', () => {
    const since = (ifModifiedSince: string): boolean =>
      isNotModified({ ifNoneMatch: undefined, ifModifiedSince }, '"a"', DATE);
    for (const date of [DATE, NEWER, 'Monday, 23-Nov-26 10:00:00 GMT', 'Mon Nov 23 10:00:00 2026']) {
      expect([date, since(date)]).toEqual([date, true]);
    }
    for (const date of [OLDER, 'rubbish', '2026-11-24', 'Mon, 23 Nov 2026 10:00:00']) {
      expect([date, since(date)]).toEqual([date, false]);
    }
  });

  it('44: a 304 repeats these headers', () => {
    const kept = ['cache-control', 'content-location', 'date', 'etag', 'expires', 'last-modified', 'vary'];
    const dropped = ['content-type', 'content-length', 'content-language', 'content-encoding'];
    expect([...kept, ...dropped].filter(isKeptByNotModified)).toEqual(kept);
  });
});

describe('evaluatePreconditions (django.md B20)', () => {
  it('253: without conditions the handler runs', () => {
    expect(verdict('GET', {})).toBe('proceed');
  });

  it('254: If-Modified-Since equal or newer is 304, and nothing on PUT', () => {
    expect(verdict('GET', { ifModifiedSince: DATE })).toBe('not-modified');
    expect(verdict('GET', { ifModifiedSince: NEWER })).toBe('not-modified');
    expect(verdict('GET', { ifModifiedSince: OLDER })).toBe('proceed');
    expect(verdict('GET', { ifModifiedSince: 'rubbish' })).toBe('proceed');
    expect(verdict('PUT', { ifModifiedSince: DATE })).toBe('proceed');
  });

  it('256: If-Unmodified-Since equal, newer or invalid goes on, older is 412', () => {
    for (const date of [DATE, NEWER, 'rubbish'])
      expect(verdict('GET', { ifUnmodifiedSince: date })).toBe('proceed');
    for (const method of ['GET', 'PUT']) {
      expect(verdict(method, { ifUnmodifiedSince: OLDER })).toBe('precondition-failed');
    }
  });

  it('257: If-None-Match equal or in a list is 304 for GET and 412 for PUT', () => {
    for (const ifNoneMatch of ['"a"', '"b", "a"', '*']) {
      expect(verdict('GET', { ifNoneMatch })).toBe('not-modified');
      expect(verdict('PUT', { ifNoneMatch })).toBe('precondition-failed');
    }
    expect(verdict('GET', { ifNoneMatch: '"b"' })).toBe('proceed');
    expect(verdict('PUT', { ifNoneMatch: '*' }, { etag: undefined, lastModified: undefined })).toBe(
      'proceed',
    );
  });

  it('258: weak and strong tags match for If-None-Match both ways', () => {
    for (const [ifNoneMatch, etag] of [
      ['W/"a"', '"a"'],
      ['"a"', 'W/"a"'],
    ] as const) {
      expect(verdict('GET', { ifNoneMatch }, { ...CURRENT, etag })).toBe('not-modified');
      expect(verdict('PUT', { ifNoneMatch }, { ...CURRENT, etag })).toBe('precondition-failed');
    }
  });

  it('260: If-Match equal goes on; another tag, any weak tag and what is no tag are 412', () => {
    expect(verdict('PUT', { ifMatch: '"a"' })).toBe('proceed');
    expect(verdict('PUT', { ifMatch: '"b", "a"' })).toBe('proceed');
    for (const ifMatch of ['"b"', 'W/"a"', '', '"""']) {
      expect(verdict('PUT', { ifMatch })).toBe('precondition-failed');
    }
    expect(verdict('PUT', { ifMatch: 'W/"a"' }, { ...CURRENT, etag: 'W/"a"' })).toBe('precondition-failed');
    expect(verdict('PUT', { ifMatch: '"a"' }, { ...CURRENT, etag: 'W/"a"' })).toBe('precondition-failed');
  });

  it('261: If-Match * goes on where there is a tag, and is 412 where there is none', () => {
    expect(verdict('GET', { ifMatch: '*' })).toBe('proceed');
    expect(verdict('GET', { ifMatch: '*' }, { ...CURRENT, etag: undefined })).toBe('precondition-failed');
  });

  it('262: If-None-Match makes If-Modified-Since irrelevant', () => {
    for (const [ifNoneMatch, ifModifiedSince, expected] of [
      ['"a"', DATE, 'not-modified'],
      ['"a"', OLDER, 'not-modified'],
      ['"b"', DATE, 'proceed'],
      ['"b"', OLDER, 'proceed'],
    ] as const) {
      expect(verdict('GET', { ifNoneMatch, ifModifiedSince })).toBe(expected);
    }
  });

  it('264: with a date alone If-None-Match finds nothing, with a tag alone If-Modified-Since does', () => {
    expect(verdict('GET', { ifNoneMatch: '"a"' }, { ...CURRENT, etag: undefined })).toBe('proceed');
    expect(verdict('GET', { ifModifiedSince: DATE }, { ...CURRENT, lastModified: undefined })).toBe(
      'proceed',
    );
  });

  it('265: If-Unmodified-Since on what has only a tag is 412', () => {
    expect(verdict('PUT', { ifUnmodifiedSince: DATE }, { ...CURRENT, lastModified: undefined })).toBe(
      'precondition-failed',
    );
  });

  it('266: HEAD is as GET', () => {
    expect(verdict('HEAD', { ifNoneMatch: '"a"' })).toBe('not-modified');
    expect(verdict('HEAD', { ifModifiedSince: DATE })).toBe('not-modified');
    expect(verdict('HEAD', { ifMatch: '"b"' })).toBe('precondition-failed');
  });

  it('HD-12: If-Match comes before all, and If-Unmodified-Since counts only without it', () => {
    expect(verdict('GET', { ifMatch: '"b"', ifNoneMatch: '"a"' })).toBe('precondition-failed');
    expect(verdict('GET', { ifMatch: '"a"', ifUnmodifiedSince: OLDER })).toBe('proceed');
    expect(verdict('GET', { ifMatch: '"a"', ifNoneMatch: '"a"' })).toBe('not-modified');
    expect(verdict('GET', { ifUnmodifiedSince: OLDER, ifNoneMatch: '"a"' })).toBe('precondition-failed');
  });

  it('268: an invalid tag in the request matches nothing', () => {
    expect(verdict('GET', { ifNoneMatch: '"""' })).toBe('proceed');
  });
});

describe('lists of tags, whatever comes', () => {
  const tag = fc
    .tuple(
      fc.constantFrom('', 'W/'),
      fc.string({ unit: fc.constantFrom('a', ',', '\\', '*', 'W', '/', 'é') }),
    )
    .map(([weak, opaque]) => `${weak}"${opaque}"`);

  it('are told apart tag by tag', () => {
    fc.assert(
      fc.property(fc.array(tag), tag, (tags, current) => {
        const opaque = (text: string): string => text.replace(/^W\//, '');
        const asked = { ifNoneMatch: tags.join(', '), ifModifiedSince: undefined };
        expect(isEntityTag(current)).toBe(true);
        expect(isNotModified(asked, current, undefined)).toBe(tags.map(opaque).includes(opaque(current)));
      }),
    );
  });

  it.each(['', 'a', '"a', '"a" ', '"a", b', '"a","b"', 'w/"a"', '"a b"', '"\u0100"', '*'])(
    '%j is no single tag',
    (text) => {
      expect(isEntityTag(text)).toBe(false);
    },
  );

  it('never throw, and never match a tag that is not in the text', () => {
    fc.assert(
      fc.property(fc.string(), tag, (list, current) => {
        fc.pre(list.trim() !== '*' && !list.includes(current.replace(/^W\//, '')));
        expect(isNotModified({ ifNoneMatch: list, ifModifiedSince: undefined }, current, undefined)).toBe(
          false,
        );
      }),
    );
  });

  it.each([' ', ',', '"', '"a', '"a",', 'W/', '\t,', '"\\'])(
    'take twice the steps for twice as much of %j',
    (piece) => {
      const [once, twice] = [2000, 4000].map((count) =>
        stepsOf(() => verdict('GET', { ifNoneMatch: `${piece.repeat(count)}x` })),
      ) as [number, number];
      expect(twice).toBeLessThanOrEqual(2 * once + 50);
    },
  );
});
