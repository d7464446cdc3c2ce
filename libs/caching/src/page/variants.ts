import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** What of a request tells the variants of a page apart. */
export interface VariantNames {
  /** Names of request headers in lower case. */
  readonly headers: readonly string[];
  /** Names of cookies as they are. */
  readonly cookies: readonly string[];
}

/** Headers whose values are secrets: a key holds a digest of them. So it does of every cookie. */
const SECRET_HEADERS = new Set(['authorization', 'cookie', 'proxy-authorization']);

/**
 * The segments of a key that tell the variant of a request: one for each name, in one order whatever order the names have.
 * Different values give different segments; absent is not empty, and several lines of a header are one list
 * (RFC 9110 §5.3).
 */
export function variantSegments(request: IncomingHttpHeaders, { headers, cookies }: VariantNames): string[] {
  const ofHeaders = [...new Set(headers)].map((name) => {
    const value = request[name];
    const text = Array.isArray(value) ? value.join(', ') : value;
    return segment(name, text !== undefined && SECRET_HEADERS.has(name) ? digest(text) : text);
  });
  const ofCookies = [...new Set(cookies)].map((name) => {
    const values = cookieValues(request.cookie ?? '', name);
    // No value holds a semicolon, so that no two lists of values give one text.
    return segment(`;${name}`, values.length === 0 ? undefined : digest(values.join(';')));
  });
  return [...ofHeaders, ...ofCookies].sort();
}

/** The names of a response's `Vary` that a declaration does not cover. Any declared cookie covers `Cookie`. */
export function namesBeyond({ headers, cookies }: VariantNames, names: readonly string[]): string[] {
  return names.filter((name) => !headers.includes(name) && !(name === 'cookie' && cookies.length > 0));
}

/** A token holds neither `=` nor `;`: no name passes for another, and no header for a cookie. */
function segment(name: string, value: string | undefined): string {
  return value === undefined ? name : `${name}=${value}`;
}

/** Every value under a name, as it was sent: parsers differ in which of several they take, and in how they decode it. */
export function cookieValues(field: string, name: string): string[] {
  return field.split(';').flatMap((pair) => {
    const equals = pair.indexOf('=');
    return equals !== -1 && pair.slice(0, equals).trim() === name ? [pair.slice(equals + 1)] : [];
  });
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
