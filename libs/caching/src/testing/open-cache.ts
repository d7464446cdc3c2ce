import type { CacheService } from '../cache/cache.service.js';
import { CacheRegistry } from '../cache/cache-registry.js';
import type { CacheOptions } from '../caching.options.js';
import { resolveOptions } from '../resolve-options.js';

/** The default cache of these options, without an application around it. */
export async function openCache(options: CacheOptions): Promise<CacheService> {
  const registry = await CacheRegistry.open(resolveOptions(options));
  return registry.get().service;
}
