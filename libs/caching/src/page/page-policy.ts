import type { IncomingHttpHeaders } from 'node:http';
import { parseCacheControl } from './cache-control.js';

/** The part of a request that decides whether the cache has a say in it. */
export interface PageRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/** The part of a response that decides whether it is stored. Values of one name are joined by `, `. */
export interface PageResponse {
  readonly status: number;
  header(name: string): string | undefined;
}

export interface StorePolicy {
  readonly ttlMs: number | null;
  readonly statuses: readonly number[];
  /** Lower-case names of request headers that are part of the key. */
  readonly keyedHeaders: readonly string[];
}

/** Cookies that name a session; a request with one is somebody's. */
const SESSION_COOKIE = /(?:^|;)[\t ]*(?:connect\.sid|sessionId)=/;

/** Names in `Vary` that middleware adds for its own sake and deals with on every response, hit or not. */
const HARMLESS_VARY = new Set(['accept-encoding', 'origin']);

/**
 * Whether the cache may answer this request, or store the answer. Anything personal, partial, conditional on the
 * handler's state or with a body goes to the handler, and its answer is not stored.
 */
export function isCacheable({ method, headers }: PageRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  return (
    headers.authorization === undefined &&
    headers.range === undefined &&
    headers['if-match'] === undefined &&
    headers['if-unmodified-since'] === undefined &&
    headers['transfer-encoding'] === undefined &&
    (headers['content-length'] === undefined || headers['content-length'] === '0') &&
    (headers.cookie === undefined || !SESSION_COOKIE.test(headers.cookie))
  );
}

/**
 * How long a response may be stored: milliseconds, `null` for ever, `undefined` for not at all. The handler may shorten
 * the life of the route and never lengthen it; a positive `max-age` is for browsers (RFC 9111 §3, §5.2.2).
 */
export function storableFor(response: PageResponse, policy: StorePolicy): number | null | undefined {
  const { ttlMs, statuses } = policy;
  if (!statuses.includes(response.status) || response.status >= 500 || response.status < 200)
    return undefined;
  if (isVetoed(response, policy)) return undefined;
  if (response.header('content-encoding') !== undefined || response.header('content-range') !== undefined) {
    return undefined;
  }
  const { maxAge, sMaxAge } = parseCacheControl(response.header('cache-control') ?? '');
  if (maxAge === 0 && sMaxAge === undefined) return undefined;
  const lives = [ttlMs, sMaxAge === undefined ? null : sMaxAge * 1000].filter((life) => life !== null);
  const life = lives.length === 0 ? null : Math.min(...lives);
  return life === null || life > 0 ? life : undefined;
}

/** What forbids storing whenever it is seen, also after the response was composed: late cookies, late headers. */
export function isVetoed(
  response: PageResponse,
  { keyedHeaders }: Pick<StorePolicy, 'keyedHeaders'>,
): boolean {
  if (response.header('set-cookie') !== undefined) return true;
  if (parseCacheControl(response.header('cache-control') ?? '').forbidsStoring) return true;
  const vary = response.header('vary') ?? '';
  const names = vary.split(',').map((name) => name.trim().toLowerCase());
  return names.some((name) => name !== '' && !HARMLESS_VARY.has(name) && !keyedHeaders.includes(name));
}
