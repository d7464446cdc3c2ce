import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { EntryCodec } from '../cache/entries.js';

/** A header as it went out: a lower-case name, and one value or several lines. */
export type StoredHeader = readonly [name: string, value: string | readonly string[]];

/** What went over the wire, before compression. Immutable: nobody writes to the body. */
export interface StoredPage {
  readonly status: number;
  readonly headers: readonly StoredHeader[];
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly body: Buffer;
}

/** Bytes that a page takes in memory besides its body and headers, roughly. */
const PAGE_OVERHEAD = 200;
const CODEC = 1;
const HEAD_LENGTH_BYTES = 4;

/** What never belongs to a stored page: the connection's, the client's, or worked out anew on each answer. */
const NEVER_STORED = new Set([
  'age',
  'alt-svc',
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
export function pageSize({ headers, body }: StoredPage): number {
  return headers.reduce(
    (sum, [name, value]) => sum + name.length + String(value).length,
    PAGE_OVERHEAD + body.length,
  );
}

/** A page in bytes: the length of the head, the head as JSON, the body as it is. */
export const pageCodec: EntryCodec<StoredPage> = {
  kind: 'page',
  encode({ status, headers, etag, lastModified, body }) {
    const head = Buffer.from(JSON.stringify({ status, headers, etag, lastModified }));
    const length = Buffer.allocUnsafe(HEAD_LENGTH_BYTES);
    length.writeUInt32BE(head.length);
    return { codec: CODEC, body: Buffer.concat([length, head, body]) };
  },
  decode(codec, bytes) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const bodyOffset = HEAD_LENGTH_BYTES + buffer.readUInt32BE(0);
    if (codec !== CODEC || bodyOffset > buffer.length) throw new RangeError('not a page');
    const head = JSON.parse(buffer.toString('utf8', HEAD_LENGTH_BYTES, bodyOffset)) as Omit<
      StoredPage,
      'body'
    >;
    assertHead(head);
    const { status, headers, etag, lastModified } = head;
    return { status, headers, etag, lastModified, body: buffer.subarray(bodyOffset) };
  },
};

/** The backend is not trusted: a head that no response of ours could have had is a miss. */
function assertHead({ status, headers, etag, lastModified }: Omit<StoredPage, 'body'>): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) throw new RangeError('not a status');
  for (const [name, value] of headers) {
    if (name !== 'date' && !isStorableHeader(name, undefined)) throw new RangeError('not a storable header');
    validateHeaderName(name);
    for (const line of [value].flat()) validateHeaderValue(name, line);
  }
  for (const text of [etag, lastModified]) if (text !== undefined) validateHeaderValue('etag', text);
}
