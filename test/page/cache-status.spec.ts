import { describe, expect, it } from '@jest/globals';
import { appendCacheStatus, type CacheStatus } from '../../libs/caching/src/page/cache-status.js';

describe('Cache-Status (RFC 9211, http.md A3 56)', () => {
  it.each<[CacheStatus, string]>([
    [{ outcome: 'hit', ttlMs: 59_999 }, 'hit; ttl=59'],
    [{ outcome: 'hit', ttlMs: -1 }, 'hit; ttl=-1'],
    [{ outcome: 'uri-miss', isStored: true }, 'fwd=uri-miss; stored'],
    [{ outcome: 'uri-miss', isStored: false, isCollapsed: true }, 'fwd=uri-miss; collapsed'],
    [{ outcome: 'vary-miss', forwardedStatus: 404 }, 'fwd=vary-miss; fwd-status=404'],
    [{ outcome: 'stale', ttlMs: -30_000 }, 'fwd=stale; ttl=-30'],
    [{ outcome: 'bypass', detail: 'authorization' }, 'fwd=bypass; detail=authorization'],
    [{ outcome: 'method' }, 'fwd=method'],
    [{ outcome: 'request', detail: 'a "b" \\ \u{1f600}' }, 'fwd=request; detail="a \\"b\\" \\\\ ?"'],
  ])('writes %j as %s', (status, expected) => {
    expect(appendCacheStatus(undefined, 'pages', status)).toBe(`pages; ${expected}`);
  });

  it('appends to what caches nearer to the origin said', () => {
    expect(appendCacheStatus('origin; hit', 'pages', { outcome: 'hit' })).toBe('origin; hit, pages; hit');
    expect(appendCacheStatus(' ', 'pages', { outcome: 'hit' })).toBe('pages; hit');
  });

  it('quotes a name that is no token of structured fields', () => {
    expect(appendCacheStatus(undefined, 'my cache', { outcome: 'hit' })).toBe('"my cache"; hit');
    expect(appendCacheStatus(undefined, '1st', { outcome: 'hit' })).toBe('"1st"; hit');
    expect(appendCacheStatus(undefined, 'a\r\nb: c', { outcome: 'hit' })).toBe('"a??b: c"; hit');
  });
});
