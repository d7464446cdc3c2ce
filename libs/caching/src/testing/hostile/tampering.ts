import { seal } from '../../cache/frame.js';

/** What stands in the place of an entry, made from the bytes that the cache wrote there. */
export type Tamper = (written: Buffer, other: Buffer) => Uint8Array | number;

/** Where a frame names its codec. */
const CODEC_AT = 6;

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

/** Every way in which an entry can be something else than what was written under its key. */
export const TAMPERINGS: Readonly<Record<string, Tamper>> = {
  'nothing at all': () => new Uint8Array(0),
  'its first byte': (written) => written.subarray(0, 1),
  'its first half': (written) => written.subarray(0, written.length >> 1),
  'all but its last byte': (written) => written.subarray(0, -1),
  'all but its first byte': (written) => written.subarray(1),
  'itself and one byte more': (written) => Buffer.concat([written, Uint8Array.of(0)]),
  'itself twice': (written) => Buffer.concat([written, written]),
  'an entry copied from another key': (_, other) => other,
  'an entry of a future version': (written) => {
    const later = Buffer.from(written);
    later[1] = (later[1] ?? 0) + 1;
    return seal(later);
  },
  'an entry in a codec of the future': (written) => {
    const later = Buffer.from(written);
    later[CODEC_AT] = 0x7f;
    return seal(later);
  },
  'text of another program': () => text('Hello, this is not yours.'),
  'JSON of another program': () => text('{"value":"forged","admin":true}'),
  'a serialized object of Node.js': () => Buffer.from('ff0f6f2205', 'hex'),
  'a serialized object of PHP': () => text('O:8:"stdClass":1:{s:1:"a";i:1;}'),
  'a pickle of Django': () => Buffer.from('80049505000000000000008c016194', 'hex'),
  'a gzip of nothing': () => Buffer.from('1f8b0800000000000003030000000000000000', 'hex'),
  zeros: (written) => new Uint8Array(written.length),
  'ones in every bit': (written) => new Uint8Array(written.length).fill(0xff),
  noise: (written) => Uint8Array.from(written, (_, index) => (index * 167 + 13) & 0xff),
};

/** The entry with one bit turned. */
export function flipped(written: Uint8Array, bit: number): Uint8Array {
  const bytes = Uint8Array.from(written);
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return bytes;
}
