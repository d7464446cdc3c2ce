import { UseInterceptors } from '@nestjs/common';
import { InvalidArgumentError } from '../errors.js';
import { type CacheControlOptions, directivesOf } from './cache-control-patch.js';
import type { ConditionOptions, ConditionRequest } from './condition.js';
import { decoratedSubject } from './decorated-subject.js';
import { isToken } from './field-scanner.js';
import { addDeclared, type DeclaredHeaders, hasDeclared } from './header-metadata.js';
import { HeadersInterceptor } from './headers.interceptor.js';

/**
 * Nobody keeps the responses of a route: neither `@CachePage`, which it overrides wherever it stands, nor browsers, nor
 * caches on the way. Whatever the handler set, and on errors as well, `Cache-Control` is
 * `max-age=0, no-cache, no-store, must-revalidate, private`, and `Expires` is now unless there is one.
 * (Django: `never_cache`)
 *
 * @example
 * @Get('ticker') @NeverCache() ticker() {}
 */
export function NeverCache(): MethodDecorator & ClassDecorator {
  return declare('NeverCache', { isNeverCached: true });
}

/**
 * Directives for browsers and caches on the way, merged into what the handler set: of two lives the smaller counts,
 * `private` and `public` replace each other, except that no `public` is added to a handler's `private`, `no-store` or
 * `no-cache`. A response of 400 and above gets only what restricts it. A method's own decorator wins over its
 * controller's; several on one method add up. (Django: `cache_control`)
 *
 * @throws InvalidDurationError, InvalidArgumentError
 *
 * @example
 * @Get('logo') @CacheControl({ public: true, maxAge: '7d', immutable: true }) logo() {}
 */
export function CacheControl(options: CacheControlOptions): MethodDecorator & ClassDecorator {
  return declare('CacheControl', { cacheControl: [directivesOf(options)] });
}

/**
 * The response depends on these request headers: they join its `Vary`, and with `@CachePage` each combination of their
 * values is a page of its own. The names of controller and method add up. (Django: `vary_on_headers`)
 *
 * @throws InvalidArgumentError for no names, for what is no name of a header, and for `*`
 *
 * @example
 * @Get() @CachePage('15m') @VaryOn('Accept-Language') home() {}
 */
export function VaryOn(...headers: readonly string[]): MethodDecorator & ClassDecorator {
  if (headers.length === 0 || !headers.every((name) => isToken(name) && name !== '*')) {
    throw new InvalidArgumentError(
      '@VaryOn takes names of request headers, at least one. For a response that depends on anything else use @NeverCache.',
    );
  }
  return declare('VaryOn', { varyOn: headers });
}

/**
 * The response depends on these cookies: with `@CachePage` each combination of their values is a page of its own, and other
 * cookies do not matter. Caches on the way know no single cookies, so `Vary` says `Cookie` to them. Without names the whole
 * `Cookie` header counts, which makes almost every client a variant. (Django: `vary_on_cookie`)
 *
 * @throws InvalidArgumentError for what is no name of a cookie
 *
 * @example
 * @Get() @CachePage('15m') @VaryOnCookie('theme') home() {}
 */
export function VaryOnCookie(...cookies: readonly string[]): MethodDecorator & ClassDecorator {
  if (!cookies.every(isToken)) {
    throw new InvalidArgumentError('@VaryOnCookie takes names of cookies, as they stand before the `=`.');
  }
  return declare('VaryOnCookie', cookies.length === 0 ? { varyOn: ['Cookie'] } : { cookies });
}

/**
 * Answers conditional requests before the handler runs: 304 for a GET or HEAD whose client has the current representation,
 * 412 where `If-Match`, `If-Unmodified-Since` or, on other methods, `If-None-Match` fails (RFC 9110 §13.2.2). A tag without
 * quotes gets them. Successful GETs and HEADs carry `ETag` and `Last-Modified`, unless the handler set its own. A method's
 * own decorator wins over its controller's. (Django: `condition`)
 *
 * @throws InvalidArgumentError on a request, for a tag or a date that cannot stand in a header
 *
 * @example
 * @Get(':id')
 * @Condition({ etag: ({ params }, providers) => providers.get(ProductsService).revision(params['id']) })
 * find() {}
 */
export function Condition<R = ConditionRequest>(
  options: ConditionOptions<R>,
): MethodDecorator & ClassDecorator {
  return declare('Condition', { condition: options });
}

/** A decorator that records its part and puts the one interceptor in place that goes by all of them. */
function declare(name: string, added: Partial<DeclaredHeaders>): MethodDecorator & ClassDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    const subject = decoratedSubject(name, target, key, descriptor);
    const isFirst = !hasDeclared(subject);
    addDeclared(subject, added);
    if (isFirst) {
      const bring = UseInterceptors(HeadersInterceptor);
      if (key === undefined || descriptor === undefined) bring(subject);
      else bring(target, key, descriptor);
    }
  };
}
