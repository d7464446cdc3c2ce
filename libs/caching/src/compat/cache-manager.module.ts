import { type DynamicModule, Inject, Module, type ModuleMetadata } from '@nestjs/common';
import { CacheRegistry } from '../cache/cache-registry.js';
import { DEFAULT_CACHE } from '../caching.constants.js';
import { type Duration, toMs } from '../duration.js';
import type { GlobalOption } from '../caching.options.js';
import { CacheManager } from './cache-manager.js';
import { CACHE_CLASS, CACHE_MANAGER } from './nest-cache-manager.js';

/** What `CacheManagerModule.forRoot` takes. */
export interface CacheManagerModuleOptions extends GlobalOption {
  /** The named caches that get a token of their own, see {@link getCacheManagerToken}. Default: none but the default cache. */
  readonly caches?: readonly string[];
  /** `refreshThreshold` of the calls of `wrap` that give none, as in `createCache()`. Default: no refresh. */
  readonly refreshThreshold?: Duration;
  /** Where the caches come from, if `CachingModule` has `isGlobal: false`. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
}

/** The injection token of a cache as cache-manager has it: `CACHE_MANAGER` for the default one. */
export function getCacheManagerToken(name: string = DEFAULT_CACHE): string {
  return name === DEFAULT_CACHE ? CACHE_MANAGER : `${CACHE_MANAGER}:${name}`;
}

/**
 * Injects a named cache as cache-manager has it; `@Inject(CACHE_MANAGER)` does for the default one.
 *
 * @example
 * constructor(@InjectCacheManager('reports') private readonly reports: Cache) {}
 */
export function InjectCacheManager(name: string = DEFAULT_CACHE): PropertyDecorator & ParameterDecorator {
  return Inject(getCacheManagerToken(name));
}

/**
 * Stands in for `CacheModule` of `@nestjs/cache-manager`: `CACHE_MANAGER`, its `Cache` class as a token, and with them
 * `CacheInterceptor`, `@CacheKey` and `@CacheTTL`, on the caches of `CachingModule`. Import it once, beside that.
 *
 * @example
 * imports: [CachingModule.forRoot({ url: process.env.REDIS_URL }), CacheManagerModule.forRoot()]
 */
@Module({})
export class CacheManagerModule {
  /** @throws InvalidDurationError; at start UnknownCacheError */
  static forRoot(options: CacheManagerModuleOptions = {}): DynamicModule {
    const { caches = [], refreshThreshold, imports = [], isGlobal = true } = options;
    const threshold = refreshThreshold === undefined ? undefined : toMs(refreshThreshold);
    const managers = [...new Set([DEFAULT_CACHE, ...caches])].map((name) => ({
      provide: getCacheManagerToken(name),
      useFactory: (registry: CacheRegistry) => new CacheManager(registry.get(name), threshold),
      inject: [CacheRegistry],
    }));
    return {
      module: CacheManagerModule,
      global: isGlobal,
      imports,
      providers: [...managers, { provide: CACHE_CLASS, useExisting: CACHE_MANAGER }],
      exports: [...managers.map(({ provide }) => provide), CACHE_CLASS],
    };
  }
}
