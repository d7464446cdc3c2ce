import { AsyncResource } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import type { Clock } from '../clock.js';

/** What a copy leaves out: what would ask for less than the whole page. */
const CONDITIONAL = new Set([
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
]);

/** What applications read of a connection: who is there, and whether it is encrypted. */
const CONNECTION_FACTS = [
  'encrypted',
  'localAddress',
  'localFamily',
  'localPort',
  'remoteAddress',
  'remoteFamily',
  'remotePort',
] as const;

/** A request as the application sees it. Of a client's it is taken while the connection is still there. */
export interface DispatchedRequest {
  readonly method: 'GET' | 'HEAD';
  /** Path and query as a client sends them. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: string[];
  readonly connection: Readonly<Record<string, unknown>>;
}

/**
 * Sends a copy of a request through the application's own listener, as a GET of the same client: middleware, guards and
 * the handler see what they would see of the original, without conditions and ranges. Nothing goes over the network.
 *
 * A copy is known by the request object itself, which no client can forge, and carries a mark of the caller's.
 */
export class ReDispatch<Mark extends object> {
  private readonly marks = new WeakMap<IncomingMessage, Mark>();
  /** A copy must not inherit what the original left in AsyncLocalStorage: a user, a transaction, a span. */
  private readonly scope = new AsyncResource('CachingReDispatch');
  private listener: EventEmitter | undefined;

  constructor(private readonly clock: Clock) {}

  /** Names the server whose `request` event is the application. */
  attach(server: EventEmitter): void {
    this.listener = server;
  }

  /** The mark of a copy; `undefined` for what a client sent. */
  markOf(request: IncomingMessage): Mark | undefined {
    return this.marks.get(request);
  }

  /**
   * Resolves when the copy has been answered, or its connection broken off: by the application, or after `deadlineMs`.
   * Rejects if the copy cannot be dispatched at all.
   *
   * @param target path and query as the client sent them
   */
  async send(request: IncomingMessage, target: string, mark: Mark, deadlineMs: number): Promise<void> {
    await this.sendNew(copyOf(request, target), mark, deadlineMs);
  }

  /** As {@link send}, for a request that no client has sent; answers the status, or `undefined` if it was broken off. */
  sendNew(request: DispatchedRequest, mark: Mark, deadlineMs: number): Promise<number | undefined> {
    return this.scope.runInAsyncScope(() => this.dispatch(request, mark, deadlineMs));
  }

  private async dispatch(
    request: DispatchedRequest,
    mark: Mark,
    deadlineMs: number,
  ): Promise<number | undefined> {
    const { inject } = await import('light-my-request');
    return new Promise((resolve) => {
      // A function of our own: handed an Express application, `inject` would change the prototypes of all its requests.
      const listen = (copy: IncomingMessage, response: ServerResponse): void => {
        const connection = liken(copy, request);
        discard(response);
        this.marks.set(copy, mark);
        const cancel = this.clock.after(deadlineMs, () => response.destroy());
        // As when a connection closes after its last response. On Express nobody else would say so.
        response.once('finish', () => response.socket?.destroy());
        response.once('close', () => {
          cancel();
          connection.destroyed = true;
          connection.emit('close');
        });
        this.listener?.emit('request', copy, response);
      };
      // An error says that the response was broken off: there is nothing to tell.
      inject(listen, { method: request.method, url: '/' }, (_error, response) =>
        resolve(response?.statusCode),
      );
    });
  }
}

function copyOf({ headers, rawHeaders, socket }: IncomingMessage, target: string): DispatchedRequest {
  const kept = Object.entries(headers).filter(([name]) => !CONDITIONAL.has(name));
  const raw: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (!CONDITIONAL.has(name.toLowerCase())) raw.push(name, rawHeaders[index + 1]!);
  }
  const facts = socket as unknown as Readonly<Record<string, unknown>>;
  return {
    method: 'GET',
    target,
    headers: Object.fromEntries(kept),
    rawHeaders: raw,
    connection: Object.fromEntries(CONNECTION_FACTS.map((fact) => [fact, facts[fact]])),
  };
}

/**
 * Lets what is written go to the socket alone, which throws it away and says when there may be more: `inject` would keep all of
 * it. What a server of Node does with the word of its sockets is done here, or writers would wait for ever.
 */
function discard(response: ServerResponse): void {
  response.write = ServerResponse.prototype.write;
  const socket = response.socket as Writable | null;
  socket?.on('drain', () => response.emit('drain'));
  Object.defineProperty(response, 'writableNeedDrain', {
    get: () => socket?.writableNeedDrain === true,
    configurable: true,
  });
}

/** Makes a blank request like the original; answers its connection, which is an object and nothing more. */
function liken(
  copy: IncomingMessage,
  { target, headers, rawHeaders, connection }: DispatchedRequest,
): EventEmitter & { destroyed: boolean } {
  const socket = copy.socket as unknown as EventEmitter & { destroyed: boolean };
  // An unknown address must stay unknown: it would be 127.0.0.1, which guards may trust.
  Object.assign(socket, connection, { destroyed: false });
  copy.url = target;
  copy.headers = headers;
  copy.rawHeaders = rawHeaders;
  // As on a request of Node; what light-my-request has there warns of being read.
  Object.defineProperty(copy, 'connection', { value: socket, configurable: true });
  return socket;
}
