import type { HeldObject, Payload } from '../cache-backend.js';

/**
 * What an entry takes beside the characters of its key and the bytes of its payload: slots of the table, the key's place
 * in its map, the headers of the objects. Measured on Node 20 with --expose-gc over 100,000 to 300,000 entries as heap
 * and external memory: 121 to 139 bytes for an entry, 180 to 205 more for a Uint8Array, 15 to 18 more for a large integer. A held
 * object is what its layer wraps around a value whose bytes it knows: 59 to 68 more, over 200,000 and 1,000,000 entries
 * (`npm run bench -- memory`).
 */
const ENTRY_OVERHEAD = 144;
const BYTES_OVERHEAD = 200;
const INTEGER_OVERHEAD = 16;
const HELD_OVERHEAD = 72;

/** The bytes that an entry is taken to need in memory, everything included. */
export function entrySize(key: string, payload: Payload | HeldObject): number {
  const base = ENTRY_OVERHEAD + key.length;
  if (typeof payload === 'number') return base + INTEGER_OVERHEAD;
  if (payload instanceof Uint8Array) return base + BYTES_OVERHEAD + payload.byteLength;
  return base + HELD_OVERHEAD + payload.size;
}
