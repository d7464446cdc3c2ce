/** The directives of a `Cache-Control` field that matter to a shared cache on the server. */
export interface CacheControl {
  /** Any of `no-store`, `private`, `no-cache`, qualified or not; or a field that cannot be read with certainty. */
  readonly forbidsStoring: boolean;
  readonly maxAge: number | undefined;
  readonly sMaxAge: number | undefined;
}

/** Over this many seconds a lifetime counts as this many (RFC 9111 §1.2.2). */
const MAX_DELTA_SECONDS = 2 ** 31;

/** One directive: a token, and perhaps `=` with a token or a quoted string (RFC 9111 §5.2). Sticky, so linear. */
const DIRECTIVE =
  /[\t ]*(?:([!#$%&'*+\-.^_`|~\w]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+\-.^_`|~\w]*)))?)?[\t ]*(?:,|$)/y;

/**
 * Reads a field value. Doubt means "do not store": a malformed field forbids it, a malformed or repeated lifetime counts
 * as the smallest.
 */
export function parseCacheControl(field: string): CacheControl {
  let forbidsStoring = false;
  const lives = new Map<string, number>();
  DIRECTIVE.lastIndex = 0;
  while (DIRECTIVE.lastIndex < field.length) {
    const match = DIRECTIVE.exec(field);
    if (match === null) return { forbidsStoring: true, maxAge: 0, sMaxAge: 0 };
    const directive = match[1]?.toLowerCase();
    if (directive === 'no-store' || directive === 'private' || directive === 'no-cache')
      forbidsStoring = true;
    if (directive === 'max-age' || directive === 's-maxage') {
      const seconds = deltaSeconds(match[2] ?? match[3] ?? '');
      lives.set(directive, Math.min(seconds, lives.get(directive) ?? MAX_DELTA_SECONDS));
    }
  }
  return { forbidsStoring, maxAge: lives.get('max-age'), sMaxAge: lives.get('s-maxage') };
}

function deltaSeconds(text: string): number {
  return /^\d+$/.test(text) ? Math.min(Number(text), MAX_DELTA_SECONDS) : 0;
}
