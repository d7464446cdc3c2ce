import type { ServerResponse } from 'node:http';

/**
 * What is to happen before a response is sent, told by its status: a promise to wait for, which must not reject, or
 * `undefined` if there is nothing to wait for.
 */
export type BeforeSent = (status: number) => Promise<void> | undefined;

/** A call that waits for the gate. */
interface HeldCall {
  readonly run: () => void;
  readonly isEnd: boolean;
  /** The status that it says; by default the response's. */
  readonly status?: number;
}

type Method = (this: ServerResponse, ...given: unknown[]) => unknown;

/**
 * Holds a response until something is done: nothing of it reaches the client before. It works on Node's own response, so
 * that whatever sends is held alike on both platforms: the framework, `@Res()`, streams, redirects, exception filters, a
 * hijacked Fastify reply. A body that is written in pieces is held twice: at its first piece, since the client sees the
 * status, and at its end, since the work may go on meanwhile.
 */
export function holdResponse(response: ServerResponse, beforeSent: BeforeSent): void {
  new ResponseGate(response, beforeSent).install();
}

class ResponseGate {
  private held: HeldCall[] | undefined;
  private hasHeadLeft = false;
  private hasEnded = false;
  private status = 0;

  constructor(
    private readonly response: ServerResponse,
    private readonly beforeSent: BeforeSent,
  ) {}

  install(): void {
    const { response } = this;
    const write = response.write as Method;
    const end = response.end as Method;
    const { flushHeaders } = response;
    const pass = this.pass.bind(this);
    response.write = function (...given: unknown[]): boolean {
      let answer: unknown = false;
      pass({ run: () => (answer = Reflect.apply(write, response, given)), isEnd: false });
      return answer as boolean;
    } as typeof response.write;
    // Over HTTP/2 the head leaves at once; over HTTP/1 it waits for the body, and may still change.
    if ('stream' in response) {
      const writeHead = response.writeHead as Method;
      response.writeHead = function (...given: unknown[]): ServerResponse {
        pass({
          run: () => Reflect.apply(writeHead, response, given),
          isEnd: false,
          status: given[0] as number,
        });
        return response;
      } as typeof response.writeHead;
    }
    response.flushHeaders = function (): void {
      pass({ run: () => flushHeaders.call(response), isEnd: false });
    };
    response.end = function (...given: unknown[]): ServerResponse {
      pass({ run: () => Reflect.apply(end, response, given), isEnd: true });
      return response;
    } as typeof response.end;
  }

  private pass(call: HeldCall): void {
    if (this.held !== undefined) {
      this.held.push(call);
      return;
    }
    const isDecided = this.hasEnded || (this.hasHeadLeft && !call.isEnd);
    const done = isDecided ? undefined : this.beforeSent(call.status ?? this.response.statusCode);
    if (done === undefined) this.run(call);
    else this.hold(call, done);
  }

  private hold(call: HeldCall, done: Promise<void>): void {
    this.held = [call];
    this.status = this.response.statusCode;
    // What looks whether an answer is under way must see that it is: exception filters, and Fastify itself.
    shadow(this.response, 'headersSent');
    if (call.isEnd) shadow(this.response, 'writableEnded');
    void done.finally(() => this.release());
  }

  private release(): void {
    const { response, held = [], status } = this;
    Reflect.deleteProperty(response, 'headersSent');
    Reflect.deleteProperty(response, 'writableEnded');
    // As if it had been sent at once: a status that was set later comes too late.
    if (!response.headersSent) response.statusCode = status;
    this.held = undefined;
    const [first, ...later] = held;
    if (first !== undefined) this.run(first);
    for (const call of later) this.pass(call);
    if (this.held === undefined && !this.hasEnded) drain(response);
  }

  private run({ run, isEnd }: HeldCall): void {
    this.hasHeadLeft = true;
    this.hasEnded ||= isEnd;
    run();
  }
}

/** Lets writers go on that were told to wait. Where there is more than the next in line takes, that will say so itself. */
function drain(response: ServerResponse): void {
  // The compression middleware takes such listeners to a stream of its own; what `on` answers is where they are.
  const nothing = (): void => undefined;
  const heard = response.on('drain', nothing) as Pick<ServerResponse, 'emit' | 'off' | 'writableNeedDrain'>;
  heard.off('drain', nothing);
  if (!heard.writableNeedDrain) heard.emit('drain');
}

function shadow(response: ServerResponse, property: 'headersSent' | 'writableEnded'): void {
  Object.defineProperty(response, property, { value: true, configurable: true });
}
