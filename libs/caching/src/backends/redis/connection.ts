import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from '../../clock.js';
import { PeerMissingError } from '../../errors.js';
import { createClient, type Client } from './client.js';
import { addressOf, type Endpoint } from './endpoint.js';
import { inChunks, type RedisArgument, type RedisLink, type ReplyOptions, type Send } from './link.js';
import type { RedisConnectionOptions } from './options.js';

/** Milliseconds before the next attempt to connect: after one failure, after two, … The last is repeated. */
const RETRY_DELAYS_MS = [25, 50, 100, 200, 400] as const;
/** Milliseconds that `close()` gives to what is under way. */
const CLOSE_LIMIT_MS = 500;
/** Looks at the replies before a server is given up. */
const PATIENCE_ROUNDS = 4;

/** Finds the server, anew for every attempt to connect. */
export type Locate = (signal: AbortSignal) => Endpoint | Promise<Endpoint>;

/** The client for the server that was found last, and what cuts its socket. */
interface Current {
  readonly address: string;
  readonly client: Client;
  readonly cut: AbortController;
}

/**
 * One connection to one server. It stands from the first command on and comes back by itself after an outage. A command
 * waits for the first attempt to connect, or to connect again, and fails at once as long as attempts fail.
 *
 * Reconnecting is ours and not the client's: the client's leaves `connect()` pending while the server is away, cannot be
 * stopped before the socket stands, and its socket timeout takes bytes that we write for a sign of life.
 */
export class Connection implements RedisLink {
  readonly #locate: Locate;
  readonly #options: RedisConnectionOptions;
  #current: Current | undefined;
  /** The client while it can send. */
  #ready: Client | undefined;
  /** The attempt that commands wait for. */
  #attempt: Promise<Client> | undefined;
  #attemptedAt = 0;
  /** Why the attempt under way was given up. */
  #givenUp: Error | undefined;
  /** Attempts that failed since the connection last stood, and the last reason. */
  #failures = 0;
  #reason: unknown;
  /** One timer at a time: for the first answer, for the next sign of life, or for the next attempt. */
  #cancelTimer: () => void = () => undefined;
  readonly #ended = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(locate: Locate, options: RedisConnectionOptions) {
    this.#locate = locate;
    this.#options = options;
  }

  send(_key: string, args: RedisArgument[], options?: ReplyOptions): Promise<unknown> {
    return this.#ready === undefined
      ? this.#sendLater(args, options)
      : this.#ready.sendCommand(args, options);
  }

  /** {@link send} to the server of a cluster that a key is just moving to. */
  async sendAsking(args: RedisArgument[], options?: ReplyOptions): Promise<unknown> {
    const client = this.#ready ?? (await this.#connected());
    const [, reply] = await Promise.all([client.sendCommand(['ASKING']), client.sendCommand(args, options)]);
    return reply;
  }

  group(keys: readonly string[]): readonly (readonly string[])[] {
    return inChunks(keys);
  }

  servers(): Promise<readonly Send[]> {
    return Promise.resolve([(args, options) => this.send('', args, options)]);
  }

  relocate(reason: unknown): void {
    if (this.#ready !== undefined) this.#lose(this.#ready, reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #sendLater(args: RedisArgument[], options: ReplyOptions | undefined): Promise<unknown> {
    const client = await this.#connected();
    return client.sendCommand(args, options);
  }

  #connected(): Promise<Client> {
    if (this.#ended.signal.aborted) return Promise.reject(closedError());
    if (this.#failures > 0) return Promise.reject(this.#reason);
    this.#attempt ??= this.#connect();
    return this.#attempt;
  }

  /** One attempt. Its failure is kept for the commands to come, and another attempt follows. */
  async #connect(): Promise<Client> {
    try {
      const client = await this.#open();
      this.#failures = 0;
      this.#ready = client;
      this.#watch(client);
      return client;
    } catch (error) {
      this.#retryAfter(error);
      throw error;
    } finally {
      this.#attempt = undefined;
    }
  }

  async #open(): Promise<Client> {
    // A client reports a loss a moment before it can connect again.
    await nextTurn();
    const client = await this.#clientFor(await this.#locate(this.#ended.signal));
    this.#forgetSocket(client);
    this.#attemptedAt = systemClock.monotonic();
    this.#givenUp = undefined;
    try {
      this.#ended.signal.throwIfAborted();
      await client.connect();
      this.#ended.signal.throwIfAborted();
    } catch (error) {
      throw this.#givenUp ?? error;
    } finally {
      this.#cancelTimer();
    }
    return client;
  }

  /** Ends the last socket if it still stands. Node leaves the listener of a closed socket on the signal. */
  #forgetSocket(client: Client): void {
    if (client.isOpen) destroy(client);
    const signal = this.#current?.cut.signal;
    if (signal === undefined) return;
    for (const listener of getEventListeners(signal, 'abort')) {
      signal.removeEventListener('abort', listener as () => void);
    }
  }

  async #clientFor(endpoint: Endpoint): Promise<Client> {
    const address = addressOf(endpoint);
    if (this.#current?.address === address) return this.#current.client;
    if (this.#current !== undefined) cutOff(this.#current);
    const { tls, connectTimeoutMs } = this.#options;
    const cut = new AbortController();
    const client = await createClient(endpoint, tls, connectTimeoutMs, cut.signal);
    client.on('connect', () => this.#limitFirstAnswer(client));
    client.on('error', (error) => this.#lose(client, error));
    this.#current = { address, client, cut };
    return client;
  }

  /** The client bounds how long the socket takes, and not the greeting that follows. */
  #limitFirstAnswer(client: Client): void {
    const { connectTimeoutMs } = this.#options;
    const left = this.#attemptedAt + connectTimeoutMs - systemClock.monotonic();
    this.#cancelTimer = patiently(left, () => {
      this.#givenUp = silentError(connectTimeoutMs);
      destroy(client);
    });
  }

  /** Replies come in order, so that the answer to a PING says that all before it is answered. */
  #watch(client: Client): void {
    const { socketTimeoutMs } = this.#options;
    this.#cancelTimer = systemClock.after(socketTimeoutMs / 2, () => {
      this.#cancelTimer = patiently(socketTimeoutMs / 2, () =>
        this.#lose(client, silentError(socketTimeoutMs)),
      );
      const answered = () => {
        if (this.#ready !== client) return;
        this.#cancelTimer();
        this.#watch(client);
      };
      client.sendCommand(['PING']).then(answered, answered);
    });
  }

  /** The connection is no more, or no longer good for anything. */
  #lose(client: Client, reason: unknown): void {
    if (this.#ready !== client) return;
    this.#ready = undefined;
    this.#cancelTimer();
    this.#reason = reason;
    this.#attempt = this.#connect();
    this.#attempt.catch(keptAsReason);
  }

  #retryAfter(error: unknown): void {
    this.#reason = error;
    const delay = RETRY_DELAYS_MS[Math.min(this.#failures, RETRY_DELAYS_MS.length - 1)]!;
    this.#failures++;
    if (this.#ended.signal.aborted || error instanceof PeerMissingError) return;
    this.#cancelTimer = systemClock.after(delay * (0.5 + Math.random() / 2), () => {
      this.#connect().catch(keptAsReason);
    });
  }

  async #close(): Promise<void> {
    const client = this.#ready;
    this.#ready = undefined;
    this.#ended.abort(closedError());
    this.#cancelTimer();
    if (client !== undefined) await within(CLOSE_LIMIT_MS, client.close());
    if (this.#current !== undefined) cutOff(this.#current);
  }
}

function keptAsReason(): void {}

/** Fails what is under way, and ends the socket in whatever state it is. */
function cutOff({ client, cut }: Current): void {
  destroy(client);
  cut.abort();
}

/** A client that is not open says so by throwing, after it has failed what was under way. */
function destroy(client: Client): void {
  try {
    client.destroy();
  } catch {
    // It was closed already.
  }
}

/** Settles with the promise or after the limit, whichever is first, and never rejects. */
async function within(limitMs: number, promise: Promise<unknown>): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = systemClock.after(limitMs, resolve);
    const settled = () => {
      cancel();
      resolve();
    };
    promise.then(settled, settled);
  });
}

/**
 * A timer in rounds, between which replies come in: a process that was busy takes longer to give a server up, and does not
 * take its own silence for the server's.
 */
function patiently(ms: number, callback: () => void): () => void {
  let rounds = 0;
  let cancel: () => void = () => undefined;
  const next = () => {
    if (rounds++ === PATIENCE_ROUNDS) callback();
    else cancel = systemClock.after(Math.max(1, ms / PATIENCE_ROUNDS), next);
  };
  next();
  return () => cancel();
}

function silentError(limitMs: number): Error {
  return new Error(`The Redis server has not answered for ${limitMs} ms, so its connection was given up.`);
}

function closedError(): Error {
  return new Error('The redis backend is closed.');
}
