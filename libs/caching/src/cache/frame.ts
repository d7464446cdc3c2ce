import { crc32 } from 'node:zlib';
import { type Guard, type Lease, OPEN_GUARD } from './entry.js';
import type { TagVersion } from './tags.js';

/**
 * The bytes form of an entry, the same on every backend:
 *
 * | bytes | what |
 * |---|---|
 * | 1 | magic `0xCA` |
 * | 1 | version of this layout |
 * | 4 | CRC-32 of all that follows |
 * | 1 | codec of the body |
 * | 8 | created: milliseconds since 1970 at the start of the load, a double |
 * | 4 | load: milliseconds that it took, a float |
 * | 4 | length of the key |
 * | 4 | length of the guard, 0 for none |
 * | … | the full key (ASCII), compared on read: an entry under a foreign key is none |
 * | … | the guard: lives, tags and lease, as a JSON array |
 * | … | the body |
 * | 4 | CRC-32 of all bytes before it: a body that was altered may parse, and be another value |
 *
 * Whatever does not parse is a miss.
 */
const MAGIC = 0xca;
const VERSION = 2;
const CHECKED_FROM = 6;
const HEADER_BYTES = 27;

export interface Frame {
  /** Which codec reads the body. */
  readonly codec: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds that the load took. */
  readonly loadMs: number;
  /** The full key, before it was cut to the bound of the backends. */
  readonly fullKey: string;
  readonly guard: Guard | undefined;
  readonly body: Uint8Array;
}

export function encodeFrame({ codec, createdAt, loadMs, fullKey, guard, body }: Frame): Uint8Array {
  const guardText = guard === undefined ? '' : JSON.stringify(guardFields(guard));
  const guardLength = guard === undefined ? 0 : Buffer.byteLength(guardText);
  const guardOffset = HEADER_BYTES + fullKey.length;
  const bodyOffset = guardOffset + guardLength;
  const bytes = Buffer.allocUnsafe(bodyOffset + body.length);
  bytes[0] = MAGIC;
  bytes[1] = VERSION;
  bytes[6] = codec;
  bytes.writeDoubleBE(createdAt, 7);
  bytes.writeFloatBE(loadMs, 15);
  bytes.writeUInt32BE(fullKey.length, 19);
  bytes.writeUInt32BE(guardLength, 23);
  bytes.write(fullKey, HEADER_BYTES, 'latin1');
  if (guardLength > 0) bytes.write(guardText, guardOffset, 'utf8');
  bytes.set(body, bodyOffset);
  return seal(bytes);
}

/** Writes the checksum of a frame into its place. */
export function seal(frame: Buffer): Buffer {
  frame.writeUInt32BE(crc32(frame.subarray(CHECKED_FROM)), 2);
  return frame;
}

/** The frame, or `undefined` for anything that is not one of ours under this key. The body is not copied. */
export function decodeFrame(payload: Uint8Array, fullKey: string): Frame | undefined {
  const frame = parseFrame(payload);
  return frame?.fullKey === fullKey ? frame : undefined;
}

/** The frame under whatever key it names, or `undefined` for anything that is not one of ours. */
export function parseFrame(payload: Uint8Array): Frame | undefined {
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (bytes.length < HEADER_BYTES || bytes[0] !== MAGIC || bytes[1] !== VERSION) return undefined;
  const guardOffset = HEADER_BYTES + bytes.readUInt32BE(19);
  const bodyOffset = guardOffset + bytes.readUInt32BE(23);
  if (bytes.length < bodyOffset || crc32(bytes.subarray(CHECKED_FROM)) !== bytes.readUInt32BE(2))
    return undefined;
  const guard =
    bodyOffset === guardOffset ? undefined : parseGuard(bytes.toString('utf8', guardOffset, bodyOffset));
  if (guard === null) return undefined;
  return {
    codec: bytes[6] ?? 0,
    createdAt: bytes.readDoubleBE(7),
    loadMs: bytes.readFloatBE(15),
    fullKey: bytes.toString('latin1', HEADER_BYTES, guardOffset),
    guard,
    body: bytes.subarray(bodyOffset),
  };
}

/** JSON has no Infinity; it is `null`. */
function guardFields(guard: Guard): unknown[] {
  const { freshUntil, revalidateUntil, errorUntil, tags, lease, failures, retryAt, isMarker } = guard;
  return [
    freshUntil,
    revalidateUntil,
    errorUntil,
    failures,
    retryAt,
    isMarker,
    lease === undefined ? null : [lease.token, lease.until, ...lease.tags.map(tagFields)],
    ...tags.map(tagFields),
  ];
}

/** `null` for what no guard of ours could be: the backend is not trusted. */
function parseGuard(text: string): Guard | null {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(fields)) return null;
  const [freshUntil, revalidateUntil, errorUntil, failures, retryAt, isMarker, lease, ...tags] =
    fields as unknown[];
  const times = [freshUntil, revalidateUntil, errorUntil].map((time) => (time === null ? Infinity : time));
  const numbers = [...times, failures, retryAt];
  if (!numbers.every((number) => typeof number === 'number') || typeof isMarker !== 'boolean') return null;
  if (!(lease === null || isLease(lease)) || !tags.every(isTagVersion)) return null;
  const [fresh, revalidate, error, failed, retry] = numbers as [number, number, number, number, number];
  return {
    ...OPEN_GUARD,
    freshUntil: fresh,
    revalidateUntil: revalidate,
    errorUntil: error,
    failures: failed,
    retryAt: retry,
    isMarker,
    lease: lease === null ? undefined : leaseOf(lease),
    tags: tags.map(tagVersionOf),
  };
}

type TagFields = readonly [tag: string, hard: number, soft: number];
type LeaseFields = readonly [token: string, until: number, ...tags: TagFields[]];

function tagFields({ tag, hard, soft }: TagVersion): TagFields {
  return [tag, hard, soft];
}

function tagVersionOf([tag, hard, soft]: TagFields): TagVersion {
  return { tag, hard, soft };
}

function leaseOf([token, until, ...tags]: LeaseFields): Lease {
  return { token, until, tags: tags.map(tagVersionOf) };
}

function isLease(value: unknown): value is LeaseFields {
  if (!Array.isArray(value)) return false;
  const [token, until, ...tags] = value as unknown[];
  return typeof token === 'string' && typeof until === 'number' && tags.every(isTagVersion);
}

function isTagVersion(value: unknown): value is TagFields {
  return (
    Array.isArray(value) &&
    typeof value[0] === 'string' &&
    typeof value[1] === 'number' &&
    typeof value[2] === 'number'
  );
}
