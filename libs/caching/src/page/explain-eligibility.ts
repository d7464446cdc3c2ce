import type { Exchange } from './exchange.js';
import type { DeclaredHeaders } from './header-metadata.js';
import type { Bypass } from './page-policy.js';
import type { PageRoute } from './page-route.js';

/** Why a handler is not cached. */
export function whyNoRoute({ isNeverCached }: DeclaredHeaders, isSiteWide: boolean): string {
  if (isNeverCached) return 'it has @NeverCache, on the method or the controller';
  return isSiteWide
    ? 'it has no @CachePage, and pages.site is for GET routes that are no @Sse'
    : 'neither the method nor its controller has @CachePage';
}

/** What it is about a request that makes it go past the cache. */
export function whyBypassed(bypass: Bypass, { method, originalMethod, headers }: Exchange): string {
  if (bypass === 'method')
    return originalMethod === undefined || originalMethod === method
      ? 'only GET and HEAD have pages'
      : 'middleware has changed the method';
  if (headers.range !== undefined) return 'it asks for a Range, which only the handler can answer';
  for (const name of ['If-Match', 'If-Unmodified-Since'])
    if (headers[name.toLowerCase()] !== undefined)
      return `it has ${name}, which only the handler can compare`;
  return 'it has a body';
}

/** What it is about a request with credentials that makes it go past the cache. */
export function whyNobody({ headers }: Exchange, { user }: PageRoute): string {
  const credentials = headers.authorization === undefined ? 'a session cookie' : 'Authorization';
  return user === undefined
    ? `it has ${credentials}, and the route has neither \`user\` nor \`shared\``
    : `it has ${credentials}, and \`user\` of the route names nobody`;
}

/** For the route of a request-scoped controller. */
export const UNSEEN =
  'its controller, or something that it uses, is made for each request, and what that reads goes unseen: make them ' +
  'singletons, or declare `user`, `varyOn` or `shared`';
