import { CACHE_PAGE_METADATA } from '../caching.constants.js';
import { toMs, type Ttl, ttlToMs } from '../duration.js';
import type { CachePageOptions, PageRequest } from './cache-page.options.js';
import { decoratedSubject } from './decorated-subject.js';

/** What the decorator records; read by `page-routes.ts` only. */
export interface CachePageMetadata extends CachePageOptions<never> {
  readonly ttl?: Ttl;
}

/**
 * Caches the responses of a route, or of every GET of a controller; a method's own decorator wins. Stored is what went
 * over the wire: status, headers and bytes. Guards run on hits as well, other interceptors do not. (Django: `cache_page`)
 *
 * @param ttl how long a page stays fresh: `'15m'`, or **milliseconds**. The handler may shorten it by `Cache-Control`,
 * never lengthen it. Left out: as the response's own headers say, and not at all if they do not (RFC 9111 §4.2.1)
 * @throws InvalidDurationError, InvalidDecorationError; the latter when the application starts for options that it does not
 * know and for a method whose route answers no GET
 *
 * @example
 * @Get() @CachePage('15m') list() {}
 * @Get('me') @CachePage('1m', { user: (request: AuthenticatedRequest) => request.user.id }) me() {}
 * @Get('feed') @CachePage() feed() {}
 */
export function CachePage<R = PageRequest>(
  ttl?: Ttl,
  options?: CachePageOptions<R>,
): MethodDecorator & ClassDecorator;
export function CachePage<R = PageRequest>(options: CachePageOptions<R>): MethodDecorator & ClassDecorator;
export function CachePage<R = PageRequest>(
  ttlOrOptions?: Ttl | CachePageOptions<R>,
  given: CachePageOptions<R> = {},
): MethodDecorator & ClassDecorator {
  const isOptions = typeof ttlOrOptions === 'object' && ttlOrOptions !== null;
  const options = (isOptions ? ttlOrOptions : given) as CachePageOptions<never>;
  const ttl = isOptions ? undefined : ttlOrOptions;
  if (ttl !== undefined) ttlToMs(ttl);
  for (const duration of [options.staleWhileRevalidate, options.staleIfError, options.clientTtl])
    if (duration !== undefined) toMs(duration);
  const metadata: CachePageMetadata = { ...options, ...(ttl !== undefined && { ttl }) };
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    const subject = decoratedSubject('CachePage', target, key, descriptor);
    Reflect.defineMetadata(CACHE_PAGE_METADATA, metadata, subject);
  };
}
