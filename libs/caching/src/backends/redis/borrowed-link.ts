import { inChunks, type RedisArgument, type RedisLink, type ReplyOptions, type Send } from './link.js';
import { groupBySlot } from './slot.js';

interface Emitter {
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** A client for one server, as `createClient` of node-redis makes it. */
export interface SingleClient extends Emitter {
  readonly isReady: boolean;
  sendCommand(args: RedisArgument[], options?: ReplyOptions): Promise<unknown>;
}

/** A client for a cluster, as `createCluster` of node-redis makes it. */
export interface ClusterClient extends Emitter {
  readonly isOpen: boolean;
  readonly masters: readonly object[];
  nodeClient(master: object): Promise<unknown>;
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: RedisArgument[],
    options?: ReplyOptions,
  ): Promise<unknown>;
}

/** A client for a master behind sentinels, as `createSentinel` of node-redis makes it. */
export interface SentinelClient extends Emitter {
  readonly isReady: boolean;
  getSentinelNode(): unknown;
  sendCommand(
    isReadonly: boolean | undefined,
    args: RedisArgument[],
    options?: ReplyOptions,
  ): Promise<unknown>;
}

/** A node-redis client of the application's. */
export type BorrowedClient = SingleClient | ClusterClient | SentinelClient;

/** A link over a client that the application owns: used as it is, and left open. */
export class BorrowedLink implements RedisLink {
  readonly #client: BorrowedClient;
  #closed = false;

  constructor(client: BorrowedClient) {
    this.#client = client;
    // An application that has not thought of it would end with the first outage.
    client.on('error', ignore);
  }

  send(key: string, args: RedisArgument[], options?: ReplyOptions): Promise<unknown> {
    if (this.#closed) return Promise.reject(new Error('The redis backend is closed.'));
    const client = this.#client;
    // It may queue commands for as long as the server is away.
    if (!isConnected(client)) return Promise.reject(new Error('The given Redis client is not connected.'));
    if (isCluster(client)) return client.sendCommand(key, false, args, options);
    if (isSentinel(client)) return client.sendCommand(false, args, options);
    return client.sendCommand(args, options);
  }

  group(keys: readonly string[]): readonly (readonly string[])[] {
    return isCluster(this.#client) ? groupBySlot(keys) : inChunks(keys);
  }

  async servers(): Promise<readonly Send[]> {
    const client = this.#client;
    if (!isCluster(client)) return [(args, options) => this.send('', args, options)];
    const nodes = await Promise.all(client.masters.map((master) => client.nodeClient(master)));
    return (nodes as SingleClient[]).map(
      (node): Send =>
        (args, options) =>
          node.sendCommand(args, options),
    );
  }

  /** Where the server is, is the client's affair. */
  relocate(): void {}

  close(): Promise<void> {
    if (!this.#closed) this.#client.off('error', ignore);
    this.#closed = true;
    return Promise.resolve();
  }
}

function ignore(): void {}

function isConnected(client: BorrowedClient): boolean {
  return 'isReady' in client ? client.isReady : client.isOpen;
}

function isCluster(client: BorrowedClient): client is ClusterClient {
  return 'masters' in client;
}

function isSentinel(client: BorrowedClient): client is SentinelClient {
  return 'getSentinelNode' in client;
}
