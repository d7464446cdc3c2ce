/** The tag that every page of a route has. */
export function routeTag(route: string): string {
  return `@page-route:${route}`;
}

/** The tag that every page of a path has, whatever its query, host and variant. */
export function pathTag(target: string): string {
  return `@page-path:${foldPath(target)}`;
}

/** The longest path that is a tag as it is; of a longer one the rest does not count, which invalidates too much. */
const MAX_LENGTH = 900;

/**
 * A path as invalidations see it: without host, query, parameters after a semicolon, repeated and trailing slashes, decoded,
 * in lower case. Routers differ in which
 * of these spellings are one page, so all of them are invalidated together. For invalidation only, never for keys.
 */
export function foldPath(target: string): string {
  const [beforeQuery = ''] = target.split(/[?#;]/, 1);
  const path = beforeQuery.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '');
  const folded = decode(path)
    .toLowerCase()
    .replace(/\/{2,}/g, '/');
  let end = folded.length;
  while (end > 1 && folded.charAt(end - 1) === '/') end -= 1;
  return folded === '' ? '/' : folded.slice(0, Math.min(end, MAX_LENGTH));
}

/** Malformed escapes stay, piece by piece, as they were sent. */
function decode(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
