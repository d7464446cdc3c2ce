import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { HeaderLookup } from '../../libs/caching/src/page/header-lookup.js';
import { parseCacheControl } from '../../libs/caching/src/page/cache-control.js';
import { isNotModified } from '../../libs/caching/src/page/conditional.js';
import { parseHttpDate } from '../../libs/caching/src/page/http-date.js';
import { lifeOf } from '../../libs/caching/src/page/page-policy.js';
import { foldPath } from '../../libs/caching/src/page/page-tags.js';
import { canonicalQuery } from '../../libs/caching/src/page/query.js';
import { parseVary } from '../../libs/caching/src/page/vary.js';
import { type AnyRequest, PageApp } from '../support/page-app.js';
import { PLATFORMS } from '../support/test-app.js';

/** Text that is likely to mean something in a header field. */
const FIELD = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'no-store',
        'private',
        'no-cache',
        'max-age=',
        '60',
        's-maxage=60',
        'public',
        'W/',
        '*',
        'GMT',
      ),
      fc.constantFrom(',', ' ', '\t', '"', '=', ';', '\\', "'", '-', '%', '(', ')'),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ),
    { maxLength: 12 },
  )
  .map((pieces) => pieces.join(''));
const LINES = fc.array(FIELD, { maxLength: 4 });

describe('the readers of header fields', () => {
  it('never throw, whatever they are given', () => {
    fc.assert(
      fc.property(LINES, FIELD, (lines, field) => {
        parseCacheControl(lines);
        parseVary(lines);
        parseHttpDate(field);
        canonicalQuery(field);
        foldPath(field);
        isNotModified({ ifNoneMatch: field, ifModifiedSince: field }, field, field);
        lifeOf(responseWith({ 'cache-control': lines, expires: field, age: field, date: field }), TTL, 0);
      }),
      { numRuns: 1000 },
    );
  });

  it('never store a response in one of whose lines a word that forbids it stands by itself', () => {
    const forbidding = fc.constantFrom(
      'no-store',
      'private',
      'no-cache',
      'No-Store',
      'PRIVATE',
      'no-cache="a"',
      'private=',
    );
    fc.assert(
      fc.property(
        LINES,
        LINES,
        fc.constantFrom('', ' ', '\t', ',', ' , '),
        forbidding,
        (before, after, blank, word) => {
          const lines = [...before, `${blank}${word}${blank}`, ...after];
          for (const policy of [TTL, { ...TTL, ttlMs: undefined }])
            expect(lifeOf(responseWith({ 'cache-control': lines, age: '0' }), policy, 0)).toBeUndefined();
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('never store what they cannot read: a quote that does not end, two words without a comma', () => {
    fc.assert(
      fc.property(FIELD, fc.constantFrom(', x="', ', a b', ', ="', ', (', ', a=b=c,@'), (field, broken) => {
        // Inside of a quote of the field anything may stand; then the field itself is not read.
        const lines = [field.replaceAll('"', '') + broken];
        expect(lifeOf(responseWith({ 'cache-control': lines }), TTL, 0)).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });

  it('never grant a life beyond that of the route or of s-maxage', () => {
    fc.assert(
      fc.property(LINES, fc.nat(100), (lines, seconds) => {
        const life = lifeOf(responseWith({ 'cache-control': [...lines, `s-maxage=${seconds}`] }), TTL, 0);
        expect(life?.ttlMs ?? 0).toBeLessThanOrEqual(Math.min(60, seconds) * 1000);
      }),
      { numRuns: 1000 },
    );
  });

  it('take every name of Vary, in any case, or everything as one that is unbounded', () => {
    fc.assert(
      fc.property(
        LINES,
        fc.constantFrom('X-Tenant', 'x-tenant', ' X-TENANT\t'),
        LINES,
        (before, name, after) => {
          const { isUnbounded, names } = parseVary([...before, name, ...after]);
          expect(isUnbounded || names.includes('x-tenant')).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

const TTL = { ttlMs: 60_000, statuses: undefined, revalidateMs: undefined, errorMs: undefined };
function responseWith(headers: Record<string, string | readonly string[]>) {
  return { status: 200, headers: new HeaderLookup(headers) };
}

const NAMES = ['x-a', 'x-b', 'accept-language', 'x-forwarded-host', 'x-original-url', 'accept', 'user-agent'];
/** A request of which the answer says everything that the route may show. */
const REQUEST = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'OPTIONS'),
  path: fc.constantFrom(
    '/p/a',
    '/p/a/',
    '/p/A',
    '/p/%61',
    '/w/a/b',
    '/w/a%2Fb',
    '/w/a%2fb',
    '/w/..%2fp/a',
    '/p/a;b',
    '//p/a',
  ),
  query: fc.constantFrom(
    '',
    '?',
    '?a',
    '?a=',
    '?a=1',
    '?a=1&b=2',
    '?b=2&a=1',
    '?a=1&a=2',
    '?a[]=1',
    '?a[b]=1',
    '?utm_x=1',
    '?a=1;b=2',
    '?a=%31',
    '?a=1#b',
  ),
  host: fc.constantFrom('a.example', 'b.example', 'A.example', 'a.example:81'),
  headers: fc.dictionary(
    fc.constantFrom(...NAMES),
    fc.constantFrom('', '1', 'a', 'a, b', 'a:b', '%00', '__proto__'),
    { maxKeys: 3 },
  ),
});
type Asked = typeof REQUEST extends fc.Arbitrary<infer T> ? T : never;

describe.each(PLATFORMS)('requests on %s', (platform) => {
  const pages = new PageApp(platform);
  beforeAll(async () => {
    await pages.start(pages.controller('10m', { query: { ignore: ['utm_*'] }, statuses: [200, 404] }));
  });
  afterAll(() => pages.close());

  /** What only the handler can know, and the path says which part of it it looks at: no two may be mixed up. */
  const readsOf = (path: string): string[] => NAMES.filter((_name, index) => path.length % 3 === index % 3);

  it('are answered with what their own run would have answered, whatever came before', async () => {
    pages.handle = ({ headers, host, url, query, method }: AnyRequest, _reply, run) => {
      const read = readsOf(url.split('?')[0] ?? '').map((name) => [name, headers[name] ?? null]);
      return JSON.stringify({ saw: [method, host, url, query, read], run });
    };
    const sawOf = (text: string): unknown => (JSON.parse(text) as { saw: unknown }).saw;
    /** The same request past the cache: a part that is asked for is for the handler. */
    const fresh = async ({ method, path, query, host, headers }: Asked) =>
      pages.raw(path + query, { ...headers, host, range: 'bytes=0-' }, method === 'HEAD' ? 'GET' : method);
    let hits = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(REQUEST, { minLength: 1, maxLength: 8 }), async (requests) => {
        for (const asked of [...requests, ...requests]) {
          const { method, path, query, host, headers } = asked;
          const answer = await pages.raw(path + query, { ...headers, host }, method);
          if (answer.status !== 200 || method === 'HEAD') continue;
          if (answer.headers['age'] !== undefined) hits += 1;
          const expected = sawOf((await fresh(asked)).text) as [string, string, string, object, unknown];
          const saw = sawOf(answer.text) as typeof expected;
          // What does not count is hidden from a run that may be stored, and permutations of a query share a page.
          expect([saw[0], saw[1], saw[4]]).toEqual([expected[0], expected[1], expected[4]]);
          expect(reduced(saw[2])).toBe(reduced(expected[2]));
        }
      }),
      { numRuns: 40 },
    );
    // Else nothing was shown of a cache.
    expect(hits).toBeGreaterThan(20);
  }, 120_000);

  /** A target as the policy of the route sees it. */
  function reduced(target: string): string {
    const [path = '', query] = target.split(/\?(.*)/s, 2);
    if (query === undefined || query.includes('#')) return target;
    const kept = query.split('&').filter((parameter) => !parameter.startsWith('utm_'));
    if (kept.length === 0) return path;
    return `${path}?${kept.sort((a, b) => (rootOf(a) < rootOf(b) ? -1 : rootOf(a) > rootOf(b) ? 1 : 0)).join('&')}`;
  }
  const rootOf = (parameter: string): string => parameter.split(/[=[]/, 1)[0] ?? '';
});
