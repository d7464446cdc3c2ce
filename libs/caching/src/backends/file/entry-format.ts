import { crc32 } from 'node:zlib';
import type { Payload } from '../cache-backend.js';

/**
 * An entry on disk: a head of fixed size, the key, the payload. Every byte is covered by one of two checksums, so that
 * the head can be trusted without the payload being read.
 *
 * | offset | bytes | what |
 * |---|---|---|
 * | 0 | 4 | magic |
 * | 4 | 1 | version of the format |
 * | 5 | 1 | kind of payload: 0 bytes, 1 an integer as a double |
 * | 6 | 2 | length of the key |
 * | 8 | 8 | expiry in milliseconds since 1970 as a double; infinite if never |
 * | 16 | 6 | length of the payload |
 * | 22 | 2 | zero |
 * | 24 | 4 | CRC-32 of the payload |
 * | 28 | 4 | CRC-32 of bytes 0 to 27 and the key |
 */
const HEAD_BYTES = 32;
const MAGIC = 0x6e63_6665;
const VERSION = 1;
const KIND_BYTES = 0;
const KIND_INTEGER = 1;

/** The head and the longest key fit in this. */
export const HEAD_AND_KEY_BYTES = 512;

/** Up to this size one copy costs less than a second write. */
const JOINED_BYTES = 65_536;

/** What is known of an entry without its payload. */
export interface EntryHead {
  readonly key: string;
  /** Milliseconds since 1970; infinite if it never expires. */
  readonly expiresAt: number;
  readonly isInteger: boolean;
  readonly payloadStart: number;
  readonly payloadCrc: number;
}

/** The contents of an entry's file, in as many pieces as are written best. */
export function encodeEntry(key: string, payload: Payload, expiresAt: number): Uint8Array[] {
  const body = typeof payload === 'number' ? integerBytes(payload) : payload;
  const head = Buffer.alloc(HEAD_BYTES + key.length);
  head.writeUInt32BE(MAGIC, 0);
  head.writeUInt8(VERSION, 4);
  head.writeUInt8(typeof payload === 'number' ? KIND_INTEGER : KIND_BYTES, 5);
  head.writeUInt16BE(key.length, 6);
  head.writeDoubleBE(expiresAt, 8);
  head.writeUIntBE(body.length, 16, 6);
  head.writeUInt32BE(crc32(body), 24);
  head.write(key, HEAD_BYTES, 'latin1');
  head.writeUInt32BE(headCrc(head, key.length), 28);
  return body.length <= JOINED_BYTES ? [Buffer.concat([head, body])] : [head, body];
}

/**
 * The head of an entry, or `undefined` if this is not the whole file of one.
 *
 * @param start the first bytes of the file, {@link HEAD_AND_KEY_BYTES} or all of it
 * @param fileBytes the size of the file
 */
export function decodeHead(start: Buffer, fileBytes: number): EntryHead | undefined {
  if (start.length < HEAD_BYTES || start.readUInt32BE(0) !== MAGIC || start.readUInt8(4) !== VERSION)
    return undefined;
  const kind = start.readUInt8(5);
  const keyBytes = start.readUInt16BE(6);
  const payloadStart = HEAD_BYTES + keyBytes;
  const payloadBytes = start.readUIntBE(16, 6);
  if (start.length < payloadStart || fileBytes !== payloadStart + payloadBytes) return undefined;
  if (start.readUInt32BE(28) !== headCrc(start, keyBytes)) return undefined;
  if (kind !== KIND_BYTES && (kind !== KIND_INTEGER || payloadBytes !== 8)) return undefined;
  return {
    key: start.toString('latin1', HEAD_BYTES, payloadStart),
    expiresAt: start.readDoubleBE(8),
    isInteger: kind === KIND_INTEGER,
    payloadStart,
    payloadCrc: start.readUInt32BE(24),
  };
}

/** The payload of an entry whose head is known, or `undefined` if it is damaged. A view of the bytes, not a copy. */
export function decodePayload(file: Buffer, head: EntryHead): Payload | undefined {
  const body = file.subarray(head.payloadStart);
  if (crc32(body) !== head.payloadCrc) return undefined;
  if (!head.isInteger) return new Uint8Array(body.buffer, body.byteOffset, body.length);
  const integer = body.readDoubleBE(0);
  return Number.isSafeInteger(integer) ? integer : undefined;
}

function headCrc(head: Buffer, keyBytes: number): number {
  return crc32(head.subarray(HEAD_BYTES, HEAD_BYTES + keyBytes), crc32(head.subarray(0, HEAD_BYTES - 4)));
}

function integerBytes(integer: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(integer);
  return bytes;
}
