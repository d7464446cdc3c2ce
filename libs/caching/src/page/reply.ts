import { isKeptByNotModified } from './conditional.js';
import type { ExpressRequest, ExpressResponse, FastifyReply, FastifyRequest } from './platform.js';
import type { ResponseHeaders } from './header-patch.js';

/** A response whose headers may still change, the same on every platform: all that header decorators need. */
export interface Reply extends ResponseHeaders {
  /** Calls back whenever headers are about to leave, and once more when their status has changed on the way. */
  beforeHeaders(apply: () => void): void;
  /** Sends 304 and makes everything that the framework sends afterwards come to nothing. */
  sendNotModified(): void;
}

export function replyOf(
  request: ExpressRequest | FastifyRequest,
  response: ExpressResponse | FastifyReply,
): Reply {
  const method = request.method ?? '';
  return 'raw' in response
    ? new FastifyReplyHeaders(method, response)
    : new ExpressReplyHeaders(method, response);
}

/** Headers leave through `writeHead`, and `end` is where a capture looks at them. */
class ExpressReplyHeaders implements Reply {
  constructor(
    readonly method: string,
    private readonly response: ExpressResponse,
  ) {}

  get status(): number {
    return this.response.statusCode;
  }

  get(name: string): string | undefined {
    return textOf(this.response.getHeader(name));
  }

  set(name: string, value: string): void {
    this.response.setHeader(name, value);
  }

  remove(name: string): void {
    this.response.removeHeader(name);
  }

  beforeHeaders(apply: () => void): void {
    const { response } = this;
    const { writeHead, end } = response;
    response.writeHead = function (this: ExpressResponse, status: number, ...rest: unknown[]) {
      if (!this.headersSent) {
        const headers = rest.at(-1);
        if (typeof headers === 'object' && headers !== null) {
          rest.pop();
          adopt(this, headers);
        }
        this.statusCode = status;
        apply();
      }
      return Reflect.apply(writeHead, this, [status, ...rest]) as ExpressResponse;
    };
    response.end = function (this: ExpressResponse, ...given: unknown[]) {
      if (!this.headersSent) apply();
      return Reflect.apply(end, this, given) as ExpressResponse;
    } as typeof end;
  }

  sendNotModified(): void {
    const { response } = this;
    for (const name of response.getHeaderNames()) if (isDropped(name)) response.removeHeader(name);
    response.statusCode = 304;
    response.end();
    response.send = nothing;
    response.json = nothing;
    response.render = nothing;
    response.redirect = nothing;
  }
}

/** Everything goes through `send`, errors that come up on the way once more. */
class FastifyReplyHeaders implements Reply {
  constructor(
    readonly method: string,
    private readonly reply: FastifyReply,
  ) {}

  get status(): number {
    return this.reply.statusCode;
  }

  get(name: string): string | undefined {
    return textOf(this.reply.getHeaders()[name]);
  }

  set(name: string, value: string): void {
    this.reply.header(name, value);
  }

  remove(name: string): void {
    this.reply.removeHeader(name);
  }

  beforeHeaders(apply: () => void): void {
    const { send } = this.reply;
    this.reply.send = function (this: FastifyReply, ...given: [payload?: unknown]) {
      if (!this.raw.headersSent) apply();
      return Reflect.apply(send, this, given);
    };
  }

  sendNotModified(): void {
    const { reply } = this;
    for (const name of Object.keys(reply.getHeaders())) if (isDropped(name)) reply.removeHeader(name);
    reply.code(304);
    reply.send();
    reply.send = nothing;
    if (reply.view !== undefined) reply.view = nothing;
  }
}

/** Headers given to `writeHead` itself, as an object or as a list of names and values, become headers like all others. */
function adopt(response: ExpressResponse, headers: object): void {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value as string | string[]);
    return;
  }
  const flat = headers.flat() as string[];
  const lines = Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index], flat[2 * index + 1]]);
  for (const [name = ''] of lines) response.removeHeader(name);
  for (const [name = '', value = ''] of lines) response.appendHeader(name, value);
}

function isDropped(name: string): boolean {
  return name.startsWith('content-') && !isKeptByNotModified(name);
}

function textOf(value: number | string | readonly string[] | undefined): string | undefined {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value.join(', ') : String(value);
}

function nothing<T>(this: T): T {
  return this;
}
