import { inChunks } from './link.js';

/** CRC-16/XMODEM, by which Redis spreads keys over {@link SLOTS}. */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

export const SLOTS = 16_384;

/** The slot of a cluster that a key belongs to: that of the part in its first braces, if there is one. */
export function slotOf(key: string): number {
  const bytes = Buffer.from(hashed(key));
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) ^ CRC[(crc >> 8) ^ byte]!) & 0xffff;
  return crc % SLOTS;
}

function hashed(key: string): string {
  const open = key.indexOf('{');
  if (open === -1) return key;
  const close = key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

/** Groups that one command of a cluster may name. */
export function groupBySlot(keys: readonly string[]): readonly (readonly string[])[] {
  const groups = new Map<number, string[]>();
  for (const key of keys) {
    const slot = slotOf(key);
    const group = groups.get(slot);
    if (group === undefined) groups.set(slot, [key]);
    else group.push(key);
  }
  return [...groups.values()].flatMap(inChunks);
}
