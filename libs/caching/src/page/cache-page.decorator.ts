import { SetMetadata } from '@nestjs/common';
import { CACHE_PAGE_METADATA } from '../caching.constants.js';
import { type Ttl, ttlToMs } from '../duration.js';

export interface CachePageOptions {
  /** The name of the cache that keeps this page. Default: `pages.cache` of the module. */
  readonly cache?: string;
  /** The statuses that are stored. 5xx never are. Default `[200]`. */
  readonly statuses?: readonly number[];
}

/** What the decorator records; read by `page-routes.ts` only. */
export interface CachePageMetadata extends CachePageOptions {
  readonly ttl: Ttl;
}

/**
 * Caches the responses of a route, or of every GET of a controller; a method's own decorator wins. Stored is what went
 * over the wire: status, headers and bytes. Guards run on hits as well, other interceptors do not. (Django: `cache_page`)
 *
 * @param ttl how long a page stays fresh: `'15m'`, or **milliseconds**. The handler may shorten it by `Cache-Control`
 * @throws InvalidDurationError
 *
 * @example
 * @Get() @CachePage('15m') list() {}
 */
export function CachePage(ttl: Ttl, options: CachePageOptions = {}): MethodDecorator & ClassDecorator {
  ttlToMs(ttl);
  return SetMetadata(CACHE_PAGE_METADATA, { ...options, ttl } satisfies CachePageMetadata);
}
