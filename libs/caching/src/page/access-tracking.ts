import type { ServerResponse } from 'node:http';
import { watchPayload } from './fastify-hooks.js';
import { type AccessReport, ReadLog, type Reads } from './read-log.js';
import { RequestWatch, type TrackableRequest } from './tracked-request.js';

export interface AccessTrackingOptions {
  /** Cookies that are in the key: reads of these are not noted, and `headers.cookie` shows no others. Default: none. */
  readonly cookies?: readonly string[];
}

/** The watch over one request, from `next.handle()` until its reply has been made. */
export interface AccessTracking {
  /** What has been read so far. At the moment of the reply's start, its `identity` and `headers` are final. */
  report(): AccessReport;
  /** What a function reads of the request before it returns: the part of the key that a route declares by a function. */
  readsOf(declare: () => unknown): Reads;
  /** Ends the watch, puts the request back as it was, and says what was read. May be called again. */
  stop(): AccessReport;
}

/** A Fastify reply, as far as it is watched. */
interface Reply {
  readonly raw: ServerResponse;
  send: (payload?: unknown) => unknown;
}

/**
 * Notes what is read of a request: by accessors on the request itself, because Nest takes the arguments of handlers
 * from the object that it holds and not from the execution context. The platform's own reads are told apart by time: an
 * early read comes before the reply begins, a late one while a streamed body is still being made.
 */
export function trackAccess(
  request: TrackableRequest,
  response: ServerResponse | Reply,
  { cookies = [] }: AccessTrackingOptions = {},
): AccessTracking {
  const log = new ReadLog();
  const watch = new RequestWatch(request, response, log, cookies);
  const stop = (): AccessReport => {
    log.end();
    watch.release();
    return log.report();
  };
  if ('raw' in response) watchReply(response, log, stop, () => watch.release());
  else watchResponse(response, log, stop);
  return { report: () => log.report(), readsOf: (declare) => log.readsOf(declare), stop };
}

/** What middleware does inside of these calls is the platform's: compression, sessions, headers at the last moment. */
function watchResponse(response: ServerResponse, log: ReadLog, stop: () => void): void {
  const { write, end, writeHead, flushHeaders } = response;
  const begin = <T>(method: (...given: never[]) => T, given: unknown[]): T => {
    log.beginBody();
    return log.unnoticed(() => Reflect.apply(method, response, given) as T);
  };
  response.writeHead = (...given: unknown[]) => begin(writeHead, given);
  response.flushHeaders = () => begin(flushHeaders, []);
  response.write = (...given: unknown[]) => begin(write, given);
  response.end = (...given: unknown[]) => {
    stop();
    return Reflect.apply(end, response, given) as ServerResponse;
  };
}

/**
 * A result is still being made after `send`, by hooks that come before its serialization and by what it reads itself. Then
 * hooks of plugins read the request. What is read after that by way of an object that the handler was given, and returned,
 * still counts; and a stream that makes the body reads whatever it likes.
 */
function watchReply(reply: Reply, log: ReadLog, stop: () => void, release: () => void): void {
  const { send, raw } = reply;
  watchPayload(reply, (payload) => {
    if (!isStreamed(payload)) release();
    return payload;
  });
  reply.send = (payload?: unknown) => {
    if (!isStreamed(payload)) return Reflect.apply(send, reply, [payload]);
    const { end } = raw;
    raw.end = (...given: unknown[]) => {
      stop();
      return Reflect.apply(end, raw, given) as ServerResponse;
    };
    log.beginBody();
    return log.unnoticed(() => Reflect.apply(send, reply, [payload]));
  };
}

function isStreamed(payload: unknown): boolean {
  if (typeof payload !== 'object' || payload === null) return false;
  return 'pipe' in payload || 'getReader' in payload || payload instanceof Response;
}
