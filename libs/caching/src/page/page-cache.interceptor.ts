import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
} from '@nestjs/common';
import { type Observable, of } from 'rxjs';
import type { Entry, Found } from '../cache/entries.js';
import { isPromise } from '../cache/failure-policy.js';
import { Flights } from '../cache/flights.js';
import type { Clock } from '../clock.js';
import { CacheClosedError, CachingError } from '../errors.js';
import type { ResolvedPagesOptions } from '../resolve-options.js';
import type { CapturedPage, Exchange } from './exchange.js';
import { weakEtag } from './conditional.js';
import { ExpressExchange, type ExpressRequest, type ExpressResponse } from './express-exchange.js';
import { FastifyExchange, type FastifyReply, type FastifyRequest } from './fastify-exchange.js';
import { pageSegments } from './page-key.js';
import { isCacheable, isVetoed, storableFor } from './page-policy.js';
import type { PageInvalidator } from './page-invalidator.js';
import { type PageRoute, PageRoutes } from './page-routes.js';
import type { ReDispatch } from './re-dispatch.js';
import { isStorableHeader, pageCodec, pageSize, type StoredPage } from './stored-page.js';

/** A response is under way already: there is nothing left for Nest to send. */
const REPLAYED: Observable<undefined> = of(undefined);

/** Pages know one version; a new form of them gets a new codec. */
const VERSION = 1;

/** A page that is asked for: by whom, and where it is kept. */
export interface PageCall {
  readonly exchange: Exchange;
  readonly route: PageRoute;
  readonly segments: string;
}

interface Miss extends PageCall {
  readonly next: CallHandler;
  /** Whether a flight was waited for in vain. */
  readonly hasWaited?: boolean;
}

/** What a re-dispatched request is for. */
export interface PageRefresh {
  /** The flight that it was sent to make. */
  readonly flight: string;
  /** Its end, once the request is past the guards. */
  landing: Promise<Landing> | undefined;
}

type StoredEntry = Pick<Entry<StoredPage>, 'value' | 'createdAt'>;

/** How a flight ends: with a page for everybody; broken off with its leader; or `undefined`, with nothing to share. */
type Landing = StoredEntry | 'broken' | undefined;

/**
 * Page caching, top to bottom: eligible? key, look up, then replay, or run the handler once for everybody and store what
 * went out. It is the outermost interceptor, inside the guards.
 */
@Injectable()
export class PageCacheInterceptor implements NestInterceptor {
  private readonly logger = new Logger('Caching');
  private readonly flights = new Flights<Landing>();
  private readonly refreshes = new Flights<boolean>();
  private readonly reported = new WeakSet<PageRoute>();

  constructor(
    private readonly routes: PageRoutes,
    private readonly options: ResolvedPagesOptions,
    private readonly reDispatch: ReDispatch<PageRefresh>,
    private readonly clock: Clock,
    private readonly invalidator: PageInvalidator,
  ) {}

  intercept(
    context: ExecutionContext,
    handler: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return handler.handle();
    const next = this.invalidator.around(context, handler);
    const route = this.routes.find(context.getHandler(), context.getClass());
    if (route === null) return next.handle();
    const exchange = exchangeOf(context);
    if (!isCacheable(exchange)) return next.handle();
    const miss = { exchange, route, segments: segmentsOf(exchange, route), next };
    const refresh = this.reDispatch.markOf(exchange.incoming);
    if (refresh !== undefined) return this.reload(refresh, miss);
    const found = route.cache.entries.read(pageCodec, miss.segments, VERSION);
    return isPromise(found)
      ? Promise.resolve(found.then((later) => this.answer(later, miss)))
      : this.answer(found, miss);
  }

  /**
   * Loads a page anew in the background, whatever is stored: a copy of the request runs through middleware, guards and
   * handler, and what it is answered takes the place of the stored page. Calls for a page that is being refreshed join.
   *
   * Never rejects. The answer is whether a page was stored: not if a guard refused, the handler failed or took too long,
   * the response may not be stored, or the application no longer puts the request under this key.
   */
  refresh(call: PageCall): Promise<boolean> {
    return this.refreshes.join(flightOf(call), () => this.sendCopy(call));
  }

  private async sendCopy(call: PageCall): Promise<boolean> {
    const { incoming, target } = call.exchange;
    const refresh: PageRefresh = { flight: flightOf(call), landing: undefined };
    try {
      await this.reDispatch.send(incoming, target, refresh, this.options.flightDeadline);
    } catch (error) {
      this.report(error, call.route);
    }
    return typeof (await refresh.landing) === 'object';
  }

  /** Runs the handler for a re-dispatched request, though its page may be stored. */
  private reload(refresh: PageRefresh, miss: Miss): Observable<unknown> | Promise<Observable<unknown>> {
    // Trust in proxies or middleware may have changed: this is another page, and nobody asked for it.
    if (flightOf(miss) !== refresh.flight) return miss.next.handle();
    const answer = this.load(miss);
    refresh.landing = this.flights.find(refresh.flight);
    return answer;
  }

  private answer(found: Found<StoredPage>, miss: Miss): Observable<unknown> | Promise<Observable<unknown>> {
    if (found === undefined || typeof found === 'number') return this.load(miss);
    return replay(found, miss);
  }

  /** Runs the handler, or waits for the one that runs and runs its own only if that response is not for others. */
  private load(miss: Miss): Observable<unknown> | Promise<Observable<unknown>> {
    const { exchange, next } = miss;
    if (exchange.method !== 'GET') return next.handle();
    const flight = flightOf(miss);
    const running = this.flights.find(flight);
    if (running !== undefined) return running.then((landing) => this.land(landing, miss));
    const landing = this.watch(miss);
    void this.flights.join(flight, () => landing);
    return next.handle();
  }

  /** What somebody does who waited: one takes over from a leader that has left, and the others wait for that one. */
  private land(landing: Landing, miss: Miss): Observable<unknown> | Promise<Observable<unknown>> {
    if (typeof landing === 'object') return replay(landing, miss);
    if (miss.exchange.isGone) return REPLAYED;
    if (landing === 'broken' && miss.hasWaited !== true) return this.load({ ...miss, hasWaited: true });
    return miss.next.handle();
  }

  /** Captures the response and stores it, within the deadline of a flight. Never rejects. */
  private watch(miss: Miss): Promise<Landing> {
    const { exchange, route } = miss;
    const createdAt = route.cache.entries.now();
    const captured = exchange.capture(this.options.maxBodySize, (page) => {
      if (storableFor({ status: page.status, header: page.atEmission }, route) === undefined)
        return undefined;
      return page.atEmission('etag') ?? weakEtag(page.body);
    });
    return new Promise((resolve) => {
      let isOverdue = false;
      const cancel = this.clock.after(this.options.flightDeadline, () => {
        isOverdue = true;
        resolve(undefined);
      });
      const settled = captured.then((page) => {
        cancel();
        // Another flight has taken off: what this one loaded is older.
        if (isOverdue || page === undefined) return undefined;
        return page === 'broken' ? page : this.store(page, createdAt, miss);
      });
      settled.then(resolve, (error: unknown) => {
        this.report(error, route);
        resolve(undefined);
      });
    });
  }

  /** Stores what went out if it may be; a backend that fails costs the entry and nothing else. */
  private async store(page: CapturedPage, createdAt: number, miss: Miss): Promise<Landing> {
    const { route, segments } = miss;
    const ttlMs = storableFor({ status: page.status, header: page.atEmission }, route);
    if (ttlMs === undefined || isVetoed({ status: page.status, header: page.atFinish }, route))
      return undefined;
    const value = storedPage(page, createdAt);
    if (value === undefined) return undefined;
    const { entries, policy } = route.cache;
    await policy.forgive('set', () =>
      entries.put(pageCodec, segments, VERSION, value, pageSize(value), ttlMs, createdAt),
    );
    return { value, createdAt };
  }

  /** The client has its response: what fails behind it is said once for each route. */
  private report(error: unknown, route: PageRoute): void {
    if (error instanceof CacheClosedError || this.reported.has(route)) return;
    this.reported.add(route);
    // Other errors may say what is in the page.
    const reason = error instanceof CachingError ? error.message : `${(error as Error).name} was thrown.`;
    this.logger.warn(
      `A page of ${route.name} was not stored: ${reason} More such failures of this route are not logged.`,
    );
  }
}

function replay({ value, createdAt }: StoredEntry, { exchange, route }: PageCall): Observable<unknown> {
  exchange.replay(value, route.cache.entries.now() - createdAt);
  return REPLAYED;
}

function segmentsOf(exchange: Exchange, route: PageRoute): string {
  const { scheme, host, target } = exchange;
  const variants = route.keyedHeaders.map((name) => headerText(exchange.headers[name]));
  return pageSegments({ route: route.name, scheme, host, target, variants });
}

function flightOf({ route, segments }: PageCall): string {
  return `${route.cache.service.name}:${segments}`;
}

/** What is kept of a response; `undefined` if it is shorter than it said. */
function storedPage(
  { status, added, body, atEmission }: CapturedPage,
  createdAt: number,
): StoredPage | undefined {
  const length = atEmission('content-length');
  if (length !== undefined && Number(length) !== body.length) return undefined;
  const connection = atEmission('connection');
  const headers = added.filter(([name]) => name !== 'etag' && isStorableHeader(name, connection));
  const date = atEmission('date') ?? new Date(createdAt).toUTCString();
  return {
    status,
    headers: [...headers, ['date', date]],
    etag: atEmission('etag') ?? weakEtag(body),
    lastModified: atEmission('last-modified'),
    body,
  };
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The request and response of a context, seen alike on both platforms. */
export function exchangeOf(context: ExecutionContext): Exchange {
  const http = context.switchToHttp();
  const response = http.getResponse<ExpressResponse | FastifyReply>();
  return 'raw' in response
    ? new FastifyExchange(http.getRequest<FastifyRequest>(), response)
    : new ExpressExchange(http.getRequest<ExpressRequest>(), response);
}
