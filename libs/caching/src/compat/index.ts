export { CacheManagerModule, getCacheManagerToken, InjectCacheManager } from './cache-manager.module.js';
export type { CacheManagerModuleOptions } from './cache-manager.module.js';
export type { CacheManager } from './cache-manager.js';
export type {
  CacheManagerEvent,
  FromValue,
  ManagedEntry,
  RawValue,
  Wrap,
  WrapOptions,
} from './cache-manager.options.js';
