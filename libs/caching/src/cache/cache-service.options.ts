import { type Ttl, ttlToMs } from '../duration.js';
import { assertVersion } from './keys.js';

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
}

export interface GetOrSetOptions extends SetOptions {
  /** As in {@link ReadOptions}. */
  readonly copy?: boolean;
}

export interface IncrementOptions extends SetOptions {
  /** Where an absent counter starts, before the delta. Without it an absent key is an error. */
  readonly initial?: number;
}

/** What a factory may say about the load that it runs. */
export interface LoadContext {
  /** Gives this result another ttl than the call asked for. The last word counts. */
  setTtl(ttl: Ttl): void;
}

export type Factory<T> = (context: LoadContext) => T | Promise<T>;

/** What a cache does when a call does not say. */
interface CallDefaults {
  readonly ttlMs: number | null;
  readonly version: number;
}

/** The version that a call means. @throws InvalidKeyError */
export function versionOf(options: VersionOptions | undefined, defaults: CallDefaults): number {
  const version = options?.version;
  if (version === undefined) return defaults.version;
  assertVersion(version);
  return version;
}

/** The life in milliseconds and the version that a write means. @throws InvalidDurationError, InvalidKeyError */
export function lifeOf(options: Ttl | SetOptions | undefined, defaults: CallDefaults): CallDefaults {
  if (typeof options !== 'object' || options === null) {
    return { ttlMs: options === undefined ? defaults.ttlMs : ttlToMs(options), version: defaults.version };
  }
  const ttlMs = options.ttl === undefined ? defaults.ttlMs : ttlToMs(options.ttl);
  return { ttlMs, version: versionOf(options, defaults) };
}
