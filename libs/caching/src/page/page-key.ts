import { escapeSegment } from '../cache/keys.js';
import type { QueryPolicy } from './query.js';

/** What tells one page from another. */
export interface PageAddress {
  /** Controller, method and API version of the handler. */
  readonly route: string;
  /** Scheme and host as the application sees them (its proxy settings included). */
  readonly scheme: string;
  readonly host: string;
  /** The request target as it came: path and query. */
  readonly target: string;
  readonly query: QueryPolicy;
  /** What else tells pages apart: escaped, each saying what it is, in one order. */
  readonly parts: readonly string[];
}

/** The segments of a page's key. Distinct addresses give distinct text, save for the order of query parameters. */
export function pageSegments({ route, scheme, host, target, query, parts }: PageAddress): string {
  let segments = `${escapeRepeated(route)}:${escapeRepeated(scheme)}:${escapeRepeated(host)}:${targetSegment(target, query)}`;
  for (const part of parts) segments += `:${part}`;
  return segments;
}

/** The segment of a target, the same for permutations of its query. */
export function targetSegment(target: string, query: QueryPolicy): string {
  const question = target.indexOf('?');
  if (question === -1) return escapeSegment(target);
  return escapeSegment(`${target.slice(0, question)}?${query.canonical(target.slice(question + 1))}`);
}

/** What escaping made of routes, schemes and hosts: they repeat, and a host with a port is never as it should be. */
const escaped = new Map<string, string>();
/** Clients choose what they send as host, so what is remembered is bounded. */
const MAX_ESCAPED = 1000;
const MAX_ESCAPED_LENGTH = 200;

function escapeRepeated(text: string): string {
  const known = escaped.get(text);
  if (known !== undefined) return known;
  const made = escapeSegment(text);
  if (text.length > MAX_ESCAPED_LENGTH) return made;
  if (escaped.size >= MAX_ESCAPED) escaped.clear();
  escaped.set(text, made);
  return made;
}
