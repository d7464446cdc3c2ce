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

/** One option of the cache. */
export interface OptionExplanation {
  readonly value: unknown;
  readonly from: 'application' | 'default';
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
  /** Estimated in memory, and as stored elsewhere. */
  readonly bytes?: number;
  /** How it is written: as the object that it is, in memory; as JSON; as JSON with more types; as bytes; as text. */
  readonly codec?: 'object' | 'json' | 'extended' | 'bytes' | 'text' | 'unknown';
  readonly isCompressed?: boolean;
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
  /** What a call goes by that does not say: the application's word, or the default. Durations in milliseconds. */
  readonly options: Readonly<Record<string, OptionExplanation>>;
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
