import type { ConfigurableModuleAsyncOptions, Type } from '@nestjs/common';
import type { CacheBackend } from './backends/cache-backend.js';
import type { KnexInstance } from './backends/database/knex-instance.js';
import type { KeyvStore } from './backends/keyv/keyv-store.js';
import type { RedisBackendOptions } from './backends/redis/options.js';
import type { ValueConverter } from './cache/converters.js';
import type { Duration, Ttl } from './duration.js';
import type { NamedPagePolicy } from './page/cache-page.options.js';

/**
 * What every cache takes, whatever its backend. An explicit `undefined` is as good as nothing, here and in all options of the
 * module: what the environment does not have may be given as it is.
 */
export interface CommonCacheOptions {
  /** How long entries stay fresh when a call does not say. `null` never expires. Default `'15m'`. */
  readonly ttl?: Ttl | undefined;
  /** Stands in front of every key. Give one where several applications share a server. Up to 64 bytes. Default: none. */
  readonly keyPrefix?: string | undefined;
  /** The version that calls use when they do not say. A non-negative safe integer. Default 1. */
  readonly version?: number | undefined;
  /** What to do with instances of classes: refuse them, or keep their own fields as a plain object. Default `'refuse'`. */
  readonly classInstances?: 'refuse' | 'plain' | undefined;
  /** How instances of some classes are kept, whatever `classInstances` says. Default: none. */
  readonly converters?: readonly ValueConverter[] | undefined;
  /** Whether a write on a failing backend rejects, or answers as if nothing had been there. Default `'throw'`. */
  readonly onError?: 'throw' | 'ignore' | undefined;
  /**
   * The largest value, in bytes before it is compressed, 1,024 to 1 GiB: a larger one is not stored, and one that would
   * inflate to more is not read. Default 67,108,864 (64 MiB). Backends have limits of their own besides.
   */
  readonly maxValueBytes?: number | undefined;
  /**
   * From how many bytes on a value is compressed (deflate), and stored so if that makes it smaller; `null` for never. The
   * memory backend keeps objects, and compresses nothing. Default 65,536 (64 KiB).
   */
  readonly compressAbove?: number | null | undefined;
  /** How long a read may wait for the backend; then it is a miss. Default `'250ms'`. */
  readonly readDeadline?: Duration | undefined;
  /** How long a write may wait for the backend; then it rejects. Default `'1s'`. */
  readonly writeDeadline?: Duration | undefined;
  /** How long closing may take when the application shuts down. Default `'2s'`. */
  readonly closeDeadline?: Duration | undefined;
  /** How long after its life `getOrSet` serves a value while it is refreshed once in the background. Default 0. */
  readonly staleWhileRevalidate?: Duration | undefined;
  /** How long after its life `getOrSet` serves a value if the load fails. Default 0. */
  readonly staleIfError?: Duration | undefined;
  /** Lengthens each life by up to this much, at random, so that entries written together do not end together. Default 0. */
  readonly ttlJitter?: Duration | undefined;
  /** Makes what is random (jitter, pauses) reproducible: 0 to 4294967295. Default: a random one. */
  readonly seed?: number | undefined;
  /** How long a failed load is answered with its error without another run, in this process; 0 for never. Default `'1s'`. */
  readonly errorTtl?: Duration | undefined;
  /** How long a factory may run; then its flight ends, and the key can be loaded again. Default `'30s'`. */
  readonly loadTimeout?: Duration | undefined;
  /** How long another process waits for a loader that has died, 50 ms to 10 min. Renewed while it lives. Default `'10s'`. */
  readonly leaseTtl?: Duration | undefined;
  /**
   * The most loads at once; one more is a `TooManyLoadsError`, or a stale value. A `getOrSetMany` is one of them, however
   * many of its keys are missing. Default 1,000.
   */
  readonly maxConcurrentLoads?: number | undefined;
  /**
   * For how long a process may go by what it last knew of tags and of `clear()`, up to 1 min: so much later it may see an
   * invalidation by another process, and saves a round trip. Default 0.
   */
  readonly tagMemo?: Duration | undefined;
  /**
   * Whether a key that is read twice in one HTTP request is asked for once: within a request a value may then be one that
   * others have changed meanwhile. Elsewhere, `withRequestMemo` makes a scope. Default `false`.
   */
  readonly requestMemo?: boolean | undefined;
  /** After so many failures in a row (default 5) the backend is asked once in each pause (default `'1s'`) until it answers. */
  readonly breaker?:
    { readonly failures?: number | undefined; readonly pause?: Duration | undefined } | undefined;
}

/** In this process; the default. */
export interface MemoryCacheOptions extends CommonCacheOptions {
  readonly backend?: 'memory' | undefined;
  /** `memory:` and nothing else. */
  readonly url?: string | undefined;
  /** The most entries, 1 to 16,777,216. Default 100,000. */
  readonly maxEntries?: number | undefined;
  /** The most bytes, keys and overhead included; at least 1,024. Default 67,108,864 (64 MiB). */
  readonly maxBytes?: number | undefined;
  /** Time between two sweeps for expired entries; 0 for none. Default `'30s'`. */
  readonly sweepInterval?: Duration | undefined;
}

/** In files of a folder, for the processes of one user on one machine. */
export interface FileCacheOptions extends CommonCacheOptions {
  readonly backend?: 'file' | undefined;
  /** `file:///var/cache/app`; or give `directory`. */
  readonly url?: string | undefined;
  /** An absolute path; made with mode 0700 if it is not there. */
  readonly directory?: string | undefined;
  /** The most entries, about. Default 10,000. */
  readonly maxEntries?: number | undefined;
  /** Time between two sweeps for expired entries; 0 for none. Default `'5m'`. */
  readonly sweepInterval?: Duration | undefined;
}

/** On a Redis server, cluster or sentinel. Needs the package `@keyv/redis`. Give one of `url`, `client`, `cluster`, `sentinel`. */
export interface RedisCacheOptions
  extends CommonCacheOptions, Pick<RedisBackendOptions, 'client' | 'cluster' | 'sentinel' | 'tls'> {
  readonly backend?: 'redis' | undefined;
  /** `redis://user:password@host:6379/0`, or `rediss:` with TLS. */
  readonly url?: string | undefined;
  /** How long a connection may take to stand, 1 ms to 1 min. Default `'2s'`. */
  readonly connectTimeout?: Duration | undefined;
  /** After how long a silent server is given up and connected to anew, 100 ms to 10 min. Default `'5s'`. */
  readonly socketTimeout?: Duration | undefined;
}

/** On memcached servers. Give `url` or `servers`. */
export interface MemcachedCacheOptions extends CommonCacheOptions {
  readonly backend?: 'memcached' | undefined;
  /** `memcached://host:11211,other:11211`. */
  readonly url?: string | undefined;
  /** `host`, `host:port`, `[::1]:port` or the path of a socket; every process must name them alike. */
  readonly servers?: readonly string[] | undefined;
  /** How long a connection may take to stand. Default `'2s'`. */
  readonly connectTimeout?: Duration | undefined;
  /** After how long a silent server is given up. Default `'5s'`. */
  readonly socketTimeout?: Duration | undefined;
  /** The largest item, as the server's `-I` has it. Default 1,048,576. */
  readonly maxItemBytes?: number | undefined;
}

/** In a table of PostgreSQL, MySQL, MariaDB or SQLite. Needs `knex` and `pg`, `mysql2` or `libsql`. Give `url` or `knex`. */
export interface DatabaseCacheOptions extends CommonCacheOptions {
  readonly backend?: 'database' | undefined;
  /** `postgres://…`, `mysql://…`, `mariadb://…`, `sqlite:///var/cache/app.db` or `sqlite::memory:`. */
  readonly url?: string | undefined;
  /** A Knex instance of the application's; it is never closed. */
  readonly knex?: KnexInstance | undefined;
  /** An identifier, perhaps with a schema. Default `'nestjs_cache'`. */
  readonly table?: string | undefined;
  /** Whether the table is made on first use. Default `true`. */
  readonly createTable?: boolean | undefined;
  /** The most entries, about. Default 100,000. */
  readonly maxEntries?: number | undefined;
  /** The most connections, 1 to 100. Default 10. */
  readonly maxConnections?: number | undefined;
  /** Time between two sweeps for expired entries; 0 for none. Default `'5m'`. */
  readonly sweepInterval?: Duration | undefined;
  /** How long a connection may take. Default `'2s'`. */
  readonly connectTimeout?: Duration | undefined;
  /** How long a statement may take. Default `'5s'`. */
  readonly queryTimeout?: Duration | undefined;
}

/** In a store of Keyv 5, where no backend of ours will do. Needs the package `keyv` of version 5 if an instance is given. */
export interface KeyvCacheOptions extends CommonCacheOptions {
  readonly backend: 'keyv';
  /** A Keyv instance or a store for one, such as `new Keyv({ store })`, an adapter, a `Map`; it is never closed. */
  readonly store: KeyvStore;
}

/** Nowhere: for tests, and for development with caching switched off. */
export interface NullCacheOptions extends CommonCacheOptions {
  readonly backend?: 'null' | undefined;
  /** `null:` and nothing else. */
  readonly url?: string | undefined;
}

/** On a backend of your own: any object that implements {@link CacheBackend}. */
export interface CustomCacheOptions extends CommonCacheOptions {
  readonly backend: CacheBackend;
}

/** One cache. */
export type CacheOptions =
  | MemoryCacheOptions
  | FileCacheOptions
  | MemcachedCacheOptions
  | DatabaseCacheOptions
  | RedisCacheOptions
  | KeyvCacheOptions
  | NullCacheOptions
  | CustomCacheOptions;

/** What holds for every page. */
export interface PagesOptions {
  /** The name of the cache that keeps pages. Default: `default`. */
  readonly cache?: string | undefined;
  /**
   * Caches every GET of the application for so long, except where a decorator says otherwise: the same rules, and
   * `@NeverCache()` always wins. Default: only decorated routes. (Django: the cache middleware)
   */
  readonly site?: Ttl | undefined;
  /** Policies by name, for `@CachePage({ policy: 'catalogue' })`. Default: none. */
  readonly policies?: Readonly<Record<string, NamedPagePolicy>> | undefined;
  /**
   * Whether it is watched what handlers read of their requests, so that a page made for one visitor is not given to
   * another. `'off'` trusts every route to declare what it depends on. Default `'on'`.
   */
  readonly accessTracking?: 'on' | 'off' | undefined;
  /** Properties and headers whose values never reach a body, such as what a logging interceptor reads. Default: none. */
  readonly ignoreReads?: readonly string[] | undefined;
  /** Cookies that name a session; a request with one is somebody's. Default `['connect.sid', 'sessionId']`. */
  readonly sessionCookies?: readonly string[] | undefined;
  /** The largest body that is stored, in bytes; a larger one passes through. Default 10,485,760 (10 MiB). */
  readonly maxBodySize?: number | undefined;
  /** The most variants of one URL that are kept side by side; the oldest goes. 1 to 10,000. Default 32. */
  readonly maxVariants?: number | undefined;
  /**
   * How long requests for a page wait for the one that runs its handler; then each runs the handler itself. A response
   * that takes longer is not stored, and a refresh in the background is broken off. At most `'10m'`. Default `'30s'`.
   */
  readonly flightDeadline?: Duration | undefined;
  /**
   * Whether responses say in `Cache-Status` what the cache did (RFC 9211): `true`, or how this cache is called. Default
   * `false`.
   */
  readonly cacheStatus?: boolean | string | undefined;
  /** A header that tells caches in front the tags of a page, to purge it by. Default: none. */
  readonly tagHeader?: 'Surrogate-Key' | 'Cache-Tag' | undefined;
}

/** What holds for every template fragment. */
export interface FragmentsOptions {
  /** The name of the cache that keeps fragments. Default: `fragments` if there is a cache of that name, else `default`. */
  readonly cache?: string | undefined;
  /**
   * Whether every fragment is rendered anew and none is stored, nor what is made of one, be it a page or a value: as for
   * authors at work. Default `false`.
   */
  readonly preview?: boolean | undefined;
}

/** Several caches, each under its name. One of them is `default`. */
export interface NamedCachesOptions {
  readonly caches: Readonly<Record<string, CacheOptions>> & { readonly default: CacheOptions };
}

/** What belongs to the module rather than to one cache. */
export interface ModuleOptions {
  readonly pages?: PagesOptions | undefined;
  readonly fragments?: FragmentsOptions | undefined;
}

/** What `CachingModule.forRoot` takes: one cache, or several by name. */
export type CachingOptions = ModuleOptions & (CacheOptions | NamedCachesOptions);

export interface GlobalOption {
  /** Whether every module may inject the caches without importing this one. Default `true`. */
  readonly isGlobal?: boolean | undefined;
}

/** A class that makes the options, for `useClass` and `useExisting`. */
export interface CachingOptionsFactory {
  createCachingOptions(): CachingOptions | Promise<CachingOptions>;
}

/** What `CachingModule.forRootAsync` takes. */
export interface CachingAsyncOptions
  extends
    Pick<ConfigurableModuleAsyncOptions<CachingOptions, 'createCachingOptions'>, 'imports' | 'inject'>,
    GlobalOption {
  readonly useFactory?: ((...dependencies: never[]) => CachingOptions | Promise<CachingOptions>) | undefined;
  readonly useClass?: Type<CachingOptionsFactory> | undefined;
  readonly useExisting?: Type<CachingOptionsFactory> | string | symbol | undefined;
  /** The names of the caches; they must be known before the options are. Default `['default']`. */
  readonly caches?: readonly string[] | undefined;
}
