import { type CacheControl, MAX_DELTA_SECONDS, parseCacheControl } from './cache-control.js';
import { parseHttpDate } from './http-date.js';

/** How long a response may be used by what its own headers say. Milliseconds. */
export interface Freshness extends StaleWindows {
  /** Over 0, counted from now. */
  readonly ttlMs: number;
}

/** How long past its freshness a response may be used. Milliseconds; 0 for not at all. */
export interface StaleWindows {
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
}

/** The statuses that are stored if the response itself says for how long; RFC 9110 §15.1 without the partial ones. */
export const STATUSES_WITH_OWN_FRESHNESS: readonly number[] = [200, 203, 301, 308, 404, 410];

/**
 * The freshness of a response whose route names no ttl: `s-maxage`, else `max-age`, else `Expires` minus `Date`, less the
 * age it came with. `undefined` if it says nothing, is stale already or must not be stored: nothing is ever guessed
 * (RFC 9111 §4.2.1, §4.2.3).
 *
 * @param header a header by its lower-case name; several lines are joined by `, `
 * @param now milliseconds since 1970
 */
export function freshnessOf(
  header: (name: string) => string | undefined,
  now: number,
): Freshness | undefined {
  const cacheControl = parseCacheControl(header('cache-control') ?? '');
  if (cacheControl.forbidsStoring) return undefined;
  const date = header('date');
  const sentAt = date === undefined ? now : parseHttpDate(date, now);
  const seconds = cacheControl.sMaxAge ?? cacheControl.maxAge;
  const life = seconds === undefined ? untilExpiry(header('expires'), sentAt, now) : seconds * 1000;
  if (life === undefined) return undefined;
  const ttlMs = life - Math.max(now - (sentAt ?? now), ageIn(header('age')));
  return ttlMs > 0 ? { ttlMs, ...staleWindowsOf(cacheControl) } : undefined;
}

/** The stale windows that a response grants; none where it demands to be asked about (RFC 9111 §4.2.4, RFC 5861). */
export function staleWindowsOf(cacheControl: CacheControl): StaleWindows {
  const { noCache, mustRevalidate, proxyRevalidate, sMaxAge } = cacheControl;
  if (noCache || mustRevalidate || proxyRevalidate || sMaxAge !== undefined) {
    return { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 };
  }
  return {
    staleWhileRevalidateMs: (cacheControl.staleWhileRevalidate ?? 0) * 1000,
    staleIfErrorMs: (cacheControl.staleIfError ?? 0) * 1000,
  };
}

/** `Expires` minus `Date`. What is no date has expired, and so has everything beside a `Date` that is none. */
function untilExpiry(
  expires: string | undefined,
  sentAt: number | undefined,
  now: number,
): number | undefined {
  if (expires === undefined || sentAt === undefined) return undefined;
  const expiresAt = parseHttpDate(expires, now);
  return expiresAt === undefined ? 0 : Math.min(expiresAt - sentAt, MAX_DELTA_SECONDS * 1000);
}

/** An `Age` field in milliseconds: the first of a list, 0 for what is not digits (RFC 9111 §5.1). */
export function ageIn(age: string | undefined): number {
  const [first = ''] = (age ?? '').split(',', 1);
  return /^\d+$/.test(first.trim()) ? Math.min(Number(first), MAX_DELTA_SECONDS) * 1000 : 0;
}
