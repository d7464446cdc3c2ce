import type { GetOrSetOptions, SetOptions, VersionOptions } from '../cache/cache-service.options.js';

/** Where the entries of a decorated method are. */
interface Placed extends VersionOptions {
  /** The name of the cache. Default: the default cache. */
  readonly cache?: string;
  /**
   * Runs the method without the cache where it answers `false`; asked before the method, with its arguments. Default: no
   * condition.
   */
  readonly condition?: (this: never, ...args: never[]) => boolean;
}

/** The tags of what a decorated method has answered. */
interface Tagged {
  /** What the result depends on, as in `set`: a list, or made from the arguments. */
  readonly tags?: readonly string[] | ((this: never, ...args: never[]) => readonly string[]);
  /** Tags that only the result shows; from the result and the arguments. */
  readonly resultTags?: (this: never, result: never, ...args: never[]) => readonly string[];
  /** Keeps a result out of the cache where it answers `true`. Default: everything but `undefined` is stored. */
  readonly unless?: (this: never, result: never, ...args: never[]) => boolean;
}

/** How loads go, and how long their results live. */
type Loaded = Omit<GetOrSetOptions, 'tags' | 'signal'>;

/**
 * What `@Cached` takes. The functions get the arguments of the method and are called on its object; they may take fewer
 * arguments than the method does.
 */
export interface CachedOptions extends Placed, Tagged, Loaded {
  /**
   * What keys begin with: give it to let other methods put and evict these entries, or where a build shortens the names of
   * classes. Default: the names of the class and the method.
   */
  readonly name?: string;
  /** What the result depends on, as a list of plain data; stands for the arguments in the key. Default: all arguments. */
  readonly key?: (this: never, ...args: never[]) => readonly unknown[];
}

/** What `@CachedMany` takes. Its functions are called for each id, with the id in the place of the list of ids. */
export interface CachedManyOptions extends CachedOptions {
  /**
   * What the method answers: a `Map` by id, or an array with one element for each id, in their order, `undefined` where
   * there is none. Default `'map'`.
   */
  readonly answers?: 'map' | 'array';
}

/** What `@CachePut` takes. */
export interface CachePutOptions
  extends Placed, Tagged, Pick<SetOptions, 'ttl' | 'staleWhileRevalidate' | 'staleIfError'> {
  /** The `name` of the method whose entry this replaces; `Class.method` where that has none. */
  readonly name: string;
  /** The list in that method's key, from the arguments. Default: all arguments. */
  readonly key?: (this: never, ...args: never[]) => readonly unknown[];
  /** The same, from the result and the arguments, for what has its id only afterwards. */
  readonly resultKey?: (this: never, result: never, ...args: never[]) => readonly unknown[];
}

/** What `@CacheEvict` takes: any of a key, tags and `all`. */
export interface CacheEvictOptions extends Placed {
  /** The `name` of the method whose entry goes; `Class.method` where that has none. */
  readonly name?: string;
  /** With `name`: the list in that method's key. Default: all arguments. */
  readonly key?: (this: never, ...args: never[]) => readonly unknown[];
  /** Tags to invalidate: a list, or made from the arguments. */
  readonly tags?: readonly string[] | ((this: never, ...args: never[]) => readonly string[]);
  /** More tags to invalidate, from the result and the arguments. Not asked if the method has thrown. */
  readonly resultTags?: (this: never, result: never, ...args: never[]) => readonly string[];
  /** Makes what has the tags stale instead of absent. Default `false`. */
  readonly soft?: boolean;
  /** Empties the whole cache. Default `false`. */
  readonly all?: boolean;
  /** Evicts also if the method throws, since it may have changed something before. Default `false`. */
  readonly always?: boolean;
}
