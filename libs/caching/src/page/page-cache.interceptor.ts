import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { type Observable, of } from 'rxjs';
import { isPromise } from '../cache/failure-policy.js';
import type { Served } from '../cache/loader.js';
import { isInPreview } from '../cache/preview.js';
import type { ResolvedPagesOptions } from '../resolve-options.js';
import { appendCacheStatus, type CacheStatus } from './cache-status.js';
import type { Exchange } from './exchange.js';
import { ExpressExchange } from './express-exchange.js';
import { FastifyExchange } from './fastify-exchange.js';
import { idOf, type PageCall, pageCall } from './page-call.js';
import { tellPassing } from './outgoing-headers.js';
import type { PageExplainer } from './page-explainer.js';
import { freshPage, PageLoads, type PageSight } from './page-loads.js';
import type { PageInvalidator } from './page-invalidator.js';
import { asksForReload, bypassReason, forbidsStoring, storedLife } from './page-policy.js';
import { isDirectory, type PageRecord } from './page-record.js';
import { isDeclared, type PageRoute } from './page-route.js';
import type { PageRoutes } from './page-routes.js';
import { type FreshPage, isPage, type Outcome, type PageRun, runPage } from './page-run.js';
import type { PageWarnings } from './page-warnings.js';
import type { ExpressRequest, ExpressResponse, FastifyReply, FastifyRequest } from './platform.js';
import type { ReDispatch } from './re-dispatch.js';
import type { Refusals } from './refusals.js';
import type { StoredPage } from './stored-page.js';

/** A response is under way already: there is nothing left for Nest to send. */
const REPLAYED: Observable<undefined> = of(undefined);
const HIT: CacheStatus = { outcome: 'hit' };
/** So often a request looks for its page again: the flight that it waited for was another variant's, or broke off. */
const MAX_ATTEMPTS = 3;

/** What a re-dispatched request is for. */
export interface PageRefresh {
  /** The page that it was sent to make. */
  readonly id: string;
  /** What its run has come to, once the request is past the guards. */
  outcome: Promise<Outcome> | undefined;
}

type Answer = Observable<unknown> | Promise<Observable<unknown>>;

/**
 * Page caching, top to bottom: eligible? key, look up, then replay, or run the handler once for everybody and store what
 * went out. It is the outermost interceptor, inside the guards.
 */
@Injectable()
export class PageCacheInterceptor implements NestInterceptor {
  private readonly loads: PageLoads;

  constructor(
    private readonly routes: PageRoutes,
    private readonly options: ResolvedPagesOptions,
    private readonly reDispatch: ReDispatch<PageRefresh>,
    private readonly refusals: Refusals,
    private readonly warnings: PageWarnings,
    private readonly invalidator: PageInvalidator,
    private readonly explainer: PageExplainer,
  ) {
    this.loads = new PageLoads(options.flightDeadline, options.maxVariants);
  }

  intercept(context: ExecutionContext, handler: CallHandler): Answer {
    if (context.getType() !== 'http') return handler.handle();
    if (this.explainer.isBusy) {
      const met = this.explainer.meet(context, exchangeOf(context));
      if (met !== undefined) return met;
    }
    const next = this.invalidator.around(context, handler);
    const controller = context.getClass();
    const route = this.routes.find(context.getHandler(), controller);
    if (route === null) return next.handle();
    const exchange = exchangeOf(context);
    if (isInPreview()) return this.preview(exchange, next);
    const bypass = bypassReason(exchange);
    if (bypass !== undefined) return this.pass(exchange, next, { outcome: bypass }, route);
    if (this.isUnseen(route, controller)) {
      this.warnings.requestScope(route.name);
      return this.pass(exchange, next, { outcome: 'bypass' }, route);
    }
    const call = pageCall(exchange, route, this.options.sessionCookies);
    if (call === undefined)
      return this.pass(exchange, next, { outcome: 'request', detail: 'credentials' }, route);
    if (call.target !== call.asked)
      exchange.hideTarget(call.target, (parameter) => route.query.counts(parameter));
    const refresh = this.reDispatch.markOf(exchange.incoming);
    if (refresh !== undefined) return this.reload(refresh, call, next);
    const seen = this.loads.look(call);
    return isPromise(seen)
      ? Promise.resolve(seen.then((later) => this.answer(later, call, next)))
      : this.answer(seen, call, next);
  }

  private answer(seen: PageSight, call: PageCall, next: CallHandler): Answer {
    const { exchange, route } = call;
    const isReload = route.honorsNoCache && asksForReload(exchange.headers);
    const page = isReload ? undefined : freshPage(seen);
    if (page !== undefined) {
      route.cache.entries.counters.hits += 1;
      return this.replay(page.value, page.createdAt, call);
    }
    if (exchange.method !== 'GET' || forbidsStoring(exchange.headers))
      return this.pass(exchange, next, { outcome: 'request' }, route);
    if (!isReload) return this.load(seen, call, next);
    return this.loads.remove(call, seen).then(async () => this.load(await this.loads.look(call), call, next));
  }

  /** Runs the handler for a re-dispatched request, though its page may be stored. */
  private reload(refresh: PageRefresh, call: PageCall, next: CallHandler): Answer {
    // Trust in proxies or middleware may have changed: this is another page, and nobody asked for it.
    if (idOf(call) !== refresh.id) return next.handle();
    const run = this.run(call, next, 'stale');
    refresh.outcome = run.outcome;
    return run.handled;
  }

  /** Runs the handler for everybody who asks meanwhile, or waits for the one that runs. */
  private load(seen: PageSight, call: PageCall, next: CallHandler, attempt = 1): Answer {
    if (this.refusals.has(idOf(call))) return this.runAlone(call, next);
    return new Promise((resolve) => {
      let isAnswered = false;
      const answer = (given: Answer): void => {
        if (isAnswered) return;
        isAnswered = true;
        resolve(given);
      };
      const again = async (found = HIT): Promise<Observable<unknown>> => {
        if (call.exchange.isGone) return REPLAYED;
        if (attempt >= MAX_ATTEMPTS) return this.runAlone(call, next);
        const later = await this.loads.look(call);
        const page = freshPage(later);
        if (page !== undefined) return this.replay(page.value, page.createdAt, call, found);
        return this.load(later, call, next, attempt + 1);
      };
      const isStale = seen.look.sight?.freshness === 'stale';
      const forward = isStale ? 'stale' : seen.isVariant ? 'vary-miss' : 'uri-miss';
      let isCollapsed = true;
      const make = async (): Promise<FreshPage | undefined> => {
        isCollapsed = false;
        if (isStale || isAnswered) return this.judge(await this.sendCopy(call), call, isStale);
        if (call.exchange.isGone) {
          answer(REPLAYED);
          throw new BrokenOffError();
        }
        const run = this.run(call, next, forward);
        answer(run.handled);
        return this.judge(await run.outcome, call, isStale);
      };
      this.loads.load(call, seen, make).then(
        (served) => {
          const status: CacheStatus = { outcome: forward, isCollapsed };
          answer(isAnswered ? REPLAYED : this.land(served, call, next, status, again));
        },
        (error: unknown) => {
          if (isAnswered) this.warnings.failure(call.route.name, error);
          answer(error instanceof BrokenOffError ? again() : this.runAlone(call, next));
        },
      );
    });
  }

  /** What somebody does who waited. */
  private land(
    served: Served<PageRecord>,
    call: PageCall,
    next: CallHandler,
    status: CacheStatus,
    again: (found: CacheStatus) => Promise<Observable<unknown>>,
  ): Answer {
    const { content, source, state } = served;
    if (call.exchange.isGone) return REPLAYED;
    if (typeof content !== 'object' || source === undefined) return this.runAlone(call, next);
    if (isDirectory(content)) return again({ ...status, isStored: true });
    const isStored = 'ttlMs' in source && source.ttlMs !== 0;
    return this.replay(content, source.createdAt, call, state === 'loaded' ? { ...status, isStored } : HIT);
  }

  /**
   * The page of a run; `undefined` for one that is not for everybody, so that neither is what was stored before.
   *
   * @throws to let a stale page stand in, or somebody else take over
   */
  private judge(outcome: Outcome, call: PageCall, isStale: boolean): FreshPage | undefined {
    if (outcome === 'broken') throw new BrokenOffError();
    if (outcome === 'failed' && isStale) throw new HandlerFailedError();
    if (isPage(outcome)) {
      this.refusals.forget(idOf(call));
      return outcome;
    }
    if (outcome === 'unmodified') return undefined;
    this.refusals.note(idOf(call), outcome === 'failed' ? 'its handler has failed' : outcome.because);
    return undefined;
  }

  /** Lets a copy of the request run through middleware, guards and handler, without the client's connection. */
  private async sendCopy(call: PageCall): Promise<Outcome> {
    const refresh: PageRefresh = { id: idOf(call), outcome: undefined };
    try {
      await this.reDispatch.send(call.exchange.incoming, call.target, refresh, this.options.flightDeadline);
    } catch (error) {
      this.warnings.failure(call.route.name, error);
    }
    // A guard may refuse the copy: that says nothing about the page.
    return (await refresh.outcome) ?? 'failed';
  }

  /** Runs the handler for this client alone; if that page could have been for everybody, the next one will be. */
  private runAlone(call: PageCall, next: CallHandler): Observable<unknown> {
    const run = this.run(call, next, 'miss');
    void run.outcome.then((outcome) => {
      if (isPage(outcome)) this.refusals.forget(idOf(call));
    });
    return run.handled;
  }

  private run(call: PageCall, next: CallHandler, forward: Parameters<typeof runPage>[2]['forward']): PageRun {
    const { maxBodySize, accessTracking, ignoreReads, tagHeader, cacheStatus } = this.options;
    const isTracked = accessTracking === 'on';
    const options = { maxBodySize, isTracked, ignoreReads, tagHeader, cacheStatus };
    const createdAt = call.route.cache.entries.now();
    return runPage(call, next, { options, forward, createdAt, warnings: this.warnings });
  }

  private replay(
    page: StoredPage,
    createdAt: number,
    { exchange, route }: PageCall,
    status = HIT,
  ): Observable<unknown> {
    const { entries } = route.cache;
    const ageMs = entries.now() - createdAt;
    const { cacheStatus } = this.options;
    let said: string | undefined;
    if (cacheStatus !== undefined) {
      const lifeMs = storedLife(page, route, createdAt);
      const left = typeof lifeMs === 'number' ? { ttlMs: lifeMs - ageMs } : {};
      said = appendCacheStatus(exchange.reply.get('cache-status'), cacheStatus, { ...status, ...left });
    }
    exchange.replay(page, ageMs + page.ageSeconds * 1000, said);
    return REPLAYED;
  }

  /** Lets an author see what others do not: caches on the way must not keep it either. */
  private preview(exchange: Exchange, next: CallHandler): Observable<unknown> {
    const { reply } = exchange;
    reply.beforeHeaders(() => reply.set('cache-control', 'private, no-store'));
    return this.pass(exchange, next, { outcome: 'bypass' });
  }

  /** Lets a request go past the cache. */
  private pass(
    exchange: Exchange,
    next: CallHandler,
    status: CacheStatus,
    route?: PageRoute,
  ): Observable<unknown> {
    const { cacheStatus } = this.options;
    if (route !== undefined) tellPassing(exchange.reply, route);
    if (cacheStatus !== undefined) {
      const { reply } = exchange;
      const before = reply.get('cache-status');
      reply.beforeHeaders(() => reply.set('cache-status', appendCacheStatus(before, cacheStatus, status)));
    }
    return next.handle();
  }

  /** Whether providers that are made for each request may read of it what nobody sees. */
  private isUnseen(route: PageRoute, controller: Parameters<PageRoutes['isRequestScoped']>[0]): boolean {
    const isTracked = this.options.accessTracking === 'on';
    return isTracked && !isDeclared(route) && this.routes.isRequestScoped(controller);
  }
}

/** The client of a run has left: somebody else may take over. */
class BrokenOffError extends Error {}

/** The handler has failed, and a stale page may stand in for it. */
class HandlerFailedError extends Error {}

/** The request and response of a context, seen alike on both platforms. `switchToHttp()` would make functions for each. */
export function exchangeOf(context: ExecutionContext): Exchange {
  const response = context.getArgByIndex<ExpressResponse | FastifyReply>(1);
  return 'raw' in response
    ? new FastifyExchange(context.getArgByIndex<FastifyRequest>(0), response)
    : new ExpressExchange(context.getArgByIndex<ExpressRequest>(0), response);
}
