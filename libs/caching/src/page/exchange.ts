import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { isNotModified } from './conditional.js';
import type { Captured, ComposedPage, Describe } from './capture.js';
import type { HeaderValue } from './header-lookup.js';
import type { Reply } from './reply.js';
import type { FastifyReply } from './platform.js';
import type { StoredPage } from './stored-page.js';
import { appendVary, parseVary } from './vary.js';

/** One request and its response, the same on every platform. */
export interface Exchange {
  /** Node's own request, beneath what the platform made of it. */
  readonly incoming: IncomingMessage;
  readonly method: string;
  /** The method that came, if middleware has changed it and says so. */
  readonly originalMethod?: unknown;
  readonly headers: IncomingHttpHeaders;
  readonly scheme: string;
  readonly host: string;
  /** Path and query as the client sent them. */
  readonly target: string;
  /** Whether the client has left: nothing that is sent will arrive. */
  readonly isGone: boolean;
  /** The request and the response as handlers see them. */
  readonly request: object;
  readonly response: ServerResponse | FastifyReply;
  /** The response as those see it who change its headers. */
  readonly reply: Reply;
  /** Makes the handler see another target: one without the parameters that do not count. */
  hideTarget(target: string, isVisible: (parameter: string) => boolean): void;
  /** Sends a stored page and makes everything that the framework sends afterwards come to nothing. */
  replay(page: StoredPage, ageMs: number, cacheStatus: string | undefined): void;
  /** Watches the response from now on. */
  capture(maxBodySize: number, describe: Describe): Promise<Captured>;
}

/** Whether 304 answers this request instead of the response: never instead of an error or a redirect (RFC 9110 §13.2.1). */
export function isUnmodified(
  { method, headers }: Pick<Exchange, 'method' | 'headers'>,
  { status, etag, lastModified }: Pick<StoredPage, 'status' | 'etag' | 'lastModified'>,
): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || status < 200 || status >= 300) return false;
  const conditions = { ifNoneMatch: headers['if-none-match'], ifModifiedSince: headers['if-modified-since'] };
  return isNotModified(conditions, etag, lastModified);
}

/** Tells a client the tag of a page that is yet to be sent; answers whether it has that page already. */
export function isKnown(
  request: Pick<Exchange, 'method' | 'headers'>,
  page: ComposedPage,
  describe: Describe,
  tell: (etag: string) => void,
): boolean {
  const etag = describe(page);
  if (etag === undefined) return false;
  tell(etag);
  const lastModified = page.atEmission.text('last-modified');
  return isUnmodified(request, { status: page.status, etag, lastModified });
}

/** Whether a page says how long its body is: a 204 never does (RFC 9110 §8.6). */
export function hasLength({ status }: StoredPage): boolean {
  return status !== 204;
}

/**
 * A stored header as a response may have it: a list of its own, since middleware adds to what it finds; `undefined` for one
 * that the handler had taken away.
 */
export function onReplay(
  name: string,
  stored: string | readonly string[],
  present: (name: string) => HeaderValue,
): string | string[] | undefined {
  const value = name === 'vary' ? varyOnReplay(present(name), stored) : stored;
  if (typeof value === 'string') return value;
  return value.length === 0 ? undefined : [...value];
}

/** The `Vary` of a stored page on a response for which middleware has already said what it varies by itself. */
function varyOnReplay(present: HeaderValue, stored: string | readonly string[]): string | readonly string[] {
  if (present === undefined) return stored;
  return appendVary(String(present), parseVary(stored).names);
}
