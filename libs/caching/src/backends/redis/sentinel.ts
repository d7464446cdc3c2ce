import { ask } from './client.js';
import type { Locate } from './connection.js';
import { parseEndpoint, type Endpoint } from './endpoint.js';
import type { RedisConnectionOptions, RedisSentinelOptions } from './options.js';

const SENTINEL_PORT = 26_379;

/** Finds the master: the sentinels are asked side by side and the first that knows it is believed. */
export function locateBySentinel(sentinel: RedisSentinelOptions, options: RedisConnectionOptions): Locate {
  const sentinels = sentinel.nodes.map((node) => parseEndpoint(node, SENTINEL_PORT));
  const { name, username, password, database } = sentinel;
  const credentials = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
  };
  return async (signal) => {
    const found = new AbortController();
    const questions = sentinels.map((endpoint) =>
      masterFrom(endpoint, name, options, AbortSignal.any([signal, found.signal])),
    );
    try {
      const { host, port } = await Promise.any(questions);
      return { host, port, tls: sentinels[0]?.tls ?? false, ...credentials };
    } catch (cause) {
      throw new Error(`None of ${sentinels.length} sentinels told where the master "${name}" is.`, { cause });
    } finally {
      found.abort();
    }
  };
}

async function masterFrom(
  endpoint: Endpoint,
  name: string,
  { tls, connectTimeoutMs }: RedisConnectionOptions,
  signal: AbortSignal,
): Promise<Pick<Endpoint, 'host' | 'port'>> {
  const reply = await ask(
    endpoint,
    ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name],
    tls,
    connectTimeoutMs,
    signal,
  );
  if (!Array.isArray(reply)) throw new Error(`The sentinel knows no master "${name}".`);
  return { host: String(reply[0]), port: Number(reply[1]) };
}
