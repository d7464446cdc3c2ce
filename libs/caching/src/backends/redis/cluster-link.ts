import { systemClock } from '../../clock.js';
import { PeerMissingError } from '../../errors.js';
import { ask } from './client.js';
import { Connection } from './connection.js';
import { addressOf, elsewhere, parseEndpoint, type Endpoint } from './endpoint.js';
import { isErrorReply, type RedisArgument, type RedisLink, type ReplyOptions, type Send } from './link.js';
import type { RedisClusterOptions, RedisConnectionOptions } from './options.js';
import { groupBySlot, slotOf, SLOTS } from './slot.js';

const REDIS_PORT = 6379;
/** How often a command follows a key that has moved. */
const MAX_REDIRECTIONS = 5;
/** Milliseconds between two looks at the map of the cluster. */
const MAP_INTERVAL_MS = 500;
/** Nodes that are asked for the map at the same time. */
const ASKED_AT_ONCE = 3;

/** A master and the connection to it. */
interface Node {
  readonly endpoint: Endpoint;
  readonly connection: Connection;
}

/** From slot, to slot, master, replicas: a line of CLUSTER SLOTS. */
type SlotRange = readonly [from: number, to: number, master: readonly [host: string | null, port: number]];

/**
 * The masters of a cluster, each with a connection of its own. The map of slots is read at the first command and again,
 * in the background, when a key has moved or a node is away. Routing is ours and not the client's, whose commands wait for
 * a node that is away and which learns of a failover only from the other nodes' redirections.
 */
export class ClusterLink implements RedisLink {
  readonly #seeds: readonly Endpoint[];
  readonly #options: RedisConnectionOptions;
  readonly #nodes = new Map<string, Node>();
  #slots: (Node | undefined)[] = [];
  /** The reading of the map that is under way. */
  #reading: Promise<void> | undefined;
  /** Why the map could not be read, until it could. */
  #failure: { readonly reason: unknown } | undefined;
  #readAt = -Infinity;
  #cancelTimer: (() => void) | undefined;
  readonly #ended = new AbortController();
  readonly #leaving = new Set<Promise<void>>();

  constructor(cluster: RedisClusterOptions, options: RedisConnectionOptions) {
    this.#seeds = cluster.nodes.map((node) => parseEndpoint(node, REDIS_PORT));
    this.#options = options;
  }

  async send(key: string, args: RedisArgument[], options?: ReplyOptions): Promise<unknown> {
    const slot = slotOf(key);
    let node = await this.#nodeFor(slot);
    let asking = false;
    for (let redirections = 0; ; redirections++) {
      try {
        return await (asking
          ? node.connection.sendAsking(args, options)
          : node.connection.send(key, args, options));
      } catch (error) {
        const redirection = redirectionOf(error);
        if (redirection === undefined || redirections === MAX_REDIRECTIONS) {
          if (!isErrorReply(error)) this.#readSoon();
          throw error;
        }
        node = this.#nodeAt(elsewhere(node.endpoint, redirection.address));
        asking = redirection.asking;
        if (!asking) {
          this.#slots[slot] = node;
          this.#readSoon();
        }
      }
    }
  }

  group(keys: readonly string[]): readonly (readonly string[])[] {
    return groupBySlot(keys);
  }

  async servers(): Promise<readonly Send[]> {
    await this.#nodeFor(0);
    return [...this.#nodes.values()].map(
      ({ connection }): Send =>
        (args, options) =>
          connection.send('', args, options),
    );
  }

  relocate(): void {
    this.#readSoon();
  }

  async close(): Promise<void> {
    this.#ended.abort(new Error('The redis backend is closed.'));
    this.#cancelTimer?.();
    for (const node of this.#nodes.values()) this.#leave(node);
    await Promise.all(this.#leaving);
  }

  async #nodeFor(slot: number): Promise<Node> {
    this.#ended.signal.throwIfAborted();
    if (this.#slots.length === 0) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      await this.#read();
    }
    const node = this.#slots[slot];
    if (node === undefined) {
      this.#readSoon();
      throw new Error(`No node of the Redis cluster serves slot ${slot}.`);
    }
    return node;
  }

  #nodeAt(endpoint: Endpoint): Node {
    const address = addressOf(endpoint);
    let node = this.#nodes.get(address);
    if (node === undefined) {
      this.#ended.signal.throwIfAborted();
      node = { endpoint, connection: new Connection(() => endpoint, this.#options) };
      this.#nodes.set(address, node);
    }
    return node;
  }

  /** Reads the map in the background, now or when the interval is over. */
  #readSoon(): void {
    if (this.#cancelTimer !== undefined || this.#ended.signal.aborted) return;
    const wait = this.#readAt + MAP_INTERVAL_MS - systemClock.monotonic();
    this.#cancelTimer = systemClock.after(Math.max(0, wait), () => {
      this.#cancelTimer = undefined;
      this.#read().catch(() => undefined); // Kept for the commands to come.
    });
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readMap().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readMap(): Promise<void> {
    try {
      const [endpoint, ranges] = await this.#askForMap().finally(() => {
        this.#readAt = systemClock.monotonic();
      });
      this.#ended.signal.throwIfAborted();
      this.#take(endpoint, ranges);
      this.#failure = undefined;
    } catch (reason) {
      this.#failure = { reason };
      if (!(reason instanceof PeerMissingError)) this.#readSoon();
      throw reason;
    }
  }

  /** Any node knows the map: some are asked side by side, in random order, until one answers. */
  async #askForMap(): Promise<readonly [Endpoint, readonly SlotRange[]]> {
    const { tls, connectTimeoutMs } = this.#options;
    const known = new Map(
      [...this.#seeds, ...[...this.#nodes.values()].map(({ endpoint }) => endpoint)].map((one) => [
        addressOf(one),
        one,
      ]),
    );
    const endpoints = [...known.values()].sort(() => Math.random() - 0.5);
    let cause: unknown;
    for (let at = 0; at < endpoints.length; at += ASKED_AT_ONCE) {
      const answered = new AbortController();
      const signal = AbortSignal.any([this.#ended.signal, answered.signal]);
      const questions = endpoints.slice(at, at + ASKED_AT_ONCE).map(async (endpoint) => {
        const ranges = await ask(endpoint, ['CLUSTER', 'SLOTS'], tls, connectTimeoutMs, signal);
        return [endpoint, ranges as readonly SlotRange[]] as const;
      });
      try {
        return await Promise.any(questions);
      } catch (error) {
        cause = (error as AggregateError).errors[0];
        if (cause instanceof PeerMissingError) throw cause;
      } finally {
        answered.abort();
      }
    }
    throw new Error(`None of ${endpoints.length} nodes told where the slots of the Redis cluster are.`, {
      cause,
    });
  }

  #take(from: Endpoint, ranges: readonly SlotRange[]): void {
    const slots: (Node | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
    const masters = new Set<Node>();
    for (const [first, last, [host, port]] of ranges) {
      const node = this.#nodeAt(elsewhere(from, `${host ?? ''}:${port}`));
      masters.add(node);
      slots.fill(node, first, last + 1);
    }
    this.#slots = slots;
    for (const [address, node] of this.#nodes) {
      if (masters.has(node)) continue;
      this.#nodes.delete(address);
      this.#leave(node);
    }
  }

  #leave({ connection }: Node): void {
    const left = connection.close().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }
}

/** Where the server says that the key is: `MOVED 3999 127.0.0.1:6381`, or ASK while it is moving. */
function redirectionOf(error: unknown): { readonly address: string; readonly asking: boolean } | undefined {
  const match = isErrorReply(error) ? /^(MOVED|ASK) \d+ (\S*:\d+)/.exec(error.message) : null;
  return match === null ? undefined : { address: match[2]!, asking: match[1] === 'ASK' };
}
