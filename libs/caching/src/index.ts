export { CachingModule } from './caching.module.js';
export type {
  CacheOptions,
  CachingAsyncOptions,
  CachingOptions,
  CachingOptionsFactory,
  CommonCacheOptions,
  CustomCacheOptions,
  DatabaseCacheOptions,
  FileCacheOptions,
  GlobalOption,
  KeyvCacheOptions,
  MemcachedCacheOptions,
  MemoryCacheOptions,
  ModuleOptions,
  NamedCachesOptions,
  NullCacheOptions,
  PagesOptions,
  RedisCacheOptions,
} from './caching.options.js';

export { CacheService } from './cache/cache.service.js';
export type {
  Factory,
  GetOptions,
  GetOrSetOptions,
  IncrementOptions,
  LoadContext,
  ReadOptions,
  SetOptions,
  VersionOptions,
} from './cache/cache-service.options.js';
export { getCacheToken, InjectCache } from './cache/inject-cache.decorator.js';

export { CachePage } from './page/cache-page.decorator.js';
export type { CachePageOptions } from './page/cache-page.decorator.js';

export type {
  AtomicOperations,
  Awaitable,
  BackendCapabilities,
  BackendWrite,
  BulkOperations,
  CacheBackend,
  HeldObject,
  Payload,
} from './backends/cache-backend.js';

export type { Clock } from './clock.js';
export type { Duration, Ttl } from './duration.js';
export {
  AlreadyConfiguredError,
  BackendError,
  BackendTimeoutError,
  CacheClosedError,
  CachingError,
  InvalidArgumentError,
  InvalidDecorationError,
  InvalidDurationError,
  InvalidKeyError,
  InvalidOptionsError,
  MissingKeyError,
  NotANumberError,
  NumberOutOfRangeError,
  PeerMissingError,
  UnknownCacheError,
  UnserializableValueError,
  UnsupportedOperationError,
  ValueTooLargeError,
} from './errors.js';
export type { OptionProblem } from './errors.js';
