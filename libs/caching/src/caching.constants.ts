/** The name of the cache that `CacheService` is. */
export const DEFAULT_CACHE = 'default';

/** The name of the cache that keeps fragments, if there is one of this name. */
export const FRAGMENTS_CACHE = 'fragments';

/** The options as the application gave them, `isGlobal` apart. Tests put others in their place, which name the same caches. */
export const CACHING_OPTIONS = Symbol.for('nestjs-caching:options');

/** The options with every default in place. */
export const RESOLVED_OPTIONS = Symbol.for('nestjs-caching:resolved-options');

/** Metadata key of `@CachePage`. */
export const CACHE_PAGE_METADATA = 'nestjs-caching:page';

/** Metadata key of `@InvalidatesPages`. */
export const INVALIDATES_PAGES_METADATA = 'nestjs-caching:invalidates-pages';

/** Metadata key of the header decorators. */
export const HEADERS_METADATA = 'nestjs-caching:headers';
/** The clock that every cache goes by. Tests put a `FakeClock` (`nestjs-caching/testing`) in its place. */
export const CACHING_CLOCK = Symbol.for('nestjs-caching:clock');
