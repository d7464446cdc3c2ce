import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createRequire } from 'node:module';
import querystring from 'node:querystring';
import { pageSegments } from '../../libs/caching/src/page/page-key.js';
import { canonicalQuery, QueryPolicy, type QueryRule } from '../../libs/caching/src/page/query.js';

const require = createRequire(import.meta.url);
/** A package that a platform brings along. */
const partOf = (platform: string, name: string): unknown => createRequire(require.resolve(platform))(name);
const qs = partOf('express', 'qs') as { parse(query: string): object };
const fast = partOf('fastify', 'fast-querystring') as { parse(query: string): object };

/** What handlers see, by the parsers of Express (simple and extended) and of Fastify. */
const PARSERS: Record<string, (query: string) => object> = {
  querystring: (query) => querystring.parse(query),
  qs: (query) => qs.parse(query),
  'fast-querystring': (query) => fast.parse(query),
};

/** Deep equality that knows arrays and their order, and nothing of the order of properties. */
const sorted = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(sorted)
    : typeof value === 'object' && value !== null
      ? Object.entries(value)
          .map(([name, inner]) => [name, sorted(inner)] as const)
          .sort(([one], [other]) => (one < other ? -1 : 1))
      : value;
const seen = (parse: (query: string) => object, query: string): string =>
  JSON.stringify(sorted(parse(query)));

const query = fc
  .array(
    fc.string({
      unit: fc.constantFrom(
        'a',
        'b',
        '[',
        ']',
        '%5B',
        '%5D',
        '=',
        '.',
        '+',
        '%20',
        '%61',
        '%',
        '%E0%A4',
        '#',
        ';',
        '1',
      ),
      maxLength: 5,
    }),
    { maxLength: 5 },
  )
  .map((pairs) => pairs.join('&'));

describe('canonicalQuery (http.md A4 59)', () => {
  it.each([
    ['b=2&a=1&b=1', 'a=1&b=2&b=1'],
    ['a=1&%61=2', 'a=1&%61=2'],
    ['b&a=&a', 'a=&a&b'],
    ['b=1&a[]=2&a=1&a[x]=3', 'a[]=2&a=1&a[x]=3&b=1'],
    ['b=1&a.x=2&a=1', 'a.x=2&a=1&b=1'],
    ['c&a+b=2&a%20b=1', 'a+b=2&a%20b=1&c'],
    ['z=1&[a]=2&a=3', 'z=1&[a]=2&a=3'],
    ['b=1&a[=2', 'b=1&a[=2'],
    ['%E0%A4%A=1&a', '%E0%A4%A=1&a'],
    ['b=1#&a=2', 'b=1#&a=2'],
    ['a%3Db[x]=2&a=b[x]=1', 'a%3Db[x]=2&a=b[x]=1'],
  ])('makes %j %j', (given, expected) => {
    expect(canonicalQuery(given)).toBe(expected);
  });

  it('leaves more parameters than parsers read in their order', () => {
    const many = Array.from({ length: 1001 }, (_, index) => `p${1001 - index}=1`).join('&');
    expect(canonicalQuery(many)).toBe(many);
    expect(canonicalQuery('b&'.repeat(999) + 'a')).toMatch(/^a&b/);
  });

  it('is idempotent', () => {
    fc.assert(
      fc.property(query, (given) =>
        expect(canonicalQuery(canonicalQuery(given))).toBe(canonicalQuery(given)),
      ),
    );
  });

  it.each(Object.keys(PARSERS))('shows no handler anything else, by %s', (name) => {
    const parse = PARSERS[name]!;
    fc.assert(
      fc.property(query, (given) => {
        fc.pre(!given.includes('#'));
        expect(seen(parse, canonicalQuery(given))).toBe(seen(parse, given));
      }),
      { numRuns: 2000 },
    );
  });

  it('gives one text only to permutations of the same parameters', () => {
    fc.assert(
      fc.property(query, query, (one, other) => {
        fc.pre(canonicalQuery(one) === canonicalQuery(other));
        expect(one.split('&').sort()).toEqual(other.split('&').sort());
      }),
    );
  });

  it('tells a from a=, + from %20 and one spelling of an escape from another', () => {
    for (const [one, other] of [
      ['a&b', 'a=&b'],
      ['a=1+2&b', 'a=1%202&b'],
      ['a=%c3%a9&b', 'a=%C3%A9&b'],
    ] as const) {
      expect(canonicalQuery(one)).not.toBe(canonicalQuery(other));
    }
  });
});

describe('QueryPolicy', () => {
  const reduce = (rule: QueryRule, target: string): string => new QueryPolicy(rule).reduce(target);

  it.each<[QueryRule, string, string]>([
    [{}, '/a?utm_source=x&b=1', '/a?utm_source=x&b=1'],
    ['raw', '/a?b=1&a=2', '/a?b=1&a=2'],
    [{ ignore: ['utm_*', 'fbclid'] }, '/a?z=1&utm_source=x&b=1&fbclid=2&z=0', '/a?z=1&b=1&z=0'],
    [{ ignore: ['utm_*'] }, '/a?utm_source=x', '/a'],
    [{ ignore: ['utm_*'] }, '/a?%75tm_source=x&+utm_a=1&c', '/a?+utm_a=1&c'],
    [{ ignore: ['utm_*'] }, '/a?utm_x=1;lang=evil&lang=en', '/a?lang=en'],
    [{ ignore: ['a'] }, '/a?a[x]=1&a%5B%5D=2&aa=3&A=4', '/a?aa=3&A=4'],
    [{ ignore: ['a[x]'] }, '/a?a[x]=1&a[y]=2', '/a?a[y]=2'],
    [{ ignore: ['a'] }, '/a?a.x=1&a%2Ey=2&aa.x=3', '/a?aa.x=3'],
    [{ ignore: ['a b'] }, '/a?a+b=1&a%20b=2&a%2Bb=3', '/a?a%2Bb=3'],
    [{ ignore: ['*_id*x'] }, '/a?click_id=1&click_idx=2&click_id_x=3', '/a?click_id=1'],
    [{ ignore: ['.*'] }, '/a?.a=1&ba=2', '/a?ba=2'],
    [{ only: ['page', 'sort'] }, '/a?sort=a&lang=evil&page=1&page=2', '/a?sort=a&page=1&page=2'],
    [{ only: ['page'] }, '/a?%E0%A4%A=1&page', '/a?page'],
    [{ only: ['filter'] }, '/a?filter[a]=1&filters=2', '/a?filter[a]=1'],
    [{ only: [] }, '/a?a=1&b', '/a'],
    [{ only: ['a*'], ignore: ['ab'] }, '/a?a=1&ab=2&abc=3', '/a?a=1&abc=3'],
    [{ ignore: ['*'] }, '/a', '/a'],
    [{ ignore: ['b'] }, '/a?', '/a?'],
    [{ ignore: ['b'] }, '/a?b=1#&c', '/a?b=1#&c'],
  ])('%j makes %j %j', (rule, target, expected) => {
    expect(reduce(rule, target)).toBe(expected);
  });

  it('keeps the order of raw queries', () => {
    expect(new QueryPolicy('raw').canonical('b&a')).toBe('b&a');
    expect(new QueryPolicy().canonical('b&a')).toBe('a&b');
  });

  it('28: what a handler still sees decides the key: two targets with one key show it the same', () => {
    const rules = fc.constantFrom<QueryRule>(
      {},
      { ignore: ['a'] },
      { only: ['a', 'b*'] },
      { ignore: ['*1'] },
    );
    const key = (target: string): string =>
      pageSegments({ route: 'r', scheme: 's', host: 'h', target, query: new QueryPolicy() });
    fc.assert(
      fc.property(rules, query, query, (rule, one, other) => {
        const [seenOne, seenOther] = [reduce(rule, `/?${one}`), reduce(rule, `/?${other}`)];
        fc.pre(key(seenOne) === key(seenOther));
        for (const parse of Object.values(PARSERS)) {
          expect(seen(parse, seenOne.slice(2))).toBe(seen(parse, seenOther.slice(2)));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('is idempotent, and drops nothing but whole parameters', () => {
    const rules = fc.constantFrom<QueryRule>({ ignore: ['a*'] }, { only: ['a', 'b'] }, { ignore: ['*[*'] });
    fc.assert(
      fc.property(rules, query, (rule, given) => {
        const reduced = reduce(rule, `/?${given}`);
        expect(reduce(rule, reduced)).toBe(reduced);
        const left = reduced.includes('?') ? reduced.slice(2).split('&') : [];
        expect(
          given
            .split('&')
            .filter((pair) => left.includes(pair))
            .join('&'),
        ).toBe(reduced.slice(2));
      }),
    );
  });

  it('never throws', () => {
    const target = fc.string({ unit: 'binary' });
    fc.assert(fc.property(fc.array(fc.string()), target, (ignore, given) => void reduce({ ignore }, given)));
  });
});
