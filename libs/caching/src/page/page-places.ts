import { pageSegments } from './page-key.js';
import type { PageRoute } from './page-route.js';
import { pathTag, routeTag } from './page-tags.js';

/** Where the page of a target is kept, before what tells its variants apart. */
export interface PagePlace {
  readonly scheme: string;
  readonly host: string;
  /** The target without what does not count; what the handler sees. */
  readonly target: string;
  readonly segments: string;
  /** The tags that are known beforehand. */
  readonly tags: readonly string[];
}

/** Clients choose what they ask for, so what is remembered of each route is bounded, in number and in length. */
const MAX_PLACES = 500;
const MAX_LENGTH = 250;
const remembered = new WeakMap<PageRoute, Map<string, PagePlace>>();

/** The place of what is asked for; those made lately are remembered, since joining and escaping cost more than a lookup. */
export function placeOf(route: PageRoute, scheme: string, host: string, asked: string): PagePlace {
  let places = remembered.get(route);
  if (places === undefined) remembered.set(route, (places = new Map<string, PagePlace>()));
  const known = places.get(asked);
  if (known !== undefined && known.host === host && known.scheme === scheme) return known;
  const { name, query, staticTags } = route;
  const target = query.reduce(asked);
  const made: PagePlace = {
    scheme,
    host,
    target,
    segments: pageSegments({ route: name, scheme, host, target, query }),
    tags: [...new Set([routeTag(name), pathTag(target), ...staticTags])],
  };
  if (asked.length + host.length > MAX_LENGTH) return made;
  if (places.size >= MAX_PLACES) places.clear();
  places.set(asked, made);
  return made;
}
