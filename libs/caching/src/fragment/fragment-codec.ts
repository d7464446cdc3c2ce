import type { EntryCodec } from '../cache/entries.js';

/** Markup as UTF-8. */
const CODEC = 1;

/** Rendered markup in bytes. It is stored as it was rendered, so it is never escaped again. */
export const fragmentCodec: EntryCodec<string> = {
  kind: 'fragment',
  encode: (markup) => ({ codec: CODEC, body: Buffer.from(markup) }),
  decode(codec, body) {
    if (codec !== CODEC) throw new RangeError('not a fragment');
    return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  },
};
