import type { Payload } from '../cache-backend.js';

/**
 * An integer is kept as its decimal digits, so that INCRBY works on it. Bytes are kept as they are; only those that begin
 * like an integer, or like this mark, get the mark in front.
 */
const MARK = 0x00;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** Digits and sign of the longest safe integer. */
const LONGEST_INTEGER = 17;

/** What Redis is given for a payload. Shares its memory where no mark is needed. */
export function encode(payload: Payload): string | Buffer {
  if (typeof payload === 'number') return String(payload);
  const bytes = Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  return needsMark(bytes[0]) ? Buffer.concat([Uint8Array.of(MARK), bytes]) : bytes;
}

/** The payload that {@link encode} was given. Shares the memory of the reply. */
export function decode(stored: Buffer): Payload {
  const first = stored[0];
  if (!needsMark(first)) return stored;
  if (first === MARK) return stored.subarray(1);
  return toInteger(stored) ?? stored;
}

function needsMark(first: number | undefined): boolean {
  return first !== undefined && first <= NINE && (first >= ZERO || first === MINUS || first === MARK);
}

/** Only what {@link encode} writes: `007` or digits past the safe range are another program's, and stay bytes. */
function toInteger(stored: Buffer): number | undefined {
  if (stored.length > LONGEST_INTEGER) return undefined;
  const text = stored.toString('latin1');
  const integer = Number(text);
  return Number.isSafeInteger(integer) && String(integer) === text ? integer : undefined;
}
