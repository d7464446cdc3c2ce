import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { isNotModified } from './conditional.js';
import type { StoredHeader, StoredPage } from './stored-page.js';

/** One request and its response, the same on every platform. */
export interface Exchange {
  /** Node's own request, beneath what the platform made of it. */
  readonly incoming: IncomingMessage;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly scheme: string;
  readonly host: string;
  /** Path and query as the client sent them. */
  readonly target: string;
  /** Whether the client has left: nothing that is sent will arrive. */
  readonly isGone: boolean;
  /** Sends a stored page and makes everything that the framework sends afterwards come to nothing. */
  replay(page: StoredPage, ageMs: number): void;
  /** Watches the response from now on. */
  capture(maxBodySize: number, describe: Describe): Promise<Captured>;
}

/** What has become of a response: the whole of it; broken off on its way; or `undefined`, over the limit. */
export type Captured = CapturedPage | 'broken' | undefined;

/** A response that went out whole. */
export interface CapturedPage {
  readonly status: number;
  /** The headers that appeared after the capture began. */
  readonly added: readonly StoredHeader[];
  readonly body: Buffer;
  /** All headers when the body was complete. */
  readonly atEmission: HeaderLookup;
  /** All headers when the response had left: what was added at the last moment shows only here. */
  readonly atFinish: HeaderLookup;
}

/** A header by its lower-case name; several lines are joined by `, `. */
export type HeaderLookup = (name: string) => string | undefined;

/** Asked once when a whole body is known, before it is sent: the tag to send with it, if any. */
export type Describe = (captured: Omit<CapturedPage, 'atFinish'>) => string | undefined;

type HeaderValue = number | string | readonly string[] | undefined;
export type HeaderValues = Readonly<Record<string, HeaderValue>>;

/** A copy of the headers to look things up in later. */
export function lookupIn(headers: HeaderValues): HeaderLookup {
  return (name) => {
    const value = headers[name];
    return value === undefined ? undefined : Array.isArray(value) ? value.join(', ') : String(value);
  };
}

/** What is new or has changed. */
export function addedHeaders(before: HeaderValues, after: HeaderValues): StoredHeader[] {
  return Object.entries(after)
    .filter(([name, value]) => value !== undefined && String(value) !== String(before[name]))
    .map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value as string)]);
}

/** Whether this request is answered with 304 instead of this representation. */
export function isUnmodified(
  { method, headers }: Pick<Exchange, 'method' | 'headers'>,
  etag: string | undefined,
  lastModified: string | undefined,
): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const conditions = { ifNoneMatch: headers['if-none-match'], ifModifiedSince: headers['if-modified-since'] };
  return isNotModified(conditions, etag, lastModified);
}

/** Collects a body up to a limit. */
export class BodyCollector {
  private chunks: Buffer[] = [];
  private size = 0;
  private isOver = false;

  constructor(private readonly limit: number) {}

  add(chunk: unknown, encoding?: unknown): void {
    if (this.isOver || chunk === undefined || chunk === null || typeof chunk === 'function') return;
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Buffer.from(chunk as Uint8Array);
    this.size += bytes.length;
    if (this.size <= this.limit) this.chunks.push(bytes);
    else this.giveUp();
  }

  /** The whole body, or `undefined` if it was over the limit or given up. */
  whole(): Buffer | undefined {
    if (this.isOver) return undefined;
    return this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
  }

  giveUp(): void {
    this.isOver = true;
    this.chunks = [];
  }
}
