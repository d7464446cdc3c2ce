import { escapeSegment } from '../cache/keys.js';
import { canonicalQuery } from './query.js';

/** What tells one page from another. */
export interface PageAddress {
  /** Controller, method and API version of the handler. */
  readonly route: string;
  /** Scheme and host as the application sees them (its proxy settings included). */
  readonly scheme: string;
  readonly host: string;
  /** The request target as it came: path and query. */
  readonly target: string;
  /** Values of the request headers that tell variants apart; `undefined` is absent, which is not empty. */
  readonly variants: readonly (string | undefined)[];
}

/** The segments of a page's key. Distinct addresses give distinct text, save for the order of query parameters. */
export function pageSegments({ route, scheme, host, target, variants }: PageAddress): string {
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  const query = question === -1 ? '' : `?${canonicalQuery(target.slice(question + 1))}`;
  const values = variants.map((value) => (value === undefined ? '' : `=${value}`));
  return [route, scheme, host, path + query, ...values].map(escapeSegment).join(':');
}
