import type { HeaderLookup } from './header-lookup.js';
import { isVetoed, type LifePolicy, type ResponseHead } from './page-policy.js';

/** A response that may not be stored, and why: for people, without values. */
export interface RefusedPage {
  readonly because: string;
}

export const REFUSED = {
  body: { because: 'it is larger than `maxBodySize`, or was written past the platform' },
  empty: { because: 'it is empty' },
  length: { because: 'it is not as long as its Content-Length says' },
  preview: { because: 'it is made of a fragment that was rendered in a preview' },
  tags: { because: '`tags` of the route failed' },
  vary: { because: 'its Vary names what no key can hold, or did so after the head was out' },
} as const satisfies Record<string, RefusedPage>;

/** For a response that has no life which a page could have. */
export function unstorable({ status, headers }: ResponseHead, { ttlMs, statuses }: LifePolicy): RefusedPage {
  if (isVetoed(headers)) return vetoed(headers);
  const isListed = statuses?.includes(status) ?? (ttlMs === undefined || status === 200);
  if (!isListed) return { because: `its status is ${status}, which the route does not store` };
  if (headers.text('content-encoding') !== undefined) return { because: 'its handler has encoded it' };
  if (headers.text('content-type')?.toLowerCase().startsWith('text/event-stream') === true)
    return { because: 'it is an event stream' };
  const because =
    ttlMs === undefined
      ? 'the route has no ttl, and the response is of no status or has no headers that give it a life'
      : 'its headers say that its life has ended, or that it is a part of something';
  return { because };
}

/** For a response that forbids it, whatever else it says. */
export function vetoed(headers: HeaderLookup): RefusedPage {
  const hasCookie = headers.text('set-cookie') !== undefined;
  return { because: hasCookie ? 'it sets a cookie' : 'its Cache-Control forbids it, or cannot be read' };
}

/** For a response that may be for one visitor only. */
export function personal(reads: readonly string[]): RefusedPage {
  if (reads.length === 0) return { because: 'its handler has read conditions of the request' };
  return { because: `its handler has read ${reads.map((name) => `'${name}'`).join(', ')} of the request` };
}
