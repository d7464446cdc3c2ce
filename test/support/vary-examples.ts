/** A `Vary`, names that join it, and what comes of it: the table of Django's tests of `patch_vary_headers`. */
export const PATCHED_VARY: readonly (readonly [
  existing: string | undefined,
  added: readonly string[],
  patched: string,
])[] = [
  [undefined, ['Accept-Encoding'], 'Accept-Encoding'],
  ['Accept-Encoding', ['accept-encoding'], 'Accept-Encoding'],
  ['Accept-Encoding', ['ACCEPT-ENCODING'], 'Accept-Encoding'],
  ['Cookie', ['Accept-Encoding'], 'Cookie, Accept-Encoding'],
  ['Cookie, Accept-Encoding', ['Accept-Encoding'], 'Cookie, Accept-Encoding'],
  ['Cookie, Accept-Encoding', ['Accept-Encoding', 'cookie'], 'Cookie, Accept-Encoding'],
  [undefined, ['Accept-Encoding', 'COOKIE'], 'Accept-Encoding, COOKIE'],
  ['Cookie,     Accept-Encoding', ['Accept-Encoding', 'cookie'], 'Cookie, Accept-Encoding'],
  ['Cookie    , Accept-Encoding', ['Accept-Encoding', 'cookie'], 'Cookie, Accept-Encoding'],
  ['*', ['Accept-Language', 'Cookie'], '*'],
  ['Accept-Encoding, *', ['Cookie'], '*'],
];
