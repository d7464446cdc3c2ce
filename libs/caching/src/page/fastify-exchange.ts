import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { isKeptByNotModified } from './conditional.js';
import { BodyCollector, Capture, type Captured, type ComposedPage, type Describe } from './capture.js';
import { type Exchange, hasLength, isKnown, isUnmodified, onReplay } from './exchange.js';
import { forgetParsed, hideParameters } from './hidden-target.js';
import { HeaderLookup } from './header-lookup.js';
import { restoreOnError, watchPayload } from './fastify-hooks.js';
import type { FastifyReply, FastifyRequest } from './platform.js';
import { keepScope } from './page-scope.js';
import { type Reply, replyOf } from './reply.js';
import type { StoredPage } from './stored-page.js';

/** A request on Fastify: the body is watched before any hook that sees payloads. */
export class FastifyExchange implements Exchange {
  readonly headers: IncomingHttpHeaders;

  constructor(
    readonly request: FastifyRequest,
    readonly response: FastifyReply,
  ) {
    this.headers = request.headers;
  }

  get reply(): Reply {
    return replyOf(this.request, this.response);
  }

  get incoming(): IncomingMessage {
    return this.request.raw;
  }

  get method(): string {
    return this.request.method;
  }

  get originalMethod(): unknown {
    return this.request.raw.originalMethod;
  }

  get scheme(): string {
    return this.request.protocol;
  }

  get host(): string {
    return this.request.host;
  }

  get target(): string {
    return this.request.originalUrl;
  }

  get isGone(): boolean {
    return this.response.raw.destroyed;
  }

  hideTarget(target: string, isVisible: (parameter: string) => boolean): void {
    const { request } = this;
    request.raw.url = target;
    // Left there by the middleware of Nest.
    if (request.raw.originalUrl !== undefined) request.raw.originalUrl = target;
    forgetParsed(request.raw);
    // Fastify has read it from there already, and remembers.
    Object.defineProperty(request, 'originalUrl', { value: target, configurable: true, enumerable: true });
    // Parsed when the request came. Parsers that nest know `a[b]` as `a`, which is why rules name whole parameters.
    hideParameters(request.query, isVisible);
  }

  replay(page: StoredPage, ageMs: number, cacheStatus: string | undefined): void {
    const reply = this.response;
    if (reply.statusCode !== page.status) reply.code(page.status);
    for (const [name, stored] of page.headers) {
      const value = onReplay(name, stored, (present) => reply.getHeaders()[present]);
      if (value === undefined) removeHeader(reply, name);
      else reply.header(name, value);
    }
    if (page.etag !== undefined) reply.header('etag', page.etag);
    reply.header('age', Math.max(0, Math.floor(ageMs / 1000)));
    if (cacheStatus !== undefined) reply.header('cache-status', cacheStatus);
    const { send } = reply;
    if (isUnmodified(this, page)) {
      makeNotModified(reply);
      silence(reply);
      Reflect.apply(send, reply, []);
    } else if (page.body.length === 0) {
      // Fastify says so itself, but not to HEAD.
      if (hasLength(page)) reply.header('content-length', 0);
      silence(reply);
      // An empty Buffer would be given a content type that the response never had.
      Reflect.apply(send, reply, []);
    } else {
      silence(reply);
      Reflect.apply(send, reply, [hasSerializer(reply) ? page.body : (page.text ?? page.body)]);
    }
  }

  capture(maxBodySize: number, describe: Describe): Promise<Captured> {
    const reply = this.response;
    const { raw } = reply;
    const before = new HeaderLookup(reply.getHeaders());
    const capture = new Capture(raw, () => new HeaderLookup({ ...raw.getHeaders(), ...reply.getHeaders() }));
    keepScope(reply, 'view');
    const { write, end } = raw;
    raw.write = (...given: unknown[]) => {
      const answer = Reflect.apply(write, raw, given) as boolean;
      capture.look();
      return answer;
    };
    raw.end = (...given: unknown[]) => {
      const answer = Reflect.apply(end, raw, given) as ServerResponse;
      capture.look();
      return answer;
    };
    watchPayload(reply, (payload) => {
      // What fails after this is answered by another payload.
      capture.restart();
      const body = new BodyCollector(maxBodySize);
      const compose = (): ComposedPage | undefined => {
        const whole = body.whole();
        const atEmission = new HeaderLookup(reply.getHeaders());
        const page = whole && { status: reply.statusCode, body: whole, before, atEmission };
        capture.compose(page);
        return page;
      };
      if (isStream(payload)) return payload.pipe(watchStream(payload, body, compose));
      if (payload !== null && payload !== undefined && !isBytes(payload)) return payload;
      body.add(payload);
      const page = compose();
      const tell = (etag: string): void => void reply.header('etag', etag);
      if (page === undefined || !isKnown(this, page, describe, tell)) return payload;
      makeNotModified(reply);
      return null;
    });
    return capture.settled;
  }
}

/** Lets a stream through and collects it; an error goes on to whoever reads. */
function watchStream(source: NodeJS.ReadableStream, body: BodyCollector, compose: () => void): Transform {
  const watched = new Transform({
    transform(chunk, encoding, next) {
      body.add(chunk, encoding);
      next(null, chunk);
    },
    flush(next) {
      compose();
      next();
    },
  });
  source.once('error', (error: Error) => watched.destroy(error));
  watched.once('close', () => {
    if (!watched.readableEnded && 'destroy' in source)
      (source as NodeJS.ReadableStream & Destroyable).destroy();
  });
  return watched;
}

interface Destroyable {
  destroy(): void;
}

/** Wherever it was set. */
function removeHeader(reply: FastifyReply, name: string): void {
  reply.removeHeader(name);
  reply.raw.removeHeader(name);
}

function makeNotModified(reply: FastifyReply): void {
  for (const name of Object.keys(reply.getHeaders())) {
    if (name.startsWith('content-') && !isKeptByNotModified(name)) reply.removeHeader(name);
  }
  reply.code(304);
}

/**
 * Whatever Nest sends after a replay has been sent already, or is being sent: hooks of the application may take their time.
 * If one of them fails, its error is answered.
 */
function silence(reply: FastifyReply): void {
  const { send, redirect, view, statusCode } = reply;
  reply.send = nothing;
  // Nest sets the status of a redirect first.
  reply.redirect = () => reply.code(statusCode);
  if (view !== undefined) reply.view = nothing;
  restoreOnError(reply, () => {
    Object.assign(reply, { send, redirect }, view && { view });
    for (const name of LIFE_OF_A_PAGE) reply.removeHeader(name);
  });
}

/** What must not stand on the answer to an error that comes instead of a page. */
const LIFE_OF_A_PAGE = ['age', 'cache-control', 'etag', 'expires', 'last-modified'];

let serializer: symbol | undefined;

/** Whether text would be given to a serializer that a hook has set: a page has passed it when it was made. */
function hasSerializer(reply: object): boolean {
  // Fastify does not say otherwise.
  serializer ??= Object.getOwnPropertySymbols(reply).find(
    ({ description }) => description === 'fastify.reply.serializer',
  );
  return serializer === undefined || Reflect.get(reply, serializer) !== null;
}

function nothing(this: FastifyReply): FastifyReply {
  return this;
}

function isStream(payload: unknown): payload is NodeJS.ReadableStream {
  return (
    typeof payload === 'object' && payload !== null && 'pipe' in payload && typeof payload.pipe === 'function'
  );
}

function isBytes(payload: unknown): payload is string | Uint8Array {
  return typeof payload === 'string' || payload instanceof Uint8Array;
}
