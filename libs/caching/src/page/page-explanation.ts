import type { HeldExplanation } from '../cache/explanation.js';

/** A request to explain. */
export interface ExplainedRequest {
  /** Path and query as clients send them, `/products?sort=price`; or a whole URL, whose scheme and host count then. */
  readonly url: string;
  /** Default `'GET'`. */
  readonly method?: string;
  /** What the client sends. The explanation holds no values of them. Default: `Host` alone. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: as in `url` or `headers`, else `localhost` with the port that the application listens on. */
  readonly host?: string;
}

/** How the key of a page was built: names of what a client says of itself, and never the values. */
export interface PageKeyExplanation {
  /** The name of the cache that keeps the page. */
  readonly cache: string;
  /** As the application sees them, its trust in proxies included. */
  readonly scheme: string;
  readonly host: string;
  /** Path and query, without the parameters that do not count. */
  readonly target: string;
  /** The query parameters that do not count: neither in the key nor shown to the handler. */
  readonly droppedParameters: readonly string[];
  /** The request headers in the key, by `vary` or `@VaryOn`: lower case. */
  readonly headers: readonly string[];
  /** The cookies in the key, by `@VaryOnCookie`. */
  readonly cookies: readonly string[];
  /** Whether `user` has named somebody, so that the page is theirs. */
  readonly isOfUser: boolean;
  /** Whether what `varyOn` answers is a part. */
  readonly hasVaryOn: boolean;
  /** Whether middleware has rewritten the URL, so that what it wrote is a part as well. */
  readonly isRewritten: boolean;
  /** Of the whole key: two requests share a page if they have one digest. */
  readonly digest: string;
}

/** What lies in the place of a page. Times in milliseconds from now; `null` for ever. */
export interface HeldPageExplanation extends Omit<HeldExplanation, 'what' | 'codec' | 'isCompressed'> {
  /** `'lease'`: the page is being made; `'foreign'`: another version of this library or somebody else wrote it. */
  readonly what: 'nothing' | 'page' | 'lease' | 'foreign';
  /** The status of the page. */
  readonly status?: number;
}

/** The variants of a URL whose responses name headers in `Vary`. */
export interface VariantsExplanation {
  readonly count: number;
  /** What their `Vary` names beyond what the route declares, each list once, that of the newest variant first. */
  readonly vary: readonly (readonly string[])[];
  /** Whether one of them is for a request like this. */
  readonly isMatched: boolean;
}

/** Everything about the page of a request but its content. Parts that there are none of are left out. */
export interface PageExplanation {
  /** The handler, `ProductsController.list`, if the request gets so far. */
  readonly route?: string;
  /** The status with which something before the cache answers: a middleware, a guard, the router. */
  readonly answeredBefore?: number;
  readonly key?: PageKeyExplanation;
  /** Under the key, or where the matching variant is kept. */
  readonly held?: HeldPageExplanation;
  readonly variants?: VariantsExplanation;
  /** Why the last response could not be stored, remembered for ten seconds in this process. */
  readonly refused?: string;
  /** What the request would do now, and why. */
  readonly would: {
    readonly do: PageAction;
    readonly because: string;
  };
}

/**
 * `'replay'` a stored page; `'replay and refresh'` a stale one; `'wait'` for the run that makes the page; `'run'` the handler and
 * perhaps store what it answers; `'bypass'`: run the handler, and neither use nor store a page; `'not arrive'` at the cache.
 */
export type PageAction = 'replay' | 'replay and refresh' | 'wait' | 'run' | 'bypass' | 'not arrive';
