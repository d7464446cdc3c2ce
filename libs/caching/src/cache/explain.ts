import type { ResolvedCacheOptions } from '../resolve-options.js';
import type { Engine } from './engine.js';
import type { Sight } from './entries.js';
import type { Guard } from './entry.js';
import { leaseIn } from './leases.js';
import { judgeTags } from './tags.js';
import { type KeptValue, valueCodec } from './values.js';

/** How the key of a value was built. */
export interface KeyExplanation {
  /** As the caller gave it. */
  readonly key: string;
  readonly keyPrefix: string;
  readonly cache: string;
  /** The generation of the cache; `clear()` begins a new one. */
  readonly epoch: number;
  readonly version: number;
  /** Whether the version was given with the call, or is the cache's. */
  readonly versionFrom: 'call' | 'cache';
  readonly fullKey: string;
  /** What the backend is asked for. */
  readonly finalKey: string;
  /** Whether the final key ends in a digest, because the full one is longer than 250 bytes. */
  readonly isDigested: boolean;
}

/** One tag of an entry. */
export interface TagExplanation {
  readonly tag: string;
  readonly stored: { readonly hard: number; readonly soft: number };
  /** `undefined`: the record is gone, so the entry is absent. */
  readonly current: { readonly hard: number; readonly soft: number } | undefined;
  readonly state: 'current' | 'soft' | 'hard';
}

/** What lies under a key. Times in milliseconds from now; `null` for ever. */
export interface HeldExplanation {
  readonly what: 'nothing' | 'counter' | 'value' | 'lease' | 'foreign';
  readonly age?: number;
  readonly loadMs?: number;
  readonly bytes?: number;
  readonly freshFor?: number | null;
  readonly staleWhileRevalidateFor?: number | null;
  readonly staleIfErrorFor?: number | null;
  readonly tags?: readonly TagExplanation[];
  /** Who loads the key now, and for how long others wait for a sign of life. */
  readonly lease?: { readonly isOurs: boolean; readonly remaining: number };
  readonly failedRefreshes?: number;
  readonly nextRefreshIn?: number;
}

/** Everything about a key but its value. */
export interface Explanation {
  readonly key: KeyExplanation;
  readonly backend: string;
  /** What a call would use that does not say, and whether the application has set it. Durations in milliseconds. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly held: HeldExplanation;
  /** A change that an outage has kept from the backend. */
  readonly isChangePending: boolean;
  /** What `get` would answer now, and why. */
  readonly get: { readonly answers: 'value' | 'undefined'; readonly because: string };
  /** What `getOrSet` would do now, and why. */
  readonly getOrSet: {
    readonly does: 'answer' | 'answer and refresh' | 'wait' | 'load';
    readonly because: string;
  };
}

/** Says how a key was built, what it holds and what a read would do. @throws BackendError */
export async function explainKey(
  { entries, policy, loader, name }: Engine,
  options: ResolvedCacheOptions,
  asked: {
    readonly key: string;
    readonly segments: string;
    readonly version: number;
    readonly isVersionGiven: boolean;
  },
): Promise<Explanation> {
  const address = { codec: valueCodec, segments: asked.segments, version: asked.version };
  const [sight, ttl] = await policy.demand('explain', async () => {
    const seen = await entries.look(address, []);
    return [seen, await entries.backend.ttl(seen.pair.key)] as const;
  });
  const now = entries.now();
  const { pair } = sight;
  const lease = leaseIn(sight, now);
  const path = entries.keys.path(asked.version, 'value', asked.segments);
  return {
    key: {
      key: asked.key,
      keyPrefix: options.keyPrefix,
      cache: name,
      epoch: entries.stamps.current?.epoch ?? 0,
      version: asked.version,
      versionFrom: asked.isVersionGiven ? 'call' : 'cache',
      fullKey: pair.fullKey,
      finalKey: pair.key,
      isDigested: pair.key !== pair.fullKey,
    },
    backend: entries.backend.name,
    options: {
      ttl: options.ttlMs,
      staleWhileRevalidate: options.revalidateMs,
      staleIfError: options.errorMs,
      errorTtl: options.errorTtlMs,
      loadTimeout: options.loadTimeoutMs,
      leaseTtl: options.leaseMs,
      onError: options.onError,
    },
    held: heldIn(sight, ttl, now, lease === undefined ? undefined : loader.holds(address, lease.token)),
    isChangePending: !entries.journal.isEmpty && entries.journal.isPending(path),
    get: getOf(sight),
    getOrSet: getOrSetOf(sight, now, lease !== undefined),
  };
}

function heldIn(
  sight: Sight<KeptValue>,
  ttl: number | null | undefined,
  now: number,
  isOurs: boolean | undefined,
): HeldExplanation {
  const { held, payload, recordOf } = sight;
  if (payload === undefined) return { what: 'nothing' };
  if (held === undefined) return { what: 'foreign' };
  if (typeof held === 'number') return { what: 'counter', freshFor: ttl ?? null };
  const { guard, createdAt, loadMs, size } = held;
  const lease = guard?.lease;
  const leased =
    lease === undefined
      ? {}
      : { lease: { isOurs: isOurs === true, remaining: Math.max(0, lease.until - now) } };
  if (guard?.isMarker === true) return { what: 'lease', age: now - createdAt, ...leased };
  const common = { what: 'value' as const, age: now - createdAt, loadMs, bytes: size, ...leased };
  if (guard === undefined) return { ...common, freshFor: ttl ?? null };
  return {
    ...common,
    freshFor: guard.freshUntil === Infinity ? (ttl ?? null) : until(guard.freshUntil, now),
    ...windowsOf(guard, now),
    tags: guard.tags.map(({ tag, hard, soft }) => {
      const record = recordOf(tag);
      return {
        tag,
        stored: { hard, soft },
        current: record && { hard: record.hard, soft: record.soft },
        state: judgeTags([{ tag, hard, soft }], recordOf),
      };
    }),
    ...(guard.failures > 0 && {
      failedRefreshes: guard.failures,
      nextRefreshIn: Math.max(0, Math.ceil(guard.retryAt - now)),
    }),
  };
}

function windowsOf(guard: Guard, now: number): Partial<HeldExplanation> {
  const { freshUntil, revalidateUntil, errorUntil } = guard;
  return {
    ...(revalidateUntil > freshUntil && { staleWhileRevalidateFor: until(revalidateUntil, now) }),
    ...(errorUntil > freshUntil && { staleIfErrorFor: until(errorUntil, now) }),
  };
}

function until(moment: number, now: number): number | null {
  return moment >= Number.MAX_SAFE_INTEGER ? null : Math.max(0, Math.ceil(moment - now));
}

function getOf({ freshness, held, payload }: Sight<KeptValue>): Explanation['get'] {
  if (freshness === 'fresh') return { answers: 'value', because: 'the entry is fresh' };
  const because =
    payload === undefined
      ? 'nothing is stored'
      : held === undefined
        ? 'what is stored was not written by this cache'
        : typeof held === 'object' && held.guard?.isMarker === true
          ? 'the value is still being loaded'
          : freshness === 'stale'
            ? 'the entry is stale, and only getOrSet uses stale values'
            : 'its life has ended, a tag was invalidated, or a change is pending';
  return { answers: 'undefined', because };
}

function getOrSetOf(
  { freshness, held }: Sight<KeptValue>,
  now: number,
  isLeased: boolean,
): Explanation['getOrSet'] {
  if (freshness === 'fresh') return { does: 'answer', because: 'the entry is fresh' };
  const guard = typeof held === 'object' ? held.guard : undefined;
  if (freshness === 'stale' && guard !== undefined) {
    if (now < guard.retryAt)
      return { does: 'answer', because: 'the last refresh failed, and the next has to wait' };
    if (now < guard.revalidateUntil) {
      return isLeased
        ? { does: 'answer', because: 'somebody refreshes the stale value already' }
        : { does: 'answer and refresh', because: 'the entry is within staleWhileRevalidate' };
    }
  }
  if (isLeased) return { does: 'wait', because: 'somebody is loading the value' };
  return {
    does: 'load',
    because:
      freshness === 'stale'
        ? 'the entry is within staleIfError: served if the load fails'
        : 'nothing is usable',
  };
}
