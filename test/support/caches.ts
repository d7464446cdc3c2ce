import type { CacheOptions, CacheService } from 'nestjs-caching';
import { CacheRegistry } from '../../libs/caching/src/cache/cache-registry.js';
import type { Clock } from '../../libs/caching/src/clock.js';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';

/** The default cache of these options, without an application around it. */
export async function openCache(options: CacheOptions = {}, clock?: Clock): Promise<CacheService> {
  const registry = await CacheRegistry.open(resolveOptions(options), clock);
  return registry.get().service;
}
