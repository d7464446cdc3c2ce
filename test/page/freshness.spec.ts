import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseCacheControl } from '../../libs/caching/src/page/cache-control.js';
import { type Freshness, freshnessOf, staleWindowsOf } from '../../libs/caching/src/page/freshness.js';
import { formatHttpDate } from '../../libs/caching/src/page/http-date.js';

const NOW = Date.UTC(2026, 10, 24);
const at = (seconds: number): string => formatHttpDate(NOW + seconds * 1000);
const fresh = (headers: Record<string, string>): Freshness | undefined =>
  freshnessOf((name) => headers[name], NOW);
const seconds = (headers: Record<string, string>): number | undefined => {
  const found = fresh(headers);
  return found && found.ttlMs / 1000;
};

describe('freshness from the headers of a response (http.md A2)', () => {
  it('26: s-maxage, else max-age, else Expires minus Date, else none', () => {
    const expires = at(100);
    expect(seconds({ 'cache-control': 'max-age=60, s-maxage=30', expires })).toBe(30);
    expect(seconds({ 'cache-control': 'max-age=60', expires })).toBe(60);
    expect(seconds({ expires, date: at(0) })).toBe(100);
    expect(seconds({ expires })).toBe(100);
    expect(seconds({ 'cache-control': 'public' })).toBeUndefined();
  });

  it('26: nothing is guessed from Last-Modified', () => {
    expect(seconds({ 'last-modified': at(-1e6), date: at(0) })).toBeUndefined();
  });

  it('2-4, 8: what forbids storing or is zero gives none, whatever else is there', () => {
    for (const directive of ['no-store', 'private', 'no-cache', 'max-age=0', 's-maxage=0', 'max-age=x']) {
      expect([directive, seconds({ 'cache-control': `max-age=60, ${directive}`, expires: at(9) })]).toEqual([
        directive,
        undefined,
      ]);
    }
    expect(seconds({ 'cache-control': 'max-age=60; public', expires: at(9) })).toBeUndefined();
  });

  it.each([
    ['0'],
    ['Thu, 18 Aug 50 02:01:18 GMT'],
    ['Wed, 25 Nov 2026 00:00:00 PST'],
    [`${formatHttpDate(Date.UTC(2027, 0))}, ${formatHttpDate(Date.UTC(2027, 0))}`],
    ['-1'],
  ])('33: Expires %j has expired', (expires) => {
    expect(seconds({ expires })).toBeUndefined();
  });

  it('34: Age counts, by the first of a list, and counts as nothing if it is no number', () => {
    expect(seconds({ 'cache-control': 'max-age=60', age: '20' })).toBe(40);
    expect(seconds({ 'cache-control': 'max-age=60', age: '20, 50' })).toBe(40);
    expect(seconds({ 'cache-control': 'max-age=60', age: '-20' })).toBe(60);
    expect(seconds({ 'cache-control': 'max-age=60', age: 'x' })).toBe(60);
    expect(seconds({ 'cache-control': 'max-age=60', age: '60' })).toBeUndefined();
    expect(seconds({ 'cache-control': 'max-age=60', age: '9'.repeat(400) })).toBeUndefined();
  });

  it('35: a Date in the past makes older, one in the future never longer', () => {
    expect(seconds({ 'cache-control': 'max-age=60', date: at(-10) })).toBe(50);
    expect(seconds({ 'cache-control': 'max-age=60', date: at(10) })).toBe(60);
    expect(seconds({ expires: at(60), date: at(-10) })).toBe(60);
    expect(seconds({ expires: at(60), date: at(10) })).toBe(50);
    expect(seconds({ 'cache-control': 'max-age=60', date: at(-10), age: '15' })).toBe(45);
    expect(seconds({ expires: at(60), date: 'rubbish' })).toBeUndefined();
  });

  it('36: must-revalidate, proxy-revalidate, s-maxage and no-cache forbid stale windows', () => {
    const windows = 'max-age=60, stale-while-revalidate=5, stale-if-error=6';
    expect(staleWindowsOf(parseCacheControl(windows))).toEqual({
      staleWhileRevalidateMs: 5000,
      staleIfErrorMs: 6000,
    });
    for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=9', 'no-cache', '"']) {
      expect(staleWindowsOf(parseCacheControl(`${windows}, ${directive}`))).toEqual({
        staleWhileRevalidateMs: 0,
        staleIfErrorMs: 0,
      });
    }
  });

  it('37-38: grants the stale windows that the response names', () => {
    const headers = { 'cache-control': 'max-age=60, stale-while-revalidate=5, stale-if-error=6' };
    expect(fresh(headers)).toEqual({ ttlMs: 60_000, staleWhileRevalidateMs: 5000, staleIfErrorMs: 6000 });
  });

  it('39: immutable extends nothing', () => {
    expect(seconds({ 'cache-control': 'max-age=60, immutable' })).toBe(60);
    expect(seconds({ 'cache-control': 'immutable' })).toBeUndefined();
  });

  it('32: is never over 2^31 seconds', () => {
    expect(seconds({ 'cache-control': `max-age=${'9'.repeat(20)}` })).toBe(2 ** 31);
    expect(seconds({ expires: 'Fri, 31 Dec 9999 23:59:59 GMT' })).toBe(2 ** 31);
  });

  it('never throws, and what it gives is a positive whole number', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('max-age=5', 's-maxage=1', at(5), at(-5), '3'));
    const headers = fc.dictionary(fc.constantFrom('cache-control', 'expires', 'date', 'age'), text);
    fc.assert(
      fc.property(headers, (given) => {
        const found = fresh(given);
        if (found !== undefined) expect(Number.isSafeInteger(found.ttlMs) && found.ttlMs > 0).toBe(true);
      }),
    );
  });
});
