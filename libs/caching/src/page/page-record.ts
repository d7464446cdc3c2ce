import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { EntryCodec } from '../cache/entries.js';
import { isStorableHeader, pageSize, shortText, type StoredPage } from './stored-page.js';
import { directorySize, type Variant, type VariantDirectory } from './variant-directory.js';

/** What lies under the key of a page: the page, or the list of its variants if its responses vary. */
export type PageRecord = StoredPage | VariantDirectory;

/** What is said of a body before it. */
type PageHead = Omit<StoredPage, 'body' | 'text'>;

const PAGE = 1;
const DIRECTORY = 2;
const HEAD_LENGTH_BYTES = 4;

export function isDirectory(record: PageRecord): record is VariantDirectory {
  return 'variants' in record;
}

/** Estimated bytes in memory, for the bound of the backend. Targets are as long as clients like, so their segments count. */
export function recordSize(record: PageRecord, segments: string): number {
  return segments.length + (isDirectory(record) ? directorySize(record) : pageSize(record));
}

/** A page in bytes: the length of the head, the head as JSON, the body as it is. A directory as JSON. */
export const pageCodec: EntryCodec<PageRecord> = {
  kind: 'page',
  encode(record) {
    if (isDirectory(record)) return { codec: DIRECTORY, body: Buffer.from(JSON.stringify(record)) };
    const { status, headers, etag, lastModified, ageSeconds, body } = record;
    const head = Buffer.from(JSON.stringify({ status, headers, etag, lastModified, ageSeconds }));
    const length = Buffer.allocUnsafe(HEAD_LENGTH_BYTES);
    length.writeUInt32BE(head.length);
    return { codec: PAGE, body: Buffer.concat([length, head, body]) };
  },
  decode(codec, bytes) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (codec === DIRECTORY) return readDirectory(JSON.parse(buffer.toString('utf8')));
    const bodyOffset = HEAD_LENGTH_BYTES + buffer.readUInt32BE(0);
    if (codec !== PAGE || bodyOffset > buffer.length) throw new RangeError('not a page');
    const head = JSON.parse(buffer.toString('utf8', HEAD_LENGTH_BYTES, bodyOffset)) as PageHead;
    assertHead(head);
    const { status, headers, etag, lastModified, ageSeconds } = head;
    const body = buffer.subarray(bodyOffset);
    return { status, headers, etag, lastModified, ageSeconds, body, text: shortText(body, headers) };
  },
};

/** The backend is not trusted: a head that no response of ours could have had is a miss. */
function assertHead({ status, headers, etag, lastModified, ageSeconds }: PageHead): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) throw new RangeError('not a status');
  if (!Number.isSafeInteger(ageSeconds) || ageSeconds < 0) throw new RangeError('not an age');
  for (const [name, value] of headers) {
    if (name !== 'date' && !isStorableHeader(name, undefined)) throw new RangeError('not a storable header');
    validateHeaderName(name);
    for (const line of [value].flat()) validateHeaderValue(name, line);
  }
  for (const text of [etag, lastModified]) if (text !== undefined) validateHeaderValue('etag', text);
}

function readDirectory(read: unknown): VariantDirectory {
  const variants: unknown = (read as Partial<VariantDirectory>).variants;
  if (!Array.isArray(variants)) throw new RangeError('not a directory');
  return { variants: variants.map((variant: unknown) => readVariant(variant as Variant)) };
}

function readVariant({ names, digest, createdAt, keptUntil }: Variant): Variant {
  const isVariant =
    Array.isArray(names) &&
    names.every((name) => typeof name === 'string') &&
    typeof digest === 'string' &&
    // A store's clock knows fractions of a millisecond.
    Number.isFinite(createdAt) &&
    (keptUntil === null || Number.isFinite(keptUntil));
  if (!isVariant) throw new RangeError('not a variant');
  return { names, digest, createdAt, keptUntil };
}
