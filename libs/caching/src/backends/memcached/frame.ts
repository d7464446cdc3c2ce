import { crc32 } from 'node:zlib';
import type { Payload } from '../cache-backend.js';

/*
 * What stands in a memcached item. The server counts lives in whole seconds and knows only unsigned counters, so that
 * the exact moment of expiry and the kind of the payload stand in front of it:
 *
 *   0      MAGIC: no text begins with this byte
 *   1      kind: BYTES or INTEGER; anything else is from a later version
 *   2–9    expiresAt, a double, milliseconds since 1970; 0 never expires
 *   10–13  CRC-32 of the key and of all bytes but these four: what was cut off, altered or copied here from another
 *          key is not ours
 *   14–    the payload; an integer as a double
 */
const MAGIC = 0xc7;
const BYTES = 1;
const INTEGER = 2;
const CHECKSUM_AT = 10;
const PAYLOAD_AT = 14;

/** A payload and the moment at which it expires. */
export interface Entry {
  readonly payload: Payload;
  /** Milliseconds since 1970, by the wall clock of whoever wrote it; `null` never expires. */
  readonly expiresAt: number | null;
}

export function encodeFrame(key: string, { payload, expiresAt }: Entry): Buffer {
  const isNumber = typeof payload === 'number';
  const frame = Buffer.allocUnsafe(PAYLOAD_AT + (isNumber ? 8 : payload.length));
  frame[0] = MAGIC;
  frame[1] = isNumber ? INTEGER : BYTES;
  frame.writeDoubleBE(expiresAt ?? 0, 2);
  if (isNumber) frame.writeDoubleBE(payload, PAYLOAD_AT);
  else frame.set(payload, PAYLOAD_AT);
  frame.writeUInt32BE(checksum(key, frame), CHECKSUM_AT);
  return frame;
}

/** The entry, or `undefined` for anything that is not ours. */
export function decodeFrame(key: string, frame: Buffer): Entry | undefined {
  if (frame.length < PAYLOAD_AT || frame[0] !== MAGIC) return undefined;
  if (frame.readUInt32BE(CHECKSUM_AT) !== checksum(key, frame)) return undefined;
  const moment = frame.readDoubleBE(2);
  const expiresAt = moment === 0 ? null : moment;
  if (frame[1] === BYTES) return { payload: frame.subarray(PAYLOAD_AT), expiresAt };
  if (frame[1] !== INTEGER || frame.length !== PAYLOAD_AT + 8) return undefined;
  return { payload: frame.readDoubleBE(PAYLOAD_AT), expiresAt };
}

function checksum(key: string, frame: Buffer): number {
  const head = crc32(frame.subarray(0, CHECKSUM_AT), crc32(key));
  return crc32(frame.subarray(PAYLOAD_AT), head);
}

/** Above this the server takes a number of seconds for a moment. */
const LONGEST_RELATIVE_S = 30 * 24 * 60 * 60;
/** The server keeps moments in 32 bits, until 2038. */
const LAST_MOMENT_S = 2 ** 31 - 1;

/**
 * The server's own expiry for an entry, in the words of its protocol. It is only a bound: never before the entry's own
 * moment, and up to two seconds after, because the server's clock moves once a second.
 */
export function exptime(expiresAt: number | null, now: number): number {
  if (expiresAt === null) return 0;
  const seconds = Math.max(1, Math.ceil((expiresAt - now) / 1000) + 1);
  if (seconds <= LONGEST_RELATIVE_S) return seconds;
  const moment = Math.ceil(expiresAt / 1000) + 1;
  return moment <= LAST_MOMENT_S ? moment : 0;
}

/** An `exptime` that is over at once: storing with it makes the key absent. */
export const OVER_AT_ONCE = -1;

/** What the server adds to a key and a value: header, compare-and-swap number, NUL and CR LF, on 64 bits. */
const ITEM_OVERHEAD = 59;

/** Bytes of an item as the server counts them against its `-I`. */
export function itemBytes(key: string, frame: Buffer): number {
  return ITEM_OVERHEAD + key.length + frame.length;
}
