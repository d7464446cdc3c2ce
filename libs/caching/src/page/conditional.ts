import { createHash } from 'node:crypto';
import { FieldScanner } from './field-scanner.js';
import { parseHttpDate } from './http-date.js';

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

/** The conditions that also guard against lost updates. */
export interface Preconditions extends Conditions {
  readonly ifMatch: string | undefined;
  readonly ifUnmodifiedSince: string | undefined;
}

/** What the current representation is known by. */
export interface Validators {
  /** With its quotes, and `W/` if it is weak. */
  readonly etag: string | undefined;
  /** Milliseconds since 1970; only whole seconds count. */
  readonly lastModified: number | undefined;
}

/** Run the handler; 304; 412. */
export type Verdict = 'proceed' | 'not-modified' | 'precondition-failed';

interface EntityTag {
  readonly opaque: string;
  readonly isWeak: boolean;
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
  if (ifNoneMatch !== undefined) return isListed(ifNoneMatch, etag, 'weak');
  if (ifModifiedSince === undefined || lastModified === undefined) return false;
  return isWithin(parseHttpDate(lastModified), parseHttpDate(ifModifiedSince));
}

/**
 * What comes of the preconditions of a request, in the order of RFC 9110 §13.2.2: `If-Match`, or else
 * `If-Unmodified-Since`; then `If-None-Match`, or else, for GET and HEAD, `If-Modified-Since`.
 *
 * A guard against lost updates that cannot be checked fails: `If-Match` without a current tag, and, as in Django,
 * `If-Unmodified-Since` without a current date (RFC 9110 §13.1.4 would ignore it). A date that is none is ignored.
 */
export function evaluatePreconditions(
  method: string,
  { ifMatch, ifUnmodifiedSince, ifNoneMatch, ifModifiedSince }: Preconditions,
  { etag, lastModified }: Validators,
): Verdict {
  if (ifMatch !== undefined) {
    if (!isListed(ifMatch, etag, 'strong')) return 'precondition-failed';
  } else if (ifUnmodifiedSince !== undefined) {
    const until = parseHttpDate(ifUnmodifiedSince);
    if (until !== undefined && !isWithin(lastModified, until)) return 'precondition-failed';
  }
  const isRead = method === 'GET' || method === 'HEAD';
  if (ifNoneMatch !== undefined) {
    if (!isListed(ifNoneMatch, etag, 'weak')) return 'proceed';
    return isRead ? 'not-modified' : 'precondition-failed';
  }
  if (!isRead || ifModifiedSince === undefined) return 'proceed';
  return isWithin(lastModified, parseHttpDate(ifModifiedSince)) ? 'not-modified' : 'proceed';
}

/** Whether a header is repeated in a 304. */
export function isKeptByNotModified(name: string): boolean {
  return KEPT_BY_NOT_MODIFIED.has(name);
}

/** Whether a text is an entity tag with its quotes. */
export function isEntityTag(text: string): boolean {
  const scanner = new FieldScanner(text);
  return readTag(scanner) !== undefined && scanner.isAtEnd;
}

/** Whether a list of tags, or `*`, has the current one (RFC 9110 §8.8.3.2). Without a current tag nothing has. */
function isListed(list: string, etag: string | undefined, comparison: 'weak' | 'strong'): boolean {
  if (etag === undefined) return false;
  if (list.trim() === '*') return true;
  const [current] = tagsOf(etag);
  if (current === undefined) return false;
  return tagsOf(list).some(
    ({ opaque, isWeak }) =>
      opaque === current.opaque && (comparison === 'weak' || (!isWeak && !current.isWeak)),
  );
}

/** The tags of a list up to the first thing that is none. */
function tagsOf(list: string): readonly EntityTag[] {
  const scanner = new FieldScanner(list);
  const tags: EntityTag[] = [];
  do {
    scanner.skipBlanks();
    if (scanner.accept(',')) continue;
    const tag = readTag(scanner);
    scanner.skipBlanks();
    if (tag === undefined || !(scanner.isAtEnd || scanner.accept(','))) return tags;
    tags.push(tag);
  } while (!scanner.isAtEnd);
  return tags;
}

function readTag(scanner: FieldScanner): EntityTag | undefined {
  const isWeak = scanner.accept('W/');
  const opaque = scanner.accept('"') ? scanner.restOfTag() : undefined;
  return opaque === undefined ? undefined : { opaque, isWeak };
}

/** Whether a date is no later than another, in whole seconds. */
function isWithin(date: number | undefined, limit: number | undefined): boolean {
  return date !== undefined && limit !== undefined && Math.floor(date / 1000) * 1000 <= limit;
}
