import type { PageRoute } from './page-route.js';
import type { Reply } from './reply.js';
import { appendVary } from './vary.js';

/** The header that tells caches on the way the tags of a page. */
export type TagHeader = 'surrogate-key' | 'cache-tag';

/** Tells caches on the way what a response depends on. */
export function tellVary(reply: Reply, names: readonly string[]): void {
  if (names.length > 0) reply.set('vary', appendVary(reply.get('vary'), names));
}

/**
 * What is told of a response that goes past the cache: what it depends on. How long it may be kept only if it says whose it
 * is, since nobody has looked what its handler read.
 */
export function tellPassing(reply: Reply, route: PageRoute): void {
  if (route.vary.length === 0 && (route.clientTtlMs === undefined || !isPersonal(route))) return;
  let ownWord: string | undefined;
  reply.beforeHeaders(() => {
    tellVary(reply, route.vary);
    if (isPersonal(route)) ownWord = tellBrowsers(reply, route, ownWord);
  });
}

/** Tells browsers how long they may keep a page, unless somebody else has; answers our word, if it is ours that stands. */
export function tellBrowsers(
  reply: Reply,
  route: PageRoute,
  earlier: string | undefined,
): string | undefined {
  const { clientTtlMs } = route;
  const present = reply.get('cache-control');
  if (clientTtlMs === undefined || (present !== undefined && present !== earlier)) return undefined;
  if (reply.status >= 400) {
    if (present !== undefined) reply.remove('cache-control');
    return undefined;
  }
  const word = `${isPersonal(route) ? 'private, ' : ''}max-age=${Math.floor(clientTtlMs / 1000)}`;
  reply.set('cache-control', word);
  return word;
}

/** Tells caches on the way by which tags a page can be purged; what cannot stand in the field is escaped. */
export function tellCaches(reply: Reply, header: TagHeader, tags: readonly string[] | undefined): void {
  if (tags === undefined || tags.length === 0) return;
  reply.set(
    header,
    tags.map((tag) => encodeURIComponent(wellFormed(tag))).join(header === 'cache-tag' ? ',' : ' '),
  );
}

/** Whether nothing tells caches on the way what the pages of a route depend on. */
function isPersonal({ user, varyOn }: PageRoute): boolean {
  return user !== undefined || varyOn !== undefined;
}

/** Halves of characters have no bytes: as any encoder, this puts U+FFFD in their place. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
