import type { IncomingHttpHeaders } from 'node:http';
import type { Duration, Ttl } from '../duration.js';
import type { QueryRule } from './query.js';

/** What requests have in common on Express and Fastify; name your platform's own type where you need more. */
export interface PageRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
}

/** What may become part of a key. Values of different types are different, `1` and `'1'` too. */
export type KeyPart = string | number | bigint | boolean | null | undefined | readonly KeyPart[];

/** What a policy says of the pages that it is for: how long they live, whom they are for, what tells them apart. */
export interface PagePolicyOptions<R = PageRequest> {
  /** The name of the cache that keeps the pages. Default: `pages.cache` of the module. */
  readonly cache?: string;
  /**
   * Whose page it is: each identity has pages of its own, under a digest of it. Declares that the handler reads
   * `request.user` and `Authorization`, and nothing else. Requests with credentials for which it answers `undefined`, `null`
   * or `''` go past the cache; without credentials they share the anonymous page. Default: requests with `Authorization`
   * or a session cookie go past the cache.
   */
  readonly user?: (request: R) => string | number | bigint | null | undefined;
  /**
   * Says that the page is the same for everybody, credentials or not: requests with `Authorization` or a session cookie
   * use it, too. Access tracking goes on. Default `false`.
   */
  readonly shared?: boolean;
  /** What the page depends on besides: tenant, role, locale. Parts of the key and no more; never an identity. */
  readonly varyOn?: (request: R) => KeyPart;
  /** Names of request headers that the page depends on. Parts of the key, and of `Vary`. As `@VaryOn`. */
  readonly vary?: readonly string[];
  /** Tags to invalidate the pages by; a function is given the request and what the handler has returned. */
  readonly tags?: readonly string[] | ((request: R, result: unknown) => readonly string[]);
  /** How long after its life a page is served while one request is made for it in the background. Default: the cache's. */
  readonly staleWhileRevalidate?: Duration;
  /** How long after its life a page is served if the handler fails (500, 502, 503, 504). Default: the cache's. */
  readonly staleIfError?: Duration;
  /**
   * How long browsers may keep a page: sent as `Cache-Control: max-age`, unless the handler sends one; with `user` or
   * `varyOn` it is `private`, since no cache on the way knows what the page depends on. Default: not sent.
   */
  readonly clientTtl?: Duration;
  /**
   * The statuses that are stored; 5xx never are. Default `[200]`, and with a ttl no empty body; without a ttl also 203,
   * 301, 308, 404, 410.
   */
  readonly statuses?: readonly number[];
  /**
   * Which query parameters count. Those that do not are neither in the key nor shown to the handler. `'raw'`: all, and
   * their order too. Default: all, in any order.
   */
  readonly query?: QueryRule;
  /** Whether a client's `Cache-Control: no-cache` runs the handler. Anybody can send it. Default `false`. */
  readonly honorNoCache?: boolean;
}

/** A policy with a name, for several routes: `pages.policies`. */
export interface NamedPagePolicy extends PagePolicyOptions<never> {
  /** How long pages stay fresh; left out: as their own headers say. */
  readonly ttl?: Ttl;
}

/** What `@CachePage` takes besides the ttl. */
export interface CachePageOptions<R = PageRequest> extends PagePolicyOptions<R> {
  /** The name of a policy of `pages.policies`; what stands beside it wins. */
  readonly policy?: string;
}
