import { connect, type Socket } from 'node:net';
import type { Clock } from '../../clock.js';
import type { ServerAddress } from './addresses.js';
import { MemcachedError } from './failures.js';
import type { Reply } from './replies.js';
import { ReplyReader } from './reply-reader.js';

export interface ConnectionOptions {
  readonly connectTimeoutMs: number;
  readonly socketTimeoutMs: number;
  readonly clock: Clock;
}

/** A command that was written and has no complete reply. */
interface Waiting {
  readonly line: (text: string) => number | undefined;
  readonly block: (data: Buffer) => void;
  readonly reject: (reason: unknown) => void;
  /** When it was written, by the monotonic clock. */
  readonly since: number;
}

/**
 * One connection to one server. Commands are written as they come and answered in order. It opens with the first
 * command; whatever goes wrong fails every waiting command and drops the socket, and the next command opens another.
 */
export class MemcachedConnection {
  private socket: Socket | undefined;
  private readonly waiting: Waiting[] = [];
  private cancelTimer: (() => void) | undefined;
  private connectedAt: number | undefined;
  private closed = false;

  constructor(
    private readonly address: ServerAddress,
    private readonly options: ConnectionOptions,
  ) {}

  /**
   * Writes a command; resolves with its reply.
   *
   * @param head the line of the command without CR LF; nothing in it is checked here
   * @param body the block that follows the line
   */
  async ask<T>(reply: Reply<T>, head: string, body?: Uint8Array): Promise<T> {
    this.ensureOpen();
    return new Promise((resolve, reject) => {
      const socket = (this.socket ??= this.open());
      this.waiting.push({
        line: (text) => {
          const next = reply.line(text);
          if (next === 'end') this.settle(reply, resolve, reject);
          return typeof next === 'number' ? next : undefined;
        },
        block: (data) => reply.block(data),
        reject,
        since: this.options.clock.monotonic(),
      });
      write(socket, head, body);
      if (this.connectedAt !== undefined) this.cancelTimer ??= this.watch(this.options.socketTimeoutMs);
    });
  }

  /** Gives the socket back and then fails what waits. Nothing is opened after that. */
  async close(): Promise<void> {
    this.closed = true;
    const { socket } = this;
    if (socket === undefined) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.destroy();
    });
  }

  /** @throws MemcachedError after {@link close} */
  ensureOpen(): void {
    if (this.closed) throw this.failure('is not used any more: the backend is closed');
  }

  private open(): Socket {
    const { connectTimeoutMs, socketTimeoutMs, clock } = this.options;
    const socket = connect({ ...this.address.target, noDelay: true, keepAlive: true });
    const reader = new ReplyReader({
      line: (text) => this.first().line(text),
      block: (data) => this.first().block(data),
    });
    const late = `did not accept a connection within ${connectTimeoutMs} ms`;
    this.cancelTimer = clock.after(connectTimeoutMs, () => this.drop(socket, this.failure(late)));
    socket.on('connect', () => {
      if (this.socket !== socket) return;
      this.cancelTimer?.();
      this.connectedAt = clock.monotonic();
      this.cancelTimer = this.watch(socketTimeoutMs);
    });
    socket.on('data', (chunk: Buffer) => {
      if (this.socket !== socket) return;
      try {
        reader.push(chunk);
      } catch (error) {
        this.drop(socket, this.asFailure(error));
      }
    });
    socket.on('error', (error) => this.drop(socket, error));
    for (const event of ['end', 'close']) {
      const what = (): string => (this.closed ? 'was left: the backend is closed' : 'closed the connection');
      socket.on(event, () => this.drop(socket, this.failure(what())));
    }
    return socket;
  }

  /** The command whose reply is being read. */
  private first(): Waiting {
    const [first] = this.waiting;
    if (first === undefined) throw this.failure('answered without being asked; the connection was dropped');
    return first;
  }

  private settle<T>(reply: Reply<T>, resolve: (value: T) => void, reject: (reason: unknown) => void): void {
    this.waiting.shift();
    try {
      resolve(reply.result());
    } catch (refusal) {
      reject(refusal);
    }
  }

  /** One timer for all commands: it looks at the oldest when that could be overdue, and stops when none is left. */
  private watch(ms: number): () => void {
    const { socketTimeoutMs, clock } = this.options;
    const { socket } = this;
    return clock.after(ms, () => {
      this.cancelTimer = undefined;
      const [oldest] = this.waiting;
      if (socket === undefined || oldest === undefined) return;
      const since = Math.max(oldest.since, this.connectedAt ?? 0);
      const left = since + socketTimeoutMs - clock.monotonic();
      if (left > 0) this.cancelTimer = this.watch(Math.ceil(left));
      else this.drop(socket, this.failure(`did not answer within ${socketTimeoutMs} ms`));
    });
  }

  private drop(socket: Socket, reason: Error): void {
    if (this.socket !== socket) return;
    this.socket = undefined;
    this.connectedAt = undefined;
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    socket.destroy();
    for (const { reject } of this.waiting.splice(0)) reject(reason);
  }

  private failure(what: string): MemcachedError {
    return new MemcachedError(this.address.name, what);
  }

  private asFailure(error: unknown): Error {
    if (error instanceof MemcachedError) return error;
    const what = error instanceof Error ? error.message : 'something else';
    return this.failure(`answered ${what}; the connection was dropped`);
  }
}

const CR_LF = '\r\n';

/** Everything that is written in one turn of the event loop leaves in one piece. */
function write(socket: Socket, head: string, body: Uint8Array | undefined): void {
  if (socket.writableCorked === 0) {
    socket.cork();
    process.nextTick(() => socket.uncork());
  }
  socket.write(head + CR_LF, 'latin1');
  if (body === undefined) return;
  socket.write(body);
  socket.write(CR_LF, 'latin1');
}
