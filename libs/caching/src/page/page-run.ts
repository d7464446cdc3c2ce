import type { CallHandler } from '@nestjs/common';
import { type Observable, tap } from 'rxjs';
import { currentTagScope } from '../cache/tag-scope.js';
import { checkedTags } from '../cache/tags.js';
import { appendCacheStatus, type ForwardReason } from './cache-status.js';
import type { CapturedPage } from './capture.js';
import { weakEtag } from './conditional.js';
import { PageAccess } from './page-access.js';
import type { PageCall } from './page-call.js';
import type { PageRoute } from './page-route.js';
import { inScope } from './page-scope.js';
import type { PageWarnings } from './page-warnings.js';
import { isVetoed, lifeOf, type PageLife } from './page-policy.js';
import { type TagHeader, tellBrowsers, tellCaches, tellVary } from './outgoing-headers.js';
import { personal, REFUSED, type RefusedPage, unstorable, vetoed } from './refused-page.js';
import type { HeaderLookup } from './header-lookup.js';
import { type StoredPage, storedPage } from './stored-page.js';
import { namesBeyond } from './variants.js';
import { parseVary } from './vary.js';

/** A page that may be stored. */
export interface FreshPage {
  readonly page: StoredPage;
  /** Milliseconds since 1970, at the start of the run. */
  readonly createdAt: number;
  readonly life: PageLife;
  /** What its `Vary` names beyond the declared. */
  readonly vary: readonly string[];
  readonly tags: readonly string[];
}

/**
 * What a run of a handler has come to: a page; a response that is for its client alone; `'failed'` with a 500, 502, 503 or
 * 504; `'broken'` off with its client; or `'unmodified'`, which says nothing of the page.
 */
export type Outcome = FreshPage | RefusedPage | 'failed' | 'broken' | 'unmodified';

export function isPage(outcome: Outcome): outcome is FreshPage {
  return typeof outcome === 'object' && 'page' in outcome;
}

/** A handler that runs for a page. */
export interface PageRun {
  /** What Nest goes on with. */
  readonly handled: Observable<unknown>;
  /** Never rejects. */
  readonly outcome: Promise<Outcome>;
}

export interface RunContext {
  readonly options: RunOptions;
  /** Why the handler runs. */
  readonly forward: ForwardReason;
  /** Milliseconds since 1970, by the store's clock. */
  readonly createdAt: number;
  readonly warnings: PageWarnings;
}

export interface RunOptions {
  readonly maxBodySize: number;
  readonly isTracked: boolean;
  readonly ignoreReads: readonly string[];
  /** The header for surrogate keys, if there is to be one. */
  readonly tagHeader: TagHeader | undefined;
  /** How this cache is called in `Cache-Status`; `undefined`: it says nothing. */
  readonly cacheStatus: string | undefined;
}

/** Names in `Vary` that middleware adds for its own sake and deals with on every response, hit or not. */
const HARMLESS_VARY = ['accept-encoding', 'origin'];
/** Headers whose values are somebody's: a page that varies by them undeclared is not stored. */
const PERSONAL = ['authorization', 'cookie', 'proxy-authorization', 'set-cookie'];
/** Failures that a stale page may hide (RFC 5861 §4). */
const FAILURES = [500, 502, 503, 504];

/**
 * Runs the handler for a page and watches: what it reads of the request, and what goes over the wire. Once the body is
 * whole and the head has left, decides whether that is a page.
 */
export function runPage(
  call: PageCall,
  next: CallHandler,
  { options, forward, createdAt, warnings }: RunContext,
): PageRun {
  const { exchange, route } = call;
  const tags = new RunTags(call, warnings);
  const scope = currentTagScope();
  let ownCacheControl: string | undefined;

  // From the inside out: the capture sees the headers as they leave, after what the watch makes of them.
  const captured = exchange.capture(options.maxBodySize, ({ status, atEmission, body }) => {
    const isStorable = lifeOf({ status, headers: theirs(atEmission) }, route, createdAt) !== undefined;
    return isStorable ? (atEmission.text('etag') ?? weakEtag(body)) : undefined;
  });
  const { reply } = exchange;
  const cacheStatusBefore = reply.get('cache-status');
  reply.beforeHeaders(() => {
    const verdict = access?.verdict();
    tellVary(reply, [...route.vary, ...(verdict?.isStorable === true ? verdict.vary : [])]);
    ownCacheControl = tellBrowsers(reply, route, ownCacheControl);
    const { tagHeader, cacheStatus } = options;
    if (tagHeader !== undefined && reply.status < 400) tellCaches(reply, tagHeader, tags.of(access));
    if (cacheStatus !== undefined)
      reply.set('cache-status', appendCacheStatus(cacheStatusBefore, cacheStatus, { outcome: forward }));
  });
  const access = options.isTracked ? new PageAccess(exchange, route, options.ignoreReads) : undefined;

  /** What others say of the response; our own word to browsers does not bind us, if it is still what stands there. */
  const theirs = (headers: HeaderLookup): HeaderLookup =>
    ownCacheControl !== undefined && headers.text('cache-control') === ownCacheControl
      ? headers.without('cache-control')
      : headers;

  const judge = (response: CapturedPage): Outcome => {
    const { status, before, atEmission, atFinish } = response;
    if (FAILURES.includes(status)) return 'failed';
    if (status === 304) return 'unmodified';
    const life = lifeOf({ status, headers: theirs(atEmission) }, route, createdAt);
    if (life === undefined) return unstorable({ status, headers: theirs(atEmission) }, route);
    const late =
      scope?.isTransient === true ? REFUSED.preview : lateRefusal(response, theirs(atFinish), route);
    if (late !== undefined) return late;
    const vary = varyOf(before, atEmission, atFinish, call);
    const verdict = access?.verdict();
    if (verdict?.isStorable === false) {
      if (access !== undefined) warnings.reads(route.name, verdict.reads, access.report());
      return personal(verdict.reads);
    }
    if (vary === undefined || verdict?.vary.some((name) => !vary.includes(name))) return REFUSED.vary;
    const named = tags.of(access);
    if (named === undefined) return REFUSED.tags;
    const page = storedPage(response, createdAt);
    return page === undefined ? REFUSED.length : { page, createdAt, life, vary, tags: named };
  };

  const outcome = captured.then((response): Outcome => {
    access?.stop();
    if (response === undefined) return REFUSED.body;
    return response === 'broken' ? response : judge(response);
  });
  const handled = next.handle();
  if (route.tagsOf === undefined) return { handled: inScope(handled), outcome };
  return { handled: inScope(handled.pipe(tap((value) => (tags.result = value)))), outcome };
}

/** The tags that a route gives to one page: asked for once, when the result is there. */
class RunTags {
  /** What the handler has returned. */
  result: unknown;
  private asked: readonly string[] | undefined;
  private hasFailed = false;

  constructor(
    private readonly call: PageCall,
    private readonly warnings: PageWarnings,
  ) {}

  /** `undefined` if the route's function failed: a page without its tags could not be invalidated. */
  of(access: PageAccess | undefined): readonly string[] | undefined {
    const { route, exchange } = this.call;
    const { tagsOf } = route;
    if (tagsOf === undefined) return route.staticTags;
    if (this.asked !== undefined || this.hasFailed) return this.asked;
    const ask = (): readonly string[] => checkedTags(tagsOf(exchange.request as never, this.result));
    try {
      this.asked = access === undefined ? ask() : access.aside(ask);
    } catch (error) {
      this.hasFailed = true;
      this.warnings.failure(route.name, error);
    }
    return this.asked;
  }
}

/** Why a response that could be stored when its head left is not, now that all of it has. */
function lateRefusal(
  response: CapturedPage,
  atFinish: HeaderLookup,
  route: PageRoute,
): RefusedPage | undefined {
  if (isVetoed(atFinish)) return vetoed(atFinish);
  return isEmptyByAccident(response, route) ? REFUSED.empty : undefined;
}

/** Whether a handler has perhaps found nothing in time. Who means an empty page lists 200, or gives it a life by headers. */
function isEmptyByAccident({ status, body }: CapturedPage, { ttlMs, statuses }: PageRoute): boolean {
  return status === 200 && body.length === 0 && ttlMs !== undefined && statuses === undefined;
}

/**
 * What the `Vary` of a response names beyond the declared; `undefined` if nobody can tell. What middleware had set for its
 * own sake does not count, nor what compression adds when the headers leave; anything else that comes late does.
 */
function varyOf(
  before: HeaderLookup,
  atEmission: HeaderLookup,
  atFinish: HeaderLookup,
  { route: { declared } }: PageCall,
): readonly string[] | undefined {
  const vary = parseVary(atEmission.lines('vary'));
  const late = parseVary(atFinish.lines('vary'));
  const isLate = late.names.some((name) => !vary.names.includes(name) && !HARMLESS_VARY.includes(name));
  if (vary.isUnbounded || late.isUnbounded || isLate) return undefined;
  const early = parseVary(before.lines('vary')).names.filter((name) => HARMLESS_VARY.includes(name));
  const names = namesBeyond(declared, vary.names).filter((name) => !early.includes(name));
  return names.some((name) => PERSONAL.includes(name)) ? undefined : names;
}
