import { createHash } from 'node:crypto';
import { escapeSegment } from '../cache/keys.js';
import { scalarText } from '../cache/scalar-text.js';
import { InvalidArgumentError } from '../errors.js';
import type { KeyPart } from './cache-page.options.js';
import type { Exchange } from './exchange.js';
import { pageSegments, targetSegment } from './page-key.js';
import { hasCredentials } from './page-policy.js';
import type { PageRoute } from './page-route.js';
import { pathTag, routeTag } from './page-tags.js';
import { variantSegments } from './variants.js';

/** A page that is asked for: by whom, and where it is kept. */
export interface PageCall {
  readonly exchange: Exchange;
  readonly route: PageRoute;
  /** The target without what does not count; what the handler sees. */
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
  const { headers, scheme, host } = exchange;
  const { declared, user, varyOn, isShared, query } = route;
  const identity = user?.(exchange.request as never) ?? '';
  if (identity === '' && !isShared && hasCredentials(headers, sessionCookies)) return undefined;
  const hasNames = declared.headers.length + declared.cookies.length > 0;
  const parts = hasNames ? variantSegments(headers, declared).map(escapeSegment) : [];
  if (identity !== '') parts.push(`@user=${userDigest(identity)}`);
  if (varyOn !== undefined)
    parts.push(`@by=${escapeSegment(textOf(varyOn(exchange.request as never) as KeyPart))}`);
  // Middleware that rewrites the URL may go by what is in no key, such as a header; and handlers see all of what it wrote.
  const { url } = exchange.incoming;
  if (url !== undefined && url !== exchange.target) parts.push(`@url=${targetSegment(url, query)}`);
  const target = query.reduce(exchange.target);
  const segments = pageSegments({ route: route.name, scheme, host, target, query, parts });
  return { exchange, route, target, segments, tags: tagsOf(route, target) };
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

/** The tags of the last path of a route: those who ask for one page ask for it again. */
const remembered = new WeakMap<PageRoute, { readonly target: string; readonly tags: readonly string[] }>();

function tagsOf(route: PageRoute, target: string): readonly string[] {
  const last = remembered.get(route);
  if (last?.target === target) return last.tags;
  const tags = [...new Set([routeTag(route.name), pathTag(target), ...route.staticTags])];
  remembered.set(route, { target, tags });
  return tags;
}
