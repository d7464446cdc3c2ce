import { escapeSegment } from '../cache/keys.js';
import type { QueryPolicy } from './query.js';

/** What tells one page from another, whoever asks for it. */
export interface PageAddress {
  /** Controller, method and API version of the handler. */
  readonly route: string;
  /** Scheme and host as the application sees them (its proxy settings included). */
  readonly scheme: string;
  readonly host: string;
  /** The request target without what does not count: path and query. */
  readonly target: string;
  readonly query: QueryPolicy;
}

/** The segments of a page's key. Distinct addresses give distinct text, save for the order of query parameters. */
export function pageSegments({ route, scheme, host, target, query }: PageAddress): string {
  return [...[route, scheme, host].map(escapeSegment), targetSegment(target, query)].join(':');
}

/** The segments of one of several pages of an address: the parts are escaped, each says what it is, in one order. */
export function withParts(segments: string, parts: readonly string[]): string {
  return parts.length === 0 ? segments : `${segments}:${parts.join(':')}`;
}

/** The segment of a target, the same for permutations of its query. */
export function targetSegment(target: string, query: QueryPolicy): string {
  const question = target.indexOf('?');
  if (question === -1) return escapeSegment(target);
  return escapeSegment(`${target.slice(0, question)}?${query.canonical(target.slice(question + 1))}`);
}
