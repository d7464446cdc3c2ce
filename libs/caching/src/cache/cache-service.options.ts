import { InvalidArgumentError } from '../errors.js';
import { type Duration, toMs, type Ttl, ttlToMs } from '../duration.js';
import type { Life } from './entry.js';
import { assertVersion } from './keys.js';
import { checkedTags, NO_TAGS } from './tags.js';

/** Which generation of a key. */
export interface VersionOptions {
  /** Part of the key: a non-negative safe integer. Default: the `version` of the cache, which is 1. */
  readonly version?: number;
}

export interface ReadOptions extends VersionOptions {
  /** A private copy that may be changed, instead of the shared frozen value. Costs a deep copy. Default `false`. */
  readonly copy?: boolean;
}

export interface GetOptions<T> extends ReadOptions {
  /** The answer when the key is absent. Default `undefined`. */
  readonly default?: T;
}

export interface SetOptions extends VersionOptions {
  /** How long the entry stays fresh. Default: the `ttl` of the cache. `null` never expires, 0 or less does not keep. */
  readonly ttl?: Ttl;
  /** What the value depends on: `invalidateTags` of any of these makes it absent. At most 1,000. */
  readonly tags?: readonly string[];
  /** How long after its life `getOrSet` serves it while it is refreshed in the background. Default: the cache's, 0. */
  readonly staleWhileRevalidate?: Duration;
  /** How long after its life `getOrSet` serves it if the load fails. Default: the cache's, 0. */
  readonly staleIfError?: Duration;
}

export interface GetOrSetOptions extends SetOptions {
  /** As in {@link ReadOptions}. */
  readonly copy?: boolean;
  /** How long this caller waits in all; then it gets a `LoadTimeoutError`, and the load goes on. Default: no bound. */
  readonly timeout?: Duration;
  /** How long this caller waits if there is a stale value to serve instead. Default: no bound. */
  readonly softTimeout?: Duration;
  /** How long a failure is answered without another run, in this process. 0 for never. Default: the cache's, `'1s'`. */
  readonly errorTtl?: Duration;
  /** Ends this caller's wait with the signal's reason; the load goes on for others. */
  readonly signal?: AbortSignal;
  /** What becomes of the load when everybody has left who waited for it. Default `'finish'`: it is stored. */
  readonly whenAbandoned?: 'finish' | 'abort';
}

export interface LockOptions {
  /** How long the lock holds without being extended. Default `'10s'`. */
  readonly ttl?: Duration;
  /** How long to wait for it; 0 for one attempt. Default `'5s'`. */
  readonly wait?: Duration;
}

export interface InvalidateOptions {
  /** Makes entries stale instead of absent: their stale windows may still serve them. Default `false`. */
  readonly soft?: boolean;
}

export interface IncrementOptions extends SetOptions {
  /** Where an absent counter starts, before the delta. Without it an absent key is an error. */
  readonly initial?: number;
}

/** What a factory may say about the load that it runs. */
export interface LoadContext {
  /** Gives this result another ttl than the call asked for. The last word counts. */
  setTtl(ttl: Ttl): void;
  /** Adds tags that only the result shows. */
  addTags(tags: readonly string[]): void;
  /** Aborted when the load has run too long, or nobody wants it any more. */
  readonly signal: AbortSignal;
}

/** {@link LoadContext} for a run that loads many keys: what is said holds for one of them, or for all. */
export interface BatchContext extends LoadContext {
  /** @throws InvalidArgumentError for a key that is not being loaded */
  setTtl(ttl: Ttl, key?: string): void;
  /** @throws InvalidArgumentError for a key that is not being loaded */
  addTags(tags: readonly string[], key?: string): void;
}

export type Factory<T> = (context: LoadContext) => T | Promise<T>;

/** Loads many keys at once; what it leaves out is absent. */
export type BatchFactory<T> = (
  missing: readonly string[],
  context: BatchContext,
) => ReadonlyMap<string, T> | Promise<ReadonlyMap<string, T>>;

/** What a cache does when a call does not say. */
export interface CallDefaults {
  readonly ttlMs: number | null;
  readonly version: number;
  readonly revalidateMs: number;
  readonly errorMs: number;
}

/** The version that a call means. @throws InvalidKeyError */
export function versionOf(options: VersionOptions | undefined, defaults: CallDefaults): number {
  const version = options?.version;
  if (version === undefined) return defaults.version;
  assertVersion(version);
  return version;
}

/** How what a call stores is to live. @throws InvalidDurationError, InvalidArgumentError */
export function lifeOf(options: Ttl | SetOptions | undefined, defaults: CallDefaults): Life {
  const { ttlMs, revalidateMs, errorMs } = defaults;
  if (typeof options !== 'object' || options === null) {
    return { ttlMs: options === undefined ? ttlMs : ttlToMs(options), revalidateMs, errorMs, tags: NO_TAGS };
  }
  const { ttl, staleWhileRevalidate, staleIfError, tags } = options;
  return {
    ttlMs: ttl === undefined ? ttlMs : ttlToMs(ttl),
    revalidateMs: staleWhileRevalidate === undefined ? revalidateMs : toMs(staleWhileRevalidate),
    errorMs: staleIfError === undefined ? errorMs : toMs(staleIfError),
    tags: checkedTags(tags),
  };
}

/** A duration that a call may leave open. @throws InvalidDurationError */
export function optionalMs(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : toMs(duration);
}

/** The options of a call that may give a ttl alone. */
export function asOptions<O extends object>(options: Ttl | O | undefined): O | undefined {
  return typeof options === 'object' && options !== null ? options : undefined;
}

/** How a lock is asked for, in milliseconds. */
export interface LockTerms {
  readonly ttlMs: number;
  readonly waitMs: number;
}

const LOCK_TTL_MS = 10_000;
const LOCK_WAIT_MS = 5000;

/** What a lock is asked for with. @throws InvalidDurationError, InvalidArgumentError */
export function lockTerms({ ttl, wait }: LockOptions = {}): LockTerms {
  const ttlMs = optionalMs(ttl) ?? LOCK_TTL_MS;
  const waitMs = optionalMs(wait) ?? LOCK_WAIT_MS;
  if (ttlMs > 0 && waitMs >= 0) return { ttlMs, waitMs };
  throw new InvalidArgumentError('A lock needs a `ttl` above 0 and a `wait` of at least 0.');
}

/** @throws InvalidArgumentError unless a counter can go by them */
export function assertCounterSteps(delta: number, initial: number | undefined): void {
  if (Number.isSafeInteger(delta) && (initial === undefined || Number.isSafeInteger(initial))) return;
  throw new InvalidArgumentError('The delta and `initial` of a counter must be safe integers.');
}
