import { createHash } from 'node:crypto';
import { escapeSegment } from '../cache/keys.js';
import { scalarText } from '../cache/scalar-text.js';
import { InvalidArgumentError } from '../errors.js';
import type { KeyPart } from './cache-page.options.js';
import type { Exchange } from './exchange.js';
import { targetSegment, withParts } from './page-key.js';
import { placeOf } from './page-places.js';
import { parsedParts } from './parsed-target.js';
import { hasCredentials } from './page-policy.js';
import type { PageRoute } from './page-route.js';
import { variantSegments } from './variants.js';

/** A page that is asked for: by whom, and where it is kept. */
export interface PageCall {
  readonly exchange: Exchange;
  readonly route: PageRoute;
  /** Path and query as the client sent them. */
  readonly asked: string;
  /** The same without what does not count; what the handler sees. */
  readonly target: string;
  readonly segments: string;
  /** The tags that are known beforehand. */
  readonly tags: readonly string[];
}

/**
 * What of a request its page depends on; `undefined` for one with credentials on a route that does not say whose page it
 * is: it goes past the cache.
 *
 * @throws InvalidArgumentError if `user` or `varyOn` answers what cannot be part of a key; whatever those throw
 */
export function pageCall(
  exchange: Exchange,
  route: PageRoute,
  sessionCookies: readonly string[],
): PageCall | undefined {
  const { headers } = exchange;
  const { declared, user, varyOn, isShared, query } = route;
  const identity = user?.(exchange.request as never) ?? '';
  if (identity === '' && !isShared && hasCredentials(headers, sessionCookies)) return undefined;
  const hasNames = declared.headers.length + declared.cookies.length > 0;
  const parts = hasNames ? variantSegments(headers, declared).map(escapeSegment) : [];
  if (identity !== '') parts.push(`@user=${userDigest(identity)}`);
  if (varyOn !== undefined)
    parts.push(`@by=${escapeSegment(textOf(varyOn(exchange.request as never) as KeyPart))}`);
  const asked = exchange.target;
  // Middleware that rewrites the URL may go by what is in no key, such as a header; and handlers see all of what it wrote.
  const { url } = exchange.incoming;
  if (url !== undefined && url !== asked) parts.push(`@url=${targetSegment(url, query)}`);
  parts.push(...parsedParts(exchange.request, query));
  const { target, segments, tags } = placeOf(route, exchange.scheme, exchange.host, asked);
  return { exchange, route, asked, target, segments: withParts(segments, parts), tags };
}

/** What tells a page from all others of the application. */
export function idOf({ route, segments }: PageCall): string {
  return `${route.cache.service.name}:${segments}`;
}

/** No two identities have one, and no key tells who it is. */
function userDigest(identity: unknown): string {
  if (!['string', 'number', 'bigint'].includes(typeof identity)) {
    throw new InvalidArgumentError(
      '`user` of @CachePage answers a text or a number that is the identity, such as `request.user.id`; ' +
        `it answered something of type ${typeof identity}.`,
    );
  }
  return createHash('sha256')
    .update(textOf(identity as KeyPart))
    .digest('base64url');
}

/** A part of a key as text: no two parts give one. */
function textOf(part: KeyPart): string {
  if (Array.isArray(part)) return `[${part.map(textOf).join(',')}]`;
  const text = scalarText(part);
  if (text !== undefined) return text;
  throw new InvalidArgumentError(
    '`varyOn` of @CachePage answers text, numbers, booleans, or a list of these; ' +
      `it answered something of type ${typeof part}. Take from it what the page depends on.`,
  );
}
