import type * as Redis from '@keyv/redis';
import type { RedisClientType } from '@keyv/redis';
import { importPeer } from '../import-peer.js';
import type { Endpoint } from './endpoint.js';
import type { RedisArgument, ReplyOptions } from './link.js';
import type { RedisTlsOptions } from './options.js';

/** What we use of a node-redis client. */
export interface Client {
  /** Whether it connects or is connected. */
  readonly isOpen: boolean;
  /** Whether commands reach the server. */
  readonly isReady: boolean;
  connect(): Promise<unknown>;
  sendCommand(args: RedisArgument[], options?: ReplyOptions): Promise<unknown>;
  /** Waits for what is under way. */
  close(): Promise<void>;
  /** Fails what is under way. Throws if the client is not open. */
  destroy(): void;
  on(event: 'connect' | 'error', listener: (error: Error) => void): unknown;
}

/** node-redis builds a class of all commands for each new set of options, which takes 20 ms; copies of a client share it. */
let template: RedisClientType | undefined;

/** The package that the connection stands on. @throws PeerMissingError if it is not installed */
export function importRedis(): Promise<typeof Redis> {
  return importPeer('@keyv/redis', 'The redis backend', () => import('@keyv/redis'));
}

/**
 * A client for one server, not yet connected, which neither queues commands while it is away nor connects by itself:
 * both would leave calls pending for as long as the server is away. The signal cuts the socket, also while it connects,
 * when `destroy()` does not reach it yet.
 */
export async function createClient(
  endpoint: Endpoint,
  tls: RedisTlsOptions | undefined,
  connectTimeoutMs: number,
  signal: AbortSignal,
): Promise<Client> {
  const redis = await importRedis();
  template ??= redis.createClient({
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
  }) as RedisClientType;
  const { host, port, username, password, database } = endpoint;
  const socket = { host, port, signal, connectTimeout: connectTimeoutMs, reconnectStrategy: false as const };
  const client = template.duplicate({
    socket: endpoint.tls ? { ...socket, ...tls, tls: true } : socket,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
  });
  // Without a listener an outage would end the process; it shows in the operations that fail.
  client.on('error', () => undefined);
  return client;
}

/** Asks one server one thing over a connection of its own, within the time for a connection. */
export async function ask(
  endpoint: Endpoint,
  args: RedisArgument[],
  tls: RedisTlsOptions | undefined,
  connectTimeoutMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(connectTimeoutMs)]);
  const client = await createClient(endpoint, tls, connectTimeoutMs, limit);
  try {
    await client.connect();
    return await client.sendCommand(args);
  } finally {
    if (client.isOpen) client.destroy();
  }
}
