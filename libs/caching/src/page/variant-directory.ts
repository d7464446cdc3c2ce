import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { variantSegments } from './variants.js';

/** A page among those of one URL that differ by what their `Vary` names. */
export interface Variant {
  /** What its `Vary` named beyond the declared: lower case, in alphabetical order. */
  readonly names: readonly string[];
  /** Of the values that its request had under these names. */
  readonly digest: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Until when the backend keeps it, in milliseconds since 1970; `null` for ever. */
  readonly keptUntil: number | null;
}

/** The variants of a page, the newest first. */
export interface VariantDirectory {
  readonly variants: readonly Variant[];
}

/** Where a variant is kept: beside the directory. A declared part of a key never begins with `@vary`. */
export function variantKey(segments: string, digest: string): string {
  return `${segments}:@vary=${digest}`;
}

/** What tells the values of one request from those of others under these names; absent is not empty. */
export function variantDigest(headers: IncomingHttpHeaders, names: readonly string[]): string {
  const parts = variantSegments(headers, { headers: names, cookies: [] });
  return hash('sha256', JSON.stringify([names, parts]), 'hex').slice(0, 32);
}

/**
 * The digest under which a request finds its variant: of each stored response its own `Vary` counts, and of several that
 * match the newest (RFC 9111 §4.1). One that matches none is looked for as the newest response varies.
 */
export function digestFor({ variants }: VariantDirectory, headers: IncomingHttpHeaders): string | undefined {
  const digests = new Map<string, string>();
  const digestOf = (names: readonly string[]): string => {
    const id = names.join();
    const known = digests.get(id) ?? variantDigest(headers, names);
    digests.set(id, known);
    return known;
  };
  const match = variants.find(({ names, digest }) => digestOf(names) === digest);
  if (match !== undefined) return match.digest;
  const [newest] = variants;
  return newest && digestOf(newest.names);
}

/** A directory with a variant added, those that have ended left out, and the oldest ones that are too many. */
export function withVariant(
  directory: VariantDirectory | undefined,
  added: Variant,
  most: number,
  now: number,
): { readonly directory: VariantDirectory; readonly dropped: readonly Variant[] } {
  const others = (directory?.variants ?? []).filter(
    ({ digest, keptUntil }) => digest !== added.digest && (keptUntil === null || keptUntil > now),
  );
  const variants = [added, ...others];
  return { directory: { variants: variants.slice(0, most) }, dropped: variants.slice(most) };
}

/** How long a directory is kept: as long as any of its variants. Whole milliseconds; `null` for ever. */
export function directoryLife({ variants }: VariantDirectory, now: number): number | null {
  if (variants.some(({ keptUntil }) => keptUntil === null)) return null;
  return Math.ceil(Math.max(...variants.map(({ keptUntil }) => (keptUntil ?? now) - now), 1));
}

/** Bytes that a variant takes in memory besides its names, roughly. */
const VARIANT_OVERHEAD = 150;

/** Estimated bytes in memory, for the bound of the backend. */
export function directorySize({ variants }: VariantDirectory): number {
  return variants.reduce((sum, { names }) => sum + VARIANT_OVERHEAD + names.join().length, VARIANT_OVERHEAD);
}
