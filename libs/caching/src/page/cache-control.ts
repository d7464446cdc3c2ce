import { FieldScanner } from './field-scanner.js';

/** What a `Cache-Control` field says to a shared cache on the server (RFC 9111 §5.2.2, RFC 5861, RFC 8246). */
export interface CacheControl {
  /** Any of `no-store`, `private`, `no-cache`, qualified or not; or a field that cannot be read with certainty. */
  readonly forbidsStoring: boolean;
  readonly isMalformed: boolean;
  readonly noStore: boolean;
  readonly isPrivate: boolean;
  readonly noCache: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly noTransform: boolean;
  readonly isPublic: boolean;
  readonly mustUnderstand: boolean;
  readonly immutable: boolean;
  /** Lifetimes in seconds, at most 2^31. Malformed is 0; of several the smallest counts. */
  readonly maxAge: number | undefined;
  readonly sMaxAge: number | undefined;
  readonly staleWhileRevalidate: number | undefined;
  readonly staleIfError: number | undefined;
}

/** One directive: a lower-case name, and its argument if it has one. */
export type Directive = readonly [name: string, argument: string | undefined];

/** Over this many seconds a lifetime counts as this many (RFC 9111 §1.2.2). */
export const MAX_DELTA_SECONDS = 2 ** 31;

/**
 * Reads a field value, or its lines. Doubt means "do not store": a malformed line forbids it, and a directive that relaxes
 * counts only in its exact form. Lines are read one by one, so that no quote in one of them hides what the next one says.
 */
export function parseCacheControl(field: string | readonly string[]): CacheControl {
  const lines = (typeof field === 'string' ? [field] : field).map(readDirectives);
  const isMalformed = lines.includes(undefined);
  const said = new Map<string, (string | undefined)[]>();
  for (const [name, argument] of lines.flatMap((line) => line ?? [])) {
    const earlier = said.get(name);
    if (earlier === undefined) said.set(name, [argument]);
    else earlier.push(argument);
  }
  const says = (name: string): boolean => said.has(name);
  const saysPlainly = (name: string): boolean =>
    !isMalformed && said.get(name)?.every((argument) => argument === undefined) === true;
  const life = (name: string): number | undefined => {
    if (isMalformed) return 0;
    return said
      .get(name)
      ?.map(deltaSeconds)
      .reduce((smallest, seconds) => Math.min(smallest, seconds));
  };
  const [noStore, isPrivate, noCache] = [says('no-store'), says('private'), says('no-cache')];
  return {
    forbidsStoring: isMalformed || noStore || isPrivate || noCache,
    isMalformed,
    noStore,
    isPrivate,
    noCache,
    mustRevalidate: isMalformed || says('must-revalidate'),
    proxyRevalidate: isMalformed || says('proxy-revalidate'),
    noTransform: isMalformed || says('no-transform'),
    isPublic: saysPlainly('public'),
    mustUnderstand: saysPlainly('must-understand'),
    immutable: saysPlainly('immutable'),
    maxAge: life('max-age'),
    sMaxAge: life('s-maxage'),
    staleWhileRevalidate: life('stale-while-revalidate'),
    staleIfError: life('stale-if-error'),
  };
}

/** The directives of one line in their order, or `undefined` if it is not a list of directives (RFC 9111 §5.2). */
export function readDirectives(line: string): readonly Directive[] | undefined {
  const scanner = new FieldScanner(line);
  const directives: Directive[] = [];
  scanner.skipBlanks();
  while (!scanner.isAtEnd) {
    const name = scanner.token().toLowerCase();
    if (name !== '') {
      let argument: string | undefined;
      if (scanner.accept('=')) {
        argument = readArgument(scanner);
        if (argument === undefined) return undefined;
      }
      directives.push([name, argument]);
    }
    scanner.skipBlanks();
    if (!scanner.accept(',') && !scanner.isAtEnd) return undefined;
    scanner.skipBlanks();
  }
  return directives;
}

/** A token or a quoted string, which may fail to end; `a=` has the empty argument. */
function readArgument(scanner: FieldScanner): string | undefined {
  return scanner.accept('"') ? scanner.restOfQuoted() : scanner.token();
}

/** A lifetime in seconds; 0 for anything but digits. */
export function deltaSeconds(text: string | undefined): number {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), MAX_DELTA_SECONDS) : 0;
}
