/** A number, or what makes one of the value that was loaded or found. */
export type FromValue<T> = number | ((value: T) => number | undefined);

/** One value to store with `mset`. */
export interface ManagedEntry<T> {
  readonly key: string;
  readonly value: T;
  /** As in `set`. */
  readonly ttl?: number;
}

/** What `wrap` takes as an object. */
export interface WrapOptions<T> {
  /** Milliseconds; 0 for ever. Default: the `ttl` of the cache. */
  readonly ttl?: FromValue<T>;
  /** With fewer milliseconds left than this, the value is answered and loaded anew in the background. Default: the module's. */
  readonly refreshThreshold?: FromValue<T>;
  /** Whether to answer `{ value, expires }`. Default `false`. */
  readonly raw?: boolean;
}

/** What `wrap` answers with `raw`. */
export interface RawValue<T> {
  readonly value: T;
  /** When the entry ends, in milliseconds since 1970; `undefined` if never. */
  readonly expires?: number | undefined;
}

/** Both signatures of `wrap`. */
export interface Wrap {
  <T>(
    key: string,
    load: () => T | Promise<T>,
    options: WrapOptions<T> & { readonly raw: true },
  ): Promise<RawValue<T>>;
  <T>(key: string, load: () => T | Promise<T>, options: WrapOptions<T>): Promise<T>;
  <T>(
    key: string,
    load: () => T | Promise<T>,
    ttl?: FromValue<T>,
    refreshThreshold?: FromValue<T>,
  ): Promise<T>;
}

/** What happens to a cache through this door; each comes with the data, or with the data and an `error`. */
export type CacheManagerEvent = 'get' | 'mget' | 'set' | 'mset' | 'del' | 'mdel' | 'clear' | 'refresh';
