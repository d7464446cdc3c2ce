import { isToken } from './field-scanner.js';

/** Why a request went forward to the handler (RFC 9211 §2.2). */
export type ForwardReason = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'miss' | 'request' | 'stale';

/** What the cache did with a request. It never tells a key: keys hold what clients sent. */
export interface CacheStatus {
  /** `'hit'`, or why the handler ran. */
  readonly outcome: 'hit' | ForwardReason;
  /** The status that the handler gave, if another one was sent. */
  readonly forwardedStatus?: number;
  /** Whether the handler's answer was stored. */
  readonly isStored?: boolean;
  /** Whether the request was answered by the handler's run for another one. */
  readonly isCollapsed?: boolean;
  /** Milliseconds of freshness left; negative for a stale answer. */
  readonly ttlMs?: number;
  /** More about it: a token or plain text, for people. */
  readonly detail?: string;
}

/**
 * A `Cache-Status` field with one member added at its end, where the cache nearest to the client stands (RFC 9211 §2).
 *
 * @param cache how this cache is called, among those on the way
 */
export function appendCacheStatus(existing: string | undefined, cache: string, status: CacheStatus): string {
  const { outcome, forwardedStatus, isStored, isCollapsed, ttlMs, detail } = status;
  const member = [
    item(cache),
    outcome === 'hit' ? 'hit' : `fwd=${outcome}`,
    forwardedStatus === undefined ? undefined : `fwd-status=${forwardedStatus}`,
    isStored === true ? 'stored' : undefined,
    isCollapsed === true ? 'collapsed' : undefined,
    ttlMs === undefined ? undefined : `ttl=${Math.floor(ttlMs / 1000)}`,
    detail === undefined ? undefined : `detail=${item(detail)}`,
  ]
    .filter((part) => part !== undefined)
    .join('; ');
  return existing === undefined || existing.trim() === '' ? member : `${existing}, ${member}`;
}

/** A token of structured fields, or else a string of them, in which only ASCII can stand (RFC 9651 §3.3). */
function item(text: string): string {
  if (isToken(text) && /^[A-Za-z*]/.test(text)) return text;
  return `"${text.replaceAll(/[^ -~]/gu, '?').replaceAll(/["\\]/g, '\\$&')}"`;
}
