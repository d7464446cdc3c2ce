import type { HeldObject } from '../backends/cache-backend.js';
import type { TagVersion } from './tags.js';

/** A value with its stamps, as it is held. In memory this object itself is what the backend keeps. */
export interface Entry<T> extends HeldObject {
  readonly value: T;
  /** Milliseconds since 1970 at the start of the load. */
  readonly createdAt: number;
  /** The full key; compared on read when the final key is a digest. */
  readonly fullKey: string;
  /** How long the load took, in milliseconds; 0 for what was set. */
  readonly loadMs: number;
  /** What a reader must check besides; `undefined` for an entry that is fresh as long as it is there. */
  readonly guard: Guard | undefined;
}

/** What decides whether an entry is fresh, stale or absent although the backend still has it. */
export interface Guard {
  /** Fresh until, in milliseconds since 1970; `Infinity` where the backend's expiry alone decides. */
  readonly freshUntil: number;
  /** May be served while it is refreshed, until. Not before {@link freshUntil}. */
  readonly revalidateUntil: number;
  /** May be served if the load fails, until. Not before {@link freshUntil}. */
  readonly errorUntil: number;
  readonly tags: readonly TagVersion[];
  /** The right to load the key, while somebody has it. */
  readonly lease: Lease | undefined;
  /** Refreshes that failed since the value was stored; the next waits until `retryAt`. */
  readonly failures: number;
  readonly retryAt: number;
  /** Nothing but a lease: there is no value. */
  readonly isMarker: boolean;
}

/** The right to load a key. Whoever writes to the key in any other way takes it away. */
export interface Lease {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  /** The versions of the tags that were known when it was taken: an invalidation of any of them ends it. */
  readonly tags: readonly TagVersion[];
}

/** What a reader may do with an entry. */
export type Freshness = 'fresh' | 'stale' | 'absent';

/** The part of a guard that says nothing. */
export const OPEN_GUARD: Guard = {
  freshUntil: Infinity,
  revalidateUntil: Infinity,
  errorUntil: Infinity,
  tags: [],
  lease: undefined,
  failures: 0,
  retryAt: 0,
  isMarker: false,
};

/** The end of all stale windows. */
export function usableUntil({ freshUntil, revalidateUntil, errorUntil }: Guard): number {
  return Math.max(freshUntil, revalidateUntil, errorUntil);
}

/** Whether the windows of an entry alone let a reader use it. */
export function freshnessAt(guard: Guard, now: number): Freshness {
  if (guard.isMarker) return 'absent';
  if (now < guard.freshUntil) return 'fresh';
  return now < usableUntil(guard) ? 'stale' : 'absent';
}

/** How an entry lives. */
export interface Life {
  /** Milliseconds fresh; `null` for ever; 0 or less: not stored. */
  readonly ttlMs: number | null;
  /** Milliseconds after that in which it is served while it is refreshed. */
  readonly revalidateMs: number;
  /** Milliseconds after that in which it is served if the load fails. */
  readonly errorMs: number;
  readonly tags: readonly string[];
}

/** The guard of a new entry; `undefined` if the backend's expiry says all. */
export function guardFor(life: Life, tags: readonly TagVersion[], now: number): Guard | undefined {
  const { ttlMs, revalidateMs, errorMs } = life;
  if (revalidateMs <= 0 && errorMs <= 0) return tags.length === 0 ? undefined : { ...OPEN_GUARD, tags };
  // An entry without an end becomes stale by its tags alone.
  const freshUntil = ttlMs === null ? Number.MAX_SAFE_INTEGER : now + ttlMs;
  const windowEnd = (ms: number) => (ms <= 0 ? freshUntil : ttlMs === null ? Infinity : freshUntil + ms);
  return {
    ...OPEN_GUARD,
    tags,
    freshUntil,
    revalidateUntil: windowEnd(revalidateMs),
    errorUntil: windowEnd(errorMs),
  };
}

/** How long the backend keeps an entry, in whole milliseconds: servers take no other ones. */
export function keptFor({ ttlMs, revalidateMs, errorMs }: Life): number | null {
  return ttlMs === null ? null : Math.ceil(ttlMs + Math.max(0, revalidateMs, errorMs));
}

/** Whether a stale window of an entry was asked for at all. */
export function hasWindows({ freshUntil, revalidateUntil, errorUntil }: Guard): boolean {
  return revalidateUntil > freshUntil || errorUntil > freshUntil;
}
