import { NotANumberError, NumberOutOfRangeError } from '../errors.js';
import type { BackendWrite, CompleteBackend, Payload } from './cache-backend.js';
import { BorrowedLink } from './redis/borrowed-link.js';
import { ClusterLink } from './redis/cluster-link.js';
import { Connection } from './redis/connection.js';
import { parseEndpoint } from './redis/endpoint.js';
import { AS_BYTES, isErrorReply, type RedisArgument, type RedisLink } from './redis/link.js';
import type { RedisBackendOptions } from './redis/options.js';
import { decode, encode } from './redis/payload.js';
import { scan } from './redis/scan.js';
import { COMPARE_AND_DELETE, COMPARE_AND_SET, INCREMENT, PERSIST, type Script } from './redis/scripts.js';
import { locateBySentinel } from './redis/sentinel.js';

export type * from './redis/options.js';
export type { BorrowedClient, ClusterClient, SentinelClient, SingleClient } from './redis/borrowed-link.js';

const REDIS_PORT = 6379;
/** Answers of PTTL that are not milliseconds. */
const LASTING = -1;

/**
 * Redis 4 or later, Valkey, and what speaks as they do: one server, a cluster, a master behind Sentinel, or a client of
 * the application's. Needs the package `@keyv/redis`.
 *
 * One connection per server, from the first operation on. While a server is away its operations fail at once, and the
 * connection is back within a second after the server is. Integers are kept as digits, so that other programs can count
 * along. `clear` and `keys` look at every key of the database, in steps; they are for the background.
 */
export class RedisBackend implements CompleteBackend {
  readonly name = 'redis';
  readonly capabilities = {
    atomicity: 'shared',
    shared: true,
    lists: true,
    holdsObjects: false,
    ordered: true,
    stores: true,
  } as const;

  readonly #link: RedisLink;

  constructor(options: RedisBackendOptions) {
    this.#link = createLink(options);
  }

  async get(key: string): Promise<Payload | undefined> {
    const stored = (await this.#link.send(key, ['GET', key], AS_BYTES)) as Buffer | null;
    return stored === null ? undefined : decode(stored);
  }

  async set(key: string, payload: Payload, ttlMs: number | null): Promise<void> {
    try {
      await this.#write(key, setCommand(key, payload, ttlMs));
    } catch (error) {
      // What was there before must not outlive the write that was to replace it.
      if (isErrorReply(error)) await this.deleteMany([key]).catch(() => 0);
      throw error;
    }
  }

  async delete(key: string): Promise<boolean> {
    return (await this.#write(key, ['UNLINK', key])) === 1;
  }

  async ttl(key: string): Promise<number | null | undefined> {
    const left = (await this.#link.send(key, ['PTTL', key])) as number;
    if (left === LASTING) return null;
    return left > 0 ? left : undefined;
  }

  async add(key: string, payload: Payload, ttlMs: number | null): Promise<boolean> {
    return (await this.#write(key, [...setCommand(key, payload, ttlMs), 'NX'])) !== null;
  }

  async increment(
    key: string,
    delta: number,
    initial: number | undefined,
    ttlMs: number | null,
  ): Promise<number | undefined> {
    const start = initial === undefined ? '' : String(initial + delta);
    const reply = await this.#run(INCREMENT, key, [String(delta), start, lifeArgument(ttlMs)]);
    if (reply === 'TYPE') throw new NotANumberError();
    if (reply === 'RANGE') throw new NumberOutOfRangeError();
    return reply === null ? undefined : Number(reply);
  }

  async touch(key: string, ttlMs: number | null): Promise<boolean> {
    const touched =
      ttlMs === null
        ? await this.#run(PERSIST, key, [])
        : await this.#write(key, ['PEXPIRE', key, String(ttlMs)]);
    return touched === 1;
  }

  async compareAndSet(
    key: string,
    expected: Payload,
    payload: Payload,
    ttlMs: number | null,
  ): Promise<boolean> {
    const args = [encode(expected), encode(payload), lifeArgument(ttlMs)];
    return (await this.#run(COMPARE_AND_SET, key, args)) === 1;
  }

  async compareAndDelete(key: string, expected: Payload): Promise<boolean> {
    return (await this.#run(COMPARE_AND_DELETE, key, [encode(expected)])) === 1;
  }

  getMany(keys: readonly string[]): Promise<(Payload | undefined)[]> {
    if (keys.length === 0) return Promise.resolve([]);
    const groups = this.#link.group(keys);
    return groups.length === 1 ? this.#getGroup(keys) : this.#getGroups(keys, groups);
  }

  async #getGroups(
    keys: readonly string[],
    groups: readonly (readonly string[])[],
  ): Promise<(Payload | undefined)[]> {
    const found = new Map<string, Payload | undefined>();
    await Promise.all(
      groups.map(async (group) => {
        const payloads = await this.#getGroup(group);
        group.forEach((key, index) => found.set(key, payloads[index]));
      }),
    );
    return keys.map((key) => found.get(key));
  }

  async setMany(writes: readonly BackendWrite[]): Promise<string[]> {
    const outcomes = await Promise.allSettled(
      writes.map(({ key, payload, ttlMs }) => this.#write(key, setCommand(key, payload, ttlMs))),
    );
    const refused: string[] = [];
    outcomes.forEach((outcome, index) => {
      if (outcome.status === 'fulfilled') return;
      if (!isErrorReply(outcome.reason)) throw outcome.reason;
      refused.push(writes[index]!.key);
    });
    // A server that takes no deletion either (a replica, a disk that is full) has refused nothing one by one.
    if (refused.length > 0) await this.deleteMany(refused);
    return refused;
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    const [first] = keys;
    if (first === undefined) return 0;
    const counts = await Promise.all(
      this.#link.group(keys).map((group) => this.#write(group[0]!, ['UNLINK', ...group]) as Promise<number>),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async *keys(prefix: string): AsyncGenerator<string, void, undefined> {
    for (const send of await this.#link.servers()) {
      for await (const page of scan(send, prefix)) yield* page;
    }
  }

  async clear(prefix: string): Promise<void> {
    const servers = await this.#link.servers();
    await Promise.all(
      servers.map(async (send) => {
        for await (const page of scan(send, prefix)) await this.deleteMany(page);
      }),
    );
  }

  async time(): Promise<number> {
    const [seconds, micros] = (await this.#link.send('', ['TIME'])) as [string, string];
    return Number(seconds) * 1000 + Number(micros) / 1000;
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  #getGroup(keys: readonly string[]): Promise<(Payload | undefined)[]> {
    return this.#link.send(keys[0]!, ['MGET', ...keys], AS_BYTES).then(decodeAll);
  }

  #run(script: Script, key: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.#reconsider(script.run(this.#link, key, args));
  }

  #write(key: string, args: RedisArgument[]): Promise<unknown> {
    return this.#reconsider(this.#link.send(key, args));
  }

  /** A server that has become a replica, after a failover, refuses writes: the next command looks for the new master. */
  async #reconsider(written: Promise<unknown>): Promise<unknown> {
    try {
      return await written;
    } catch (error) {
      if (isErrorReply(error) && error.message.includes('READONLY')) this.#link.relocate(error);
      throw error;
    }
  }
}

function createLink({ url, client, cluster, sentinel, ...connection }: RedisBackendOptions): RedisLink {
  if (client !== undefined) return new BorrowedLink(client);
  if (cluster !== undefined) return new ClusterLink(cluster, connection);
  if (sentinel !== undefined) return new Connection(locateBySentinel(sentinel, connection), connection);
  const endpoint = parseEndpoint(url ?? '', REDIS_PORT);
  return new Connection(() => endpoint, connection);
}

function setCommand(key: string, payload: Payload, ttlMs: number | null): RedisArgument[] {
  return ttlMs === null ? ['SET', key, encode(payload)] : ['SET', key, encode(payload), 'PX', String(ttlMs)];
}

/** What MGET answers. */
function decodeAll(reply: unknown): (Payload | undefined)[] {
  return (reply as readonly (Buffer | null)[]).map((stored) =>
    stored === null ? undefined : decode(stored),
  );
}

/** A life as an argument of a script. */
function lifeArgument(ttlMs: number | null): string {
  return ttlMs === null ? '' : String(ttlMs);
}
