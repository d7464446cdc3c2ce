import type { IncomingHttpHeaders } from 'node:http';
import { type CacheControl, parseCacheControl } from './cache-control.js';
import {
  ageIn,
  freshnessOf,
  type StaleWindows,
  staleWindowsOf,
  STATUSES_WITH_OWN_FRESHNESS,
} from './freshness.js';
import { HeaderLookup } from './header-lookup.js';
import { parseHttpDate } from './http-date.js';
import type { StoredPage } from './stored-page.js';

/** The part of a request that decides whether the cache has a say in it. */
export interface RequestHead {
  readonly method: string;
  /** What came, where `method-override` or the like has put another method in its place. */
  readonly originalMethod?: unknown;
  readonly headers: IncomingHttpHeaders;
}

/** The part of a response that decides whether it is stored, and for how long. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderLookup;
}

/** How pages of a route live. Milliseconds. */
export interface LifePolicy {
  /** `null` for ever; `undefined`: as the response's own headers say. */
  readonly ttlMs: number | null | undefined;
  /** `undefined`: 200, and with a life by headers all that RFC 9110 §15.1 allows. */
  readonly statuses: readonly number[] | undefined;
  /** `undefined`: as the response says. */
  readonly revalidateMs: number | undefined;
  readonly errorMs: number | undefined;
}

/** How long a page may be used. Milliseconds. */
export interface PageLife {
  readonly ttlMs: number | null;
  readonly revalidateMs: number;
  readonly errorMs: number;
}

/** Why a request goes past the cache, in both directions. */
export type Bypass = 'method' | 'bypass';

/**
 * Why the cache has no say in this request: it is not a GET or HEAD, has a body, or asks for a part or for what only the
 * handler can compare (RFC 9111 §4.3.2). Whose request it is, is another question: {@link hasCredentials}.
 */
export function bypassReason({ method, originalMethod, headers }: RequestHead): Bypass | undefined {
  if (method !== 'GET' && method !== 'HEAD') return 'method';
  if (originalMethod !== undefined && originalMethod !== method) return 'method';
  const hasBody =
    headers['transfer-encoding'] !== undefined ||
    (headers['content-length'] !== undefined && headers['content-length'] !== '0');
  const isForHandler =
    headers.range !== undefined ||
    headers['if-match'] !== undefined ||
    headers['if-unmodified-since'] !== undefined;
  return hasBody || isForHandler ? 'bypass' : undefined;
}

/** Whether a request says whose it is: by `Authorization`, or by a cookie that names a session. */
export function hasCredentials(headers: IncomingHttpHeaders, sessionCookies: readonly string[]): boolean {
  if (headers.authorization !== undefined) return true;
  const { cookie } = headers;
  if (cookie === undefined || sessionCookies.length === 0) return false;
  return cookie.split(';').some((pair) => {
    const equals = pair.indexOf('=');
    return equals !== -1 && sessionCookies.includes(pair.slice(0, equals).trim());
  });
}

/** What a client asks of caches that a route may honour: a new answer (`no-cache`, `max-age=0`, `Pragma`). */
export function asksForReload(headers: IncomingHttpHeaders): boolean {
  const field = headers['cache-control'];
  if (field === undefined) return /no-cache/i.test(headers.pragma ?? '');
  const { noCache, maxAge } = parseCacheControl(field);
  return noCache || maxAge === 0;
}

/** Whether the answer to a request must not be stored, though a stored one may be used (RFC 9111 §5.2.1.5). */
export function forbidsStoring(headers: IncomingHttpHeaders): boolean {
  const field = headers['cache-control'];
  if (field === undefined) return false;
  const { noStore, isMalformed } = parseCacheControl(field);
  return noStore || isMalformed;
}

/**
 * How long a response may be used; `undefined`: it may not be stored. The handler may shorten the life of the route and
 * never lengthen it; a positive `max-age` is for browsers (RFC 9111 §3, §5.2.2).
 */
export function lifeOf(response: ResponseHead, policy: LifePolicy, now: number): PageLife | undefined {
  const { status, headers } = response;
  const { ttlMs } = policy;
  const statuses = policy.statuses ?? (ttlMs === undefined ? STATUSES_WITH_OWN_FRESHNESS : [200]);
  if (!statuses.includes(status) || status >= 500 || status < 200 || status === 206 || status === 304)
    return undefined;
  if (isVetoed(headers)) return undefined;
  if (headers.text('content-encoding') !== undefined || headers.text('content-range') !== undefined)
    return undefined;
  // It has no end that means anything, though this one has ended.
  if (headers.text('content-type')?.toLowerCase().startsWith('text/event-stream') === true) return undefined;
  const said = parseCacheControl(headers.lines('cache-control'));
  const windows = windowsOf(said, policy);
  if (ttlMs === undefined) {
    const own = freshnessOf((name) => headers.text(name), now);
    return own && { ...windows, ttlMs: own.ttlMs };
  }
  const life = Math.min(ttlMs ?? Infinity, sharedLife(said, headers, now) ?? Infinity);
  if (life <= 0) return undefined;
  return { ...windows, ttlMs: life === Infinity ? null : life };
}

/**
 * How long a stored page lives by its route and its own headers, in milliseconds from its making; `null` for ever, `undefined`
 * if nobody can tell. A header that would have forbidden to store it is our own word to browsers (`clientTtl`).
 */
export function storedLife(
  { status, headers, ageSeconds }: StoredPage,
  policy: LifePolicy,
  createdAt: number,
): number | null | undefined {
  const said = new HeaderLookup({ ...Object.fromEntries(headers), age: ageSeconds });
  // The stored `Date` knows whole seconds only.
  const life = lifeOf({ status, headers: said }, policy, createdAt - (createdAt % 1000));
  return life === undefined ? policy.ttlMs : life.ttlMs;
}

/** What forbids storing whenever it is seen, also after the response was composed: late cookies, late headers. */
export function isVetoed(headers: HeaderLookup): boolean {
  if (headers.text('set-cookie') !== undefined) return true;
  const { forbidsStoring, sMaxAge, maxAge } = parseCacheControl(headers.lines('cache-control'));
  return forbidsStoring || (sMaxAge ?? maxAge) === 0;
}

/**
 * How long a response grants shared caches, in milliseconds: `s-maxage` less the age that it came with; 0 for an `Expires`
 * that has passed, which is how HTTP/1.0 says `max-age=0`; `undefined` if it says nothing that binds them.
 */
function sharedLife(said: CacheControl, headers: HeaderLookup, now: number): number | undefined {
  if (said.sMaxAge !== undefined) return said.sMaxAge * 1000 - ageIn(headers.text('age'));
  const expires = said.maxAge === undefined ? headers.text('expires') : undefined;
  return expires === undefined || (parseHttpDate(expires, now) ?? 0) > now ? undefined : 0;
}

/** The windows of the route, or else of the response; none where the response forbids them (RFC 9111 §4.2.4). */
function windowsOf(
  said: CacheControl,
  { revalidateMs, errorMs }: LifePolicy,
): Pick<PageLife, 'revalidateMs' | 'errorMs'> {
  const granted: StaleWindows = staleWindowsOf(said);
  if (said.noCache || said.mustRevalidate || said.proxyRevalidate || said.sMaxAge !== undefined)
    return { revalidateMs: 0, errorMs: 0 };
  return {
    revalidateMs: revalidateMs ?? granted.staleWhileRevalidateMs,
    errorMs: errorMs ?? granted.staleIfErrorMs,
  };
}
