import { crc32 } from 'node:zlib';

/**
 * The bytes form of an entry, the same on every backend:
 *
 * | bytes | what |
 * |---|---|
 * | 1 | magic `0xCA` |
 * | 1 | version of this layout |
 * | 1 | codec of the body |
 * | 8 | created: milliseconds since 1970 at the start of the load, a double |
 * | 4 | length of the key |
 * | … | the full key (ASCII), compared on read: an entry under a foreign key is none |
 * | … | the body |
 * | 4 | CRC-32 of all bytes before it: a body that was altered may parse, and be another value |
 *
 * Whatever does not parse is a miss.
 */
const MAGIC = 0xca;
const VERSION = 1;
const HEADER_BYTES = 15;
const CHECKSUM_BYTES = 4;

export interface Frame {
  /** Which codec reads the body. */
  readonly codec: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** The full key, before it was cut to the bound of the backends. */
  readonly fullKey: string;
  readonly body: Uint8Array;
}

export function encodeFrame({ codec, createdAt, fullKey, body }: Frame): Uint8Array {
  const bodyOffset = HEADER_BYTES + fullKey.length;
  const bytes = Buffer.allocUnsafe(bodyOffset + body.length + CHECKSUM_BYTES);
  bytes[0] = MAGIC;
  bytes[1] = VERSION;
  bytes[2] = codec;
  bytes.writeDoubleBE(createdAt, 3);
  bytes.writeUInt32BE(fullKey.length, 11);
  bytes.write(fullKey, HEADER_BYTES, 'latin1');
  bytes.set(body, bodyOffset);
  return seal(bytes);
}

/** The frame, or `undefined` for anything that is not one of ours under this key. The body is not copied. */
export function decodeFrame(payload: Uint8Array, fullKey: string): Frame | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const bodyOffset = HEADER_BYTES + fullKey.length;
  const bodyEnd = bytes.length - CHECKSUM_BYTES;
  if (bodyEnd < bodyOffset || bytes[0] !== MAGIC || bytes[1] !== VERSION) return undefined;
  if (bytes.readUInt32BE(11) !== fullKey.length) return undefined;
  if (bytes.toString('latin1', HEADER_BYTES, bodyOffset) !== fullKey) return undefined;
  if (bytes.readUInt32BE(bodyEnd) !== crc32(bytes.subarray(0, bodyEnd))) return undefined;
  return {
    codec: bytes[2] ?? 0,
    createdAt: bytes.readDoubleBE(3),
    fullKey,
    body: bytes.subarray(bodyOffset, bodyEnd),
  };
}

/** Writes the checksum of a frame into its last bytes. */
export function seal(frame: Buffer): Buffer {
  const end = frame.length - CHECKSUM_BYTES;
  frame.writeUInt32BE(crc32(frame.subarray(0, end)), end);
  return frame;
}
