export { CACHING_CLOCK, CACHING_OPTIONS } from './caching.constants.js';
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
  FragmentsOptions,
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
  BatchContext,
  BatchFactory,
  Factory,
  GetOptions,
  GetOrSetOptions,
  IncrementOptions,
  InvalidateOptions,
  LoadContext,
  LockOptions,
  ReadOptions,
  SetOptions,
  VersionOptions,
} from './cache/cache-service.options.js';
export type { ValueConverter } from './cache/converters.js';
export type { CacheStatistics } from './cache/counters.js';
export type {
  Explanation,
  HeldExplanation,
  KeyExplanation,
  OptionExplanation,
  TagExplanation,
} from './cache/explanation.js';
export type { Lock } from './cache/locks.js';
export { withRequestMemo } from './cache/request-memo.js';
export { getCacheToken, InjectCache } from './cache/inject-cache.decorator.js';

export { Cached } from './method/cached.decorator.js';
export { CachedMany } from './method/cached-many.decorator.js';
export { CacheEvict } from './method/cache-evict.decorator.js';
export { CachePut } from './method/cache-put.decorator.js';
export type { BatchCacheDecorator, MethodCacheDecorator } from './method/fitting-decorator.js';
export { cacheKey } from './method/method-key.js';
export type {
  CachedManyOptions,
  CachedOptions,
  CacheEvictOptions,
  CachePutOptions,
} from './method/method-options.js';
export { FragmentCache } from './fragment/fragment-cache.service.js';
export type {
  FragmentIdentity,
  FragmentOptions,
  FragmentPlace,
  FragmentReference,
  RenderFragment,
} from './fragment/fragment.options.js';
export { fragmentKey } from './fragment/fragment-key.js';
export type { FragmentVary } from './fragment/fragment-key.js';
export type { PrefetchedFragments } from './fragment/prefetched-fragments.js';

export { CachePage } from './page/cache-page.decorator.js';
export type {
  CachePageOptions,
  KeyPart,
  NamedPagePolicy,
  PagePolicyOptions,
  PageRequest,
} from './page/cache-page.options.js';
export type { QueryOptions, QueryRule } from './page/query.js';
export { CacheControl, Condition, NeverCache, VaryOn, VaryOnCookie } from './page/header-decorators.js';
export { InvalidatesPages } from './page/invalidates-pages.decorator.js';
export type { InvalidatingRequest } from './page/invalidates-pages.decorator.js';
export { PageCache } from './page/page-cache.service.js';
export type {
  ExplainedRequest,
  HeldPageExplanation,
  PageAction,
  PageExplanation,
  PageKeyExplanation,
  VariantsExplanation,
} from './page/page-explanation.js';
export type { DeclaredPageTarget, MethodOf, PageTarget, PageTargetList } from './page/page-target.js';
export type { PathParams } from './page/path-pattern.js';
export type { CacheControlOptions } from './page/cache-control-patch.js';
export type { ConditionOptions, ConditionRequest, ProviderLookup } from './page/condition.js';

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
  CircuitOpenError,
  InvalidArgumentError,
  InvalidDecorationError,
  InvalidDurationError,
  InvalidKeyError,
  InvalidOptionsError,
  InvalidPageTargetError,
  LoadCycleError,
  LoadTimeoutError,
  LockTimeoutError,
  MissingKeyError,
  NotANumberError,
  NotConnectedError,
  NotStartedError,
  NumberOutOfRangeError,
  PeerMissingError,
  TooManyLoadsError,
  UnencodableArgumentError,
  UnknownCacheError,
  UnserializableValueError,
  UnsupportedOperationError,
  ValueTooLargeError,
} from './errors.js';
export type { OptionProblem } from './errors.js';
