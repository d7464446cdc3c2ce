import type { IncomingMessage, ServerResponse } from 'node:http';
import { isKeptByNotModified } from './conditional.js';
import { BodyCollector, Capture, type Captured, type Describe } from './capture.js';
import { keepScope } from './page-scope.js';
import { type Exchange, hasLength, isKnown, isUnmodified, onReplay } from './exchange.js';
import { forgetParsed, hideParameters } from './hidden-target.js';
import { HeaderLookup } from './header-lookup.js';
import type { ExpressRequest, ExpressResponse } from './platform.js';
import { type Reply, replyOf } from './reply.js';
import type { StoredPage } from './stored-page.js';

/** A request on Express: the body is watched at `write` and `end`, inside of which compression does its work. */
export class ExpressExchange implements Exchange {
  constructor(
    readonly request: ExpressRequest,
    readonly response: ExpressResponse,
  ) {}

  get reply(): Reply {
    return replyOf(this.request, this.response);
  }

  get incoming(): IncomingMessage {
    return this.request;
  }

  get method(): string {
    return this.request.method ?? '';
  }

  get originalMethod(): unknown {
    return this.request.originalMethod;
  }

  get headers(): IncomingMessage['headers'] {
    return this.request.headers;
  }

  get scheme(): string {
    return this.request.protocol;
  }

  get host(): string {
    return this.request.host ?? '';
  }

  get target(): string {
    return this.request.originalUrl;
  }

  get isGone(): boolean {
    return this.response.destroyed;
  }

  hideTarget(target: string, isVisible: (parameter: string) => boolean): void {
    const { request } = this;
    const reduced = { value: target, writable: true, configurable: true, enumerable: true };
    if (request.url === request.originalUrl) request.url = target;
    Object.defineProperty(request, 'originalUrl', reduced);
    forgetParsed(request);
    // Express parses it when it is asked for, unless middleware has put an object of its own in that place.
    if (Object.hasOwn(request, 'query')) hideParameters(request.query, isVisible);
  }

  replay(page: StoredPage, ageMs: number, cacheStatus: string | undefined): void {
    const { response } = this;
    response.statusCode = page.status;
    for (const [name, stored] of page.headers) {
      const value = onReplay(name, stored, (present) => response.getHeader(present));
      if (value === undefined) response.removeHeader(name);
      else response.setHeader(name, value);
    }
    if (page.etag !== undefined) response.setHeader('etag', page.etag);
    response.setHeader('age', Math.max(0, Math.floor(ageMs / 1000)));
    if (cacheStatus !== undefined) response.setHeader('cache-status', cacheStatus);
    if (isUnmodified(this, page)) {
      sendNotModified(response);
    } else {
      if (hasLength(page)) response.setHeader('content-length', page.body.length);
      if (this.method === 'HEAD') response.end();
      else if (page.text === undefined) response.end(page.body);
      else response.end(page.text, 'latin1');
    }
    silence(response);
  }

  capture(maxBodySize: number, describe: Describe): Promise<Captured> {
    const { request, response } = this;
    const before = new HeaderLookup(response.getHeaders());
    const body = new BodyCollector(maxBodySize);
    const { write, end, writeHead } = response;
    const capture = new Capture(response, () => new HeaderLookup(response.getHeaders()));
    keepScope(response, 'render');
    let hasEnded = false;

    // Express would answer 304 out of its own check and leave us no body to store; we decide when the body is whole.
    Object.defineProperty(request, 'fresh', { value: false, configurable: true });
    response.writeHead = function (this: ExpressResponse, ...given: unknown[]) {
      if (typeof given.at(-1) === 'object') body.giveUp();
      const answer = Reflect.apply(writeHead, this, given) as ExpressResponse;
      capture.look();
      return answer;
    };
    response.write = function (this: ExpressResponse, ...given: unknown[]) {
      body.add(given[0], given[1]);
      return Reflect.apply(write, this, given) as boolean;
    } as typeof write;
    response.end = function (this: ExpressResponse, ...given: unknown[]) {
      if (hasEnded) return Reflect.apply(end, this, given) as ExpressResponse;
      hasEnded = true;
      body.add(given[0], given[1]);
      const whole = body.whole();
      const page = whole && {
        status: this.statusCode,
        body: whole,
        before,
        atEmission: new HeaderLookup(this.getHeaders()),
      };
      capture.compose(page);
      const tell = (etag: string): void => void this.setHeader('etag', etag);
      const { method = '', headers } = request;
      if (page !== undefined && !this.headersSent && isKnown({ method, headers }, page, describe, tell))
        return sendNotModified(this, end);
      return Reflect.apply(end, this, given) as ExpressResponse;
    } as typeof end;
    return capture.settled;
  }
}

/** 304 with the headers that it repeats and no others that describe a body. */
function sendNotModified(
  response: ExpressResponse,
  end: ServerResponse['end'] = response.end,
): ExpressResponse {
  for (const name of response.getHeaderNames()) {
    if (name.startsWith('content-') && !isKeptByNotModified(name)) response.removeHeader(name);
  }
  response.statusCode = 304;
  return Reflect.apply(end, response, []) as ExpressResponse;
}

/** Whatever Nest sends after a replay has been sent already. */
function silence(response: ExpressResponse): void {
  response.send = nothing;
  response.json = nothing;
  response.render = nothing;
  response.redirect = nothing;
}

function nothing(this: ExpressResponse): ExpressResponse {
  return this;
}
