import { Inject } from '@nestjs/common';
import { DEFAULT_CACHE } from '../caching.constants.js';
import { CacheService } from './cache.service.js';

/** The injection token of a cache: the class `CacheService` for the default one. */
export function getCacheToken(name: string = DEFAULT_CACHE): typeof CacheService | string {
  return name === DEFAULT_CACHE ? CacheService : `nestjs-caching:cache:${name}`;
}

/**
 * Injects the `CacheService` of a named cache.
 *
 * @example
 * constructor(@InjectCache('reports') private readonly reports: CacheService) {}
 */
export function InjectCache(name: string = DEFAULT_CACHE): PropertyDecorator & ParameterDecorator {
  return Inject(getCacheToken(name));
}
