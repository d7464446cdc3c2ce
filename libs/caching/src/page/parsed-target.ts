import { escapeSegment } from '../cache/keys.js';
import type { QueryPolicy } from './query.js';

/** What a platform has made of a target, as handlers read it. */
export interface ParsedTarget {
  readonly params?: unknown;
  readonly query?: unknown;
}

/** Objects in objects that are looked at; parsers of queries stop before that. */
const MAX_DEPTH = 10;

/**
 * The parts of a key that are parameters and query as they stand on the request. Handlers take them for what the URL says,
 * and a guard may have changed them since: `users/me` that reads as the user's own id. A query that is parsed anew on
 * every read (Express) says nothing that the target does not.
 */
export function parsedParts(request: ParsedTarget, rule: QueryPolicy): string[] {
  const { params } = request;
  const query = Object.hasOwn(request, 'query') ? request.query : undefined;
  const parts: string[] = [];
  if (isFilled(params)) parts.push(`@params=${textOf(params)}`);
  if (isFilled(query)) parts.push(`@query=${textOf(query, (name) => rule.counts(name))}`);
  return parts;
}

/** Whether a value is all text, so that {@link parsedParts} can tell it. What is not is to be watched. */
export function isText(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null)
    return !['function', 'symbol', 'bigint'].includes(typeof value);
  return depth < MAX_DEPTH && isPlain(value) && Object.values(value).every((each) => isText(each, depth + 1));
}

/** `fast-querystring` gives its results a prototype of its own, which is empty. */
function isPlain(value: object): boolean {
  const prototype = Reflect.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype || Array.isArray(value)) return true;
  return Reflect.ownKeys(prototype).length === 0;
}

function isFilled(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  for (const _name in value) return true;
  return false;
}

function textOf(values: object, counts?: (name: string) => boolean): string {
  const entries = Object.entries(values).filter(([name, value]) => counts?.(name) !== false && isText(value));
  return escapeSegment(JSON.stringify(entries.sort(([one], [other]) => (one < other ? -1 : 1))));
}
