import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { type Observable, of } from 'rxjs';
import type { Entry, Found } from '../cache/entries.js';
import { isPromise } from '../cache/failure-policy.js';
import { Flights } from '../cache/flights.js';
import type { CapturedPage, Exchange } from './exchange.js';
import { weakEtag } from './conditional.js';
import { ExpressExchange, type ExpressRequest, type ExpressResponse } from './express-exchange.js';
import { FastifyExchange, type FastifyReply, type FastifyRequest } from './fastify-exchange.js';
import { pageSegments } from './page-key.js';
import { isCacheable, isVetoed, storableFor } from './page-policy.js';
import { type PageRoute, PageRoutes } from './page-routes.js';
import { isStorableHeader, pageCodec, pageSize, type StoredPage } from './stored-page.js';

/** A response is under way already: there is nothing left for Nest to send. */
const REPLAYED: Observable<undefined> = of(undefined);

/** Pages know one version; a new form of them gets a new codec. */
const VERSION = 1;

interface Miss {
  readonly exchange: Exchange;
  readonly route: PageRoute;
  readonly segments: string;
  readonly next: CallHandler;
}

/**
 * Page caching, top to bottom: eligible? key, look up, then replay, or run the handler once for everybody and store what
 * went out. It is the outermost interceptor, inside the guards.
 */
@Injectable()
export class PageCacheInterceptor implements NestInterceptor {
  private readonly flights = new Flights<StoredEntry | undefined>();

  constructor(
    private readonly routes: PageRoutes,
    private readonly maxBodySize: number,
  ) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const route = this.routes.find(context.getHandler(), context.getClass());
    if (route === null) return next.handle();
    const exchange = exchangeOf(context);
    if (!isCacheable(exchange)) return next.handle();
    const { scheme, host, target } = exchange;
    const variants = route.keyedHeaders.map((name) => headerText(exchange.headers[name]));
    const segments = pageSegments({ route: route.name, scheme, host, target, variants });
    const miss = { exchange, route, segments, next };
    const found = route.cache.entries.read(pageCodec, segments, VERSION);
    return isPromise(found)
      ? Promise.resolve(found.then((later) => this.answer(later, miss)))
      : this.answer(found, miss);
  }

  private answer(found: Found<StoredPage>, miss: Miss): Observable<unknown> | Promise<Observable<unknown>> {
    if (found === undefined || typeof found === 'number') return this.load(miss);
    return replay(found, miss);
  }

  /** Runs the handler, or waits for the one that runs and runs its own only if that response is not for others. */
  private load(miss: Miss): Observable<unknown> | Promise<Observable<unknown>> {
    const { exchange, route, segments, next } = miss;
    if (exchange.method !== 'GET') return next.handle();
    const key = `${route.cache.service.name}:${segments}`;
    const running = this.flights.find(key);
    if (running !== undefined) {
      return running.then((entry) => (entry === undefined ? next.handle() : replay(entry, miss)));
    }
    const createdAt = route.cache.entries.now();
    const captured = exchange.capture(this.maxBodySize, (page) => {
      if (storableFor({ status: page.status, header: page.atEmission }, route) === undefined)
        return undefined;
      return page.atEmission('etag') ?? weakEtag(page.body);
    });
    void this.flights.join(key, () => captured.then((page) => page && this.store(page, createdAt, miss)));
    return next.handle();
  }

  /** Stores what went out if it may be; a backend that fails costs the entry and nothing else. */
  private async store(page: CapturedPage, createdAt: number, miss: Miss): Promise<StoredEntry | undefined> {
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
    return { value, createdAt, route };
  }
}

type StoredEntry = Pick<Entry<StoredPage>, 'value' | 'createdAt'> & { readonly route: PageRoute };

function replay(
  { value, createdAt }: Pick<Entry<StoredPage>, 'value' | 'createdAt'>,
  miss: Miss,
): Observable<unknown> {
  miss.exchange.replay(value, miss.route.cache.entries.now() - createdAt);
  return REPLAYED;
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

function exchangeOf(context: ExecutionContext): Exchange {
  const http = context.switchToHttp();
  const response = http.getResponse<ExpressResponse | FastifyReply>();
  return 'raw' in response
    ? new FastifyExchange(http.getRequest<FastifyRequest>(), response)
    : new ExpressExchange(http.getRequest<ExpressRequest>(), response);
}
