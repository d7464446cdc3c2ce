import { describe, expect, it } from '@jest/globals';
import { HeaderLookup, type HeaderValues } from '../../libs/caching/src/page/header-lookup.js';
import {
  bypassReason,
  hasCredentials,
  type LifePolicy,
  lifeOf,
  type PageLife,
} from '../../libs/caching/src/page/page-policy.js';

const NOW = Date.UTC(2026, 10, 24, 12);
const MINUTE: LifePolicy = {
  ttlMs: 60_000,
  statuses: undefined,
  revalidateMs: undefined,
  errorMs: undefined,
};

/** What a policy makes of a response. */
const lived = (
  policy: Partial<LifePolicy>,
  status: number,
  headers: HeaderValues = {},
): PageLife | undefined =>
  lifeOf({ status, headers: new HeaderLookup(headers) }, { ...MINUTE, ...policy }, NOW);

// Policies are plain objects: what they say of requests and responses needs no server.
describe('the policy of a route (http.md A1, A2)', () => {
  it.each([102, 206, 304, 500, 503, 599])(
    '13, 17 to 19: never stores a %d, though it is listed and says for how long',
    (status) => {
      const headers = { 'cache-control': 's-maxage=60, public' };
      for (const ttlMs of [60_000, undefined])
        expect(lived({ ttlMs, statuses: [status] }, status, headers)).toBeUndefined();
    },
  );

  it('51: never stores an event stream, in any spelling, with any parameters', () => {
    for (const type of ['text/event-stream', 'Text/Event-Stream; charset=utf-8', 'text/event-stream;x=y'])
      expect(lived({}, 200, { 'content-type': type })).toBeUndefined();
    expect(lived({}, 200, { 'content-type': 'text/plain' })?.ttlMs).toBe(60_000);
  });

  it('stores for ever, for no time, or as long as the response shortens it to', () => {
    expect(lived({ ttlMs: null }, 200)?.ttlMs).toBeNull();
    expect(lived({ ttlMs: null }, 200, { 'cache-control': 's-maxage=5' })?.ttlMs).toBe(5000);
    expect(lived({ ttlMs: 0 }, 200)).toBeUndefined();
    expect(lived({ ttlMs: -1 }, 200)).toBeUndefined();
  });

  it('36: takes its own stale windows, else those of the response, and none that it forbids', () => {
    const said = { 'cache-control': 'stale-while-revalidate=5, stale-if-error=7' };
    expect(lived({}, 200, said)).toMatchObject({ revalidateMs: 5000, errorMs: 7000 });
    expect(lived({ revalidateMs: 1, errorMs: 2 }, 200, said)).toMatchObject({ revalidateMs: 1, errorMs: 2 });
    for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=5'])
      expect(lived({ revalidateMs: 1, errorMs: 2 }, 200, { 'cache-control': directive })).toMatchObject({
        revalidateMs: 0,
        errorMs: 0,
      });
  });

  it('12: knows a session cookie anywhere in the field, by its whole name', () => {
    const has = (cookie: string): boolean => hasCredentials({ cookie }, ['sid']);
    for (const cookie of ['sid=1', 'a=b; sid=1', 'a=b;sid=1', 'a=b;\tsid =1', 'sid='])
      expect(has(cookie)).toBe(true);
    for (const cookie of ['xsid=1', 'sidx=1', 'a=sid=1', 'sid', 'SID=1', '']) expect(has(cookie)).toBe(false);
    expect(hasCredentials({ authorization: '' }, [])).toBe(true);
  });

  it('13, 20, 47: leaves requests to the handler that are no plain GET or HEAD', () => {
    const of = (
      headers: Record<string, string>,
      method = 'GET',
      originalMethod?: string,
    ): string | undefined =>
      bypassReason({ method, headers, ...(originalMethod !== undefined && { originalMethod }) });
    expect([of({}), of({}, 'HEAD'), of({ 'content-length': '0' })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect([of({}, 'POST'), of({}, 'GET', 'POST')]).toEqual(['method', 'method']);
    for (const name of ['range', 'if-match', 'if-unmodified-since', 'transfer-encoding', 'content-length'])
      expect([name, of({ [name]: '1' })]).toEqual([name, 'bypass']);
  });
});
