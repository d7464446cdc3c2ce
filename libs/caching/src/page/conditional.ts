import { createHash } from 'node:crypto';

/** One entity tag (RFC 9110 §8.8.3), with what may stand between two of a list. Sticky, so linear. */
const LISTED_TAG = /[\t ,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")[\t ]*(?:,|$)/y;

/** The headers that a 304 repeats (RFC 9110 §15.4.5). */
const KEPT_BY_NOT_MODIFIED = new Set([
  'cache-control',
  'content-location',
  'date',
  'etag',
  'expires',
  'last-modified',
  'vary',
]);

/** What a conditional request asks, out of its headers. */
export interface Conditions {
  readonly ifNoneMatch: string | undefined;
  readonly ifModifiedSince: string | undefined;
}

/** A weak tag made from the bytes: the form that Express gives its own, so that both platforms answer alike. */
export function weakEtag(body: Uint8Array): string {
  const digest = createHash('sha1').update(body).digest('base64').slice(0, 27);
  return `W/"${body.length.toString(16)}-${digest}"`;
}

/** Whether a GET or HEAD for this representation is answered with 304. `If-None-Match` wins (RFC 9110 §13.2.2). */
export function isNotModified(
  { ifNoneMatch, ifModifiedSince }: Conditions,
  etag: string | undefined,
  lastModified: string | undefined,
): boolean {
  if (ifNoneMatch !== undefined) return etag !== undefined && matches(ifNoneMatch, etag);
  if (ifModifiedSince === undefined || lastModified === undefined) return false;
  const since = Date.parse(ifModifiedSince);
  const modified = Date.parse(lastModified);
  return !Number.isNaN(since) && !Number.isNaN(modified) && modified <= since;
}

/** Whether a header is repeated in a 304. */
export function isKeptByNotModified(name: string): boolean {
  return KEPT_BY_NOT_MODIFIED.has(name);
}

/** Weak comparison (RFC 9110 §8.8.3.2) with each tag of the list. A malformed rest matches nothing. */
function matches(list: string, etag: string): boolean {
  if (list.trim() === '*') return true;
  const wanted = opaque(etag);
  LISTED_TAG.lastIndex = 0;
  for (let match = LISTED_TAG.exec(list); match !== null; match = LISTED_TAG.exec(list)) {
    if (opaque(match[1] ?? '') === wanted) return true;
    if (LISTED_TAG.lastIndex >= list.length) return false;
  }
  return false;
}

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
