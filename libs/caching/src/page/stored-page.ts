import { isAscii } from 'node:buffer';
import { weakEtag } from './conditional.js';
import type { CapturedPage } from './capture.js';
import { ageIn } from './freshness.js';

/** A header as it went out: a lower-case name, and one value or several lines. No lines: the handler had taken it away. */
export type StoredHeader = readonly [name: string, value: string | readonly string[]];

/** What went over the wire, before compression. Immutable: nobody writes to the body. */
export interface StoredPage {
  readonly status: number;
  readonly headers: readonly StoredHeader[];
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  /** The age that it came with, in whole seconds: what the handler said of a response that it passed on (RFC 9111 §5.1). */
  readonly ageSeconds: number;
  readonly body: Buffer;
  /** The body once more, if it is short and text: so it leaves in one write with the headers. */
  readonly text: string | undefined;
}

/** Longer text needs more than the 16 kB that Node sets aside for a write at once: three bytes for each character. */
const MAX_TEXT_BYTES = 4096;

/** Bytes that a page takes in memory besides its body and headers, roughly. */
const PAGE_OVERHEAD = 200;

/** What never belongs to a stored page: the connection's, the client's, or worked out anew on each answer. */
const NEVER_STORED = new Set([
  'age',
  'alt-svc',
  'cache-status',
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'server-timing',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether a header may be stored; `connection` is the response's own list of names that may not. */
export function isStorableHeader(name: string, connection: string | undefined): boolean {
  if (NEVER_STORED.has(name) || name.startsWith('access-control-')) return false;
  if (connection === undefined) return true;
  return !connection.split(',').some((listed) => listed.trim().toLowerCase() === name);
}

/** Estimated bytes in memory, for the bound of the backend. */
export function pageSize({ headers, body, text = '' }: StoredPage): number {
  return headers.reduce(
    (sum, [name, value]) => sum + name.length + String(value).length,
    PAGE_OVERHEAD + body.length + text.length,
  );
}

/** The text of a body that is the same in every charset, if it is short and has one: platforms add one to what has none. */
export function shortText(body: Buffer, headers: readonly StoredHeader[]): string | undefined {
  if (body.length === 0 || body.length > MAX_TEXT_BYTES || !isAscii(body)) return undefined;
  const type = headers.find(([name]) => name === 'content-type')?.[1];
  return typeof type === 'string' && /;\s*charset=/i.test(type) ? body.toString('latin1') : undefined;
}

/** What is kept of a response; `undefined` if it is shorter than it said. */
export function storedPage(
  { status, before, body, atEmission }: CapturedPage,
  createdAt: number,
): StoredPage | undefined {
  const length = atEmission.text('content-length');
  if (length !== undefined && Number(length) !== body.length) return undefined;
  const connection = atEmission.text('connection');
  const gone = atEmission.goneSince(before).map((name): StoredHeader => [name, []]);
  const headers = [...atEmission.since(before), ...gone].filter(
    ([name]) => name !== 'etag' && isStorableHeader(name, connection),
  );
  const text = shortText(body, headers);
  const date = atEmission.text('date') ?? new Date(createdAt).toUTCString();
  return {
    status,
    headers: [...headers, ['date', date]],
    etag: atEmission.text('etag') ?? weakEtag(body),
    lastModified: atEmission.text('last-modified'),
    ageSeconds: ageIn(atEmission.text('age')) / 1000,
    body,
    text,
  };
}
