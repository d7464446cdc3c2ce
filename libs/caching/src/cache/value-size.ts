/** What things take in memory, in bytes: measured on 64-bit Node 20, rounded up. What they refer to comes on top. */
export const DATE_BYTES = 264;
export const BINARY_BYTES = 320;
export const CONVERTED_BYTES = 72;

const SLOT = 8;
/** With more properties than this, an object is taken for a dictionary with names of its own, not for one of many rows. */
const ROW_FIELDS = 32;
const DICTIONARY_SLOT = 80;
/** Up to this length two bytes are counted for a character, since looking would cost more than it tells. */
const SHORT_STRING = 16;

/** The number itself, beside its slot: none for a small integer. */
export function numberBytes(value: number): number {
  return (value | 0) === value ? 0 : 16;
}

/** ASCII takes a byte for a character; anything else is counted as two, which some western text does not need. */
export function stringBytes(text: string): number {
  const isAscii = text.length > SHORT_STRING && Buffer.byteLength(text) === text.length;
  return 24 + (isAscii ? text.length : 2 * text.length);
}

export function bigintBytes(value: bigint): number {
  return 32 + (value.toString(16).length >> 1);
}

/** An object with its slots. The names count only where objects of the same shape are unlikely to share them. */
export function objectBytes(keys: readonly string[]): number {
  if (keys.length <= ROW_FIELDS) return 56 + SLOT * keys.length;
  return keys.reduce((size, key) => size + DICTIONARY_SLOT + key.length, 56);
}

/** An object without a prototype, which is a dictionary at any size. */
export function nullPrototypeBytes(keys: readonly string[]): number {
  return objectBytes(keys) + 200 + 24 * keys.length;
}

/** An array with so many elements; one with holes is a dictionary. */
export function arrayBytes(elements: number, isSparse: boolean): number {
  return 48 + (isSparse ? 6 : 1) * SLOT * elements;
}

/** A Map or a Set with its table, which grows by doubling. */
export function tableBytes(table: ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>): number {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(table.size, 4)));
  return 200 + (table instanceof Map ? 28 : 20) * capacity;
}
