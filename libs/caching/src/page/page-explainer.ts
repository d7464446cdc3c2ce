import type { ExecutionContext, OnApplicationBootstrap } from '@nestjs/common';
import type { Server } from 'node:http';
import { type Observable, of } from 'rxjs';
import type { Clock } from '../clock.js';
import { NotStartedError } from '../errors.js';
import type { ResolvedPagesOptions } from '../resolve-options.js';
import type { Exchange } from './exchange.js';
import { UNSEEN, whyBypassed, whyNobody, whyNoRoute } from './explain-eligibility.js';
import { explainPage } from './explain-page.js';
import { explainedRequest } from './explained-request.js';
import { declaredHeaders } from './header-metadata.js';
import { pageCall } from './page-call.js';
import type { ExplainedRequest, PageExplanation } from './page-explanation.js';
import { bypassReason } from './page-policy.js';
import { isDeclared } from './page-route.js';
import type { PageRoutes } from './page-routes.js';
import { ReDispatch } from './re-dispatch.js';
import type { Refusals } from './refusals.js';
import type { StoredPage } from './stored-page.js';

/** A request that was sent to be explained. */
interface Inquiry {
  /** Set when the request arrives at the cache. */
  explained: Promise<PageExplanation> | undefined;
}

/** What such a request is answered, whatever its route would do. */
const EMPTY: StoredPage = {
  status: 204,
  headers: [],
  etag: undefined,
  lastModified: undefined,
  ageSeconds: 0,
  body: Buffer.alloc(0),
  text: undefined,
};

/**
 * Explains pages: sends a request of its own through middleware and guards, and meets it in the interceptor, which says what
 * it would do instead of doing it. Nothing is stored, counted or waited for, and no handler runs.
 */
export class PageExplainer implements OnApplicationBootstrap {
  private readonly reDispatch: ReDispatch<Inquiry>;
  private server: Server | undefined;
  private isStarted = false;
  private underWay = 0;

  constructor(
    private readonly routes: PageRoutes,
    private readonly options: ResolvedPagesOptions,
    private readonly refusals: Refusals,
    clock: Clock,
  ) {
    this.reDispatch = new ReDispatch(clock);
  }

  /** Names the server of the application, if its interceptor is in place. */
  attach(server: Server): void {
    this.server = server;
    this.reDispatch.attach(server);
  }

  onApplicationBootstrap(): void {
    this.isStarted = true;
  }

  /** Whether any request may be one to explain: all that others pay for. */
  get isBusy(): boolean {
    return this.underWay > 0;
  }

  /** @throws InvalidArgumentError, NotStartedError, BackendError; whatever `user` and `varyOn` of the route throw */
  async explain(asked: string | ExplainedRequest): Promise<PageExplanation> {
    const request = explainedRequest(asked, this.server);
    if (!this.isStarted) throw notStarted();
    if (!this.routes.inspect())
      return { would: { do: 'bypass', because: 'no route of this application has @CachePage' } };
    if (this.server === undefined) throw notStarted();
    const { method } = request;
    // Who says that it would only be looked at? What answers before the cache would do its work.
    if (method !== 'GET' && method !== 'HEAD')
      return { would: { do: 'bypass', because: 'only GET and HEAD have pages' } };
    const inquiry: Inquiry = { explained: undefined };
    this.underWay += 1;
    try {
      const sent = { ...request, method } as const;
      const status = await this.reDispatch.sendNew(sent, inquiry, this.options.flightDeadline);
      return (await inquiry.explained) ?? notArrived(status, this.options.flightDeadline);
    } finally {
      this.underWay -= 1;
    }
  }

  /** Explains a request instead of letting it go on; `undefined` for one that a client has sent. */
  meet(context: ExecutionContext, exchange: Exchange): Promise<Observable<undefined>> | undefined {
    const inquiry = this.reDispatch.markOf(exchange.incoming);
    if (inquiry === undefined) return undefined;
    inquiry.explained = this.explanationOf(context, exchange);
    const answer = (): Observable<undefined> => {
      exchange.replay(EMPTY, 0, undefined);
      return of(undefined);
    };
    return inquiry.explained.then(answer, answer);
  }

  /** As the interceptor goes about a request, in its order. */
  private async explanationOf(context: ExecutionContext, exchange: Exchange): Promise<PageExplanation> {
    const [handler, controller] = [context.getHandler(), context.getClass()];
    const name = `${controller.name}.${handler.name}`;
    const bypass = (because: string): PageExplanation => ({ route: name, would: { do: 'bypass', because } });
    const route = this.routes.find(handler, controller);
    if (route === null)
      return bypass(whyNoRoute(declaredHeaders(handler, controller), this.options.site !== undefined));
    const reason = bypassReason(exchange);
    if (reason !== undefined) return bypass(whyBypassed(reason, exchange));
    const isTracked = this.options.accessTracking === 'on';
    if (isTracked && !isDeclared(route) && this.routes.isRequestScoped(controller)) return bypass(UNSEEN);
    const call = pageCall(exchange, route, this.options.sessionCookies);
    if (call === undefined) return bypass(whyNobody(exchange, route));
    return { route: name, ...(await explainPage(call, this.refusals)) };
  }
}

function notStarted(): NotStartedError {
  return new NotStartedError(
    'PageCache.explain() sends a request through the application, which has not started or has no HTTP server. Call it ' +
      'after `await app.listen()` or `await app.init()`.',
  );
}

function notArrived(status: number | undefined, deadlineMs: number): PageExplanation {
  if (status === undefined) {
    const because = `something before the cache broke it off, or did not answer within ${deadlineMs} ms`;
    return { would: { do: 'not arrive', because } };
  }
  const because =
    status === 404
      ? 'no route fits, or something before the cache answers 404'
      : `a middleware, a guard or what handles their errors answers ${status}`;
  return { answeredBefore: status, would: { do: 'not arrive', because } };
}
