import type { Clock } from '../clock.js';
import { CachingError, NotANumberError, NumberOutOfRangeError, ValueTooLargeError } from '../errors.js';
import type { BackendCapabilities, BackendWrite, CompleteBackend, Payload } from './cache-backend.js';
import { parseAddress } from './memcached/addresses.js';
import { MemcachedError, MemcachedRefusal } from './memcached/failures.js';
import { decodeFrame, encodeFrame, exptime, itemBytes, OVER_AT_ONCE, type Entry } from './memcached/frame.js';
import { KeyTurns } from './memcached/key-turns.js';
import { MemcachedServer, type Condition, type Stored } from './memcached/server.js';
import { ServerChoice } from './memcached/server-choice.js';

export { parseServers } from './memcached/addresses.js';

/** Fully resolved options of the memcached backend. */
export interface MemcachedBackendOptions {
  /**
   * `host`, `host:port`, `[::1]:port`, `/path/to.sock` or `unix:/path/to.sock`; the port is 11211 if there is none. At
   * least one. Keys are spread over them, so every process must name the same servers in the same words.
   * Default `['127.0.0.1:11211']`.
   */
  readonly servers: readonly string[];
  /** Milliseconds until a server must have accepted a connection. Default 2000; 1 to 60,000. */
  readonly connectTimeoutMs: number;
  /**
   * Milliseconds until a command must be answered completely; after that its connection is dropped. Default 5000; 1 to
   * 600,000.
   */
  readonly socketTimeoutMs: number;
  /**
   * The largest item in bytes, as the servers count it: the key, the payload and 73 bytes. The same as their `-I`; what
   * is larger is refused without being sent. Default 1,048,576 (1 MiB); 1024 to 1,073,741,824.
   */
  readonly maxItemBytes: number;
  readonly clock: Clock;
}

/** What a compare-and-swap loop wants to do with what it found. */
type Change<T> = { readonly answer: T; readonly write?: Entry | 'remove' };

/** Somebody else was faster so many times: then something is wrong with the server rather than with our luck. */
const MAX_ATTEMPTS = 1000;

/**
 * Entries on one or several memcached servers, in the classic text protocol.
 *
 * Lives are exact to the millisecond, and counters are signed: both stand in a frame in front of the payload, and what
 * the server cannot do by itself is done by `gets` and `cas`. The server's own expiry only bounds the life. Items of
 * other programs, and damaged ones, are absent.
 *
 * A server that is away fails the keys that it has; they are not moved to another one, because it would come back with
 * what is outdated by then. An operation on many keys rejects if one of their servers could not be asked.
 */
export class MemcachedBackend implements CompleteBackend {
  readonly name = 'memcached';
  readonly capabilities: BackendCapabilities = {
    atomicity: 'shared',
    shared: true,
    lists: false,
    holdsObjects: false,
    stores: true,
  };
  private readonly servers: readonly MemcachedServer[];
  private readonly choice: ServerChoice;
  private readonly turns = new KeyTurns();
  private readonly clock: Clock;

  /** @throws InvalidOptionsError for something that is not an address; nothing is opened yet */
  constructor(private readonly options: MemcachedBackendOptions) {
    this.clock = options.clock;
    const addresses = new Map(options.servers.map(parseAddress).map((address) => [address.name, address]));
    this.servers = [...addresses.values()].map((address) => new MemcachedServer(address, options));
    this.choice = new ServerChoice([...addresses.keys()]);
  }

  async get(key: string): Promise<Payload | undefined> {
    return (await this.read(key))?.payload;
  }

  async getMany(keys: readonly string[]): Promise<(Payload | undefined)[]> {
    const found = new Map<string, Payload | undefined>();
    const ask = async ([server, mine]: [MemcachedServer, string[]]): Promise<void> => {
      const items = await server.get(mine);
      const now = this.clock.now();
      for (const [key, { data }] of items) found.set(key, present(key, data, now)?.payload);
    };
    await Promise.all([...this.byServer(keys)].map(ask));
    return keys.map((key) => found.get(key));
  }

  /** @throws ValueTooLargeError over `maxItemBytes` or the server's own limit */
  async set(key: string, payload: Payload, ttlMs: number | null): Promise<void> {
    const entry = this.entry(payload, ttlMs);
    const frame = encodeFrame(key, entry);
    try {
      if ((await this.store(key, entry, frame, 'always')) === 'stored') return;
    } catch (error) {
      if (error instanceof MemcachedRefusal) await this.serverOf(key).delete(key);
      throw error;
    }
    await this.serverOf(key).delete(key);
    throw await this.tooLarge(key, frame);
  }

  async setMany(writes: readonly BackendWrite[]): Promise<string[]> {
    const refused: string[] = [];
    const write = async ({ key, payload, ttlMs }: BackendWrite): Promise<void> => {
      try {
        await this.set(key, payload, ttlMs);
      } catch (error) {
        if (!(error instanceof ValueTooLargeError || error instanceof MemcachedRefusal)) throw error;
        refused.push(key);
      }
    };
    await Promise.all(writes.map(write));
    return refused;
  }

  async delete(key: string): Promise<boolean> {
    return (await this.deleteMany([key])) === 1;
  }

  /** Reads and deletes in one round trip: only the read tells whether an item was still alive. */
  async deleteMany(keys: readonly string[]): Promise<number> {
    const remove = async ([server, mine]: [MemcachedServer, string[]]): Promise<number> => {
      const [items, ...deleted] = await Promise.all([
        server.get(mine),
        ...mine.map((key) => server.delete(key)),
      ]);
      const now = this.clock.now();
      const wasPresent = (key: string, index: number): boolean => {
        const item = items.get(key);
        return deleted[index] === true && (item === undefined || present(key, item.data, now) !== undefined);
      };
      return mine.filter(wasPresent).length;
    };
    const counts = await Promise.all([...this.byServer(keys)].map(remove));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async ttl(key: string): Promise<number | null | undefined> {
    const entry = await this.read(key);
    if (entry === undefined || entry.expiresAt === null) return entry && null;
    const left = entry.expiresAt - this.clock.now();
    return left > 0 ? left : undefined;
  }

  async add(key: string, payload: Payload, ttlMs: number | null): Promise<boolean> {
    const write = this.entry(payload, ttlMs);
    const stored = await this.store(key, write, encodeFrame(key, write), 'absent');
    if (stored === 'stored') return true;
    return this.change(key, (found) => (found === undefined ? { answer: true, write } : { answer: false }));
  }

  async increment(
    key: string,
    delta: number,
    initial: number | undefined,
    ttlMs: number | null,
  ): Promise<number | undefined> {
    return this.change(key, (found) => {
      if (found === undefined && initial === undefined) return { answer: undefined };
      const before = found === undefined ? initial : found.payload;
      if (typeof before !== 'number') throw new NotANumberError();
      const answer = before + delta + 0; // never −0
      if (!Number.isSafeInteger(answer)) throw new NumberOutOfRangeError();
      return {
        answer,
        write: found === undefined ? this.entry(answer, ttlMs) : { ...found, payload: answer },
      };
    });
  }

  /** Writes the payload again: a life stands in the frame, and the server's own `touch` cannot compare. */
  async touch(key: string, ttlMs: number | null): Promise<boolean> {
    return this.change(key, (found) =>
      found === undefined ? { answer: false } : { answer: true, write: this.entry(found.payload, ttlMs) },
    );
  }

  /** @throws ValueTooLargeError, with the key absent then, if it holds `expected` */
  async compareAndSet(
    key: string,
    expected: Payload,
    payload: Payload,
    ttlMs: number | null,
  ): Promise<boolean> {
    return this.change(key, (found) =>
      found !== undefined && isSame(found.payload, expected)
        ? { answer: true, write: this.entry(payload, ttlMs) }
        : { answer: false },
    );
  }

  async compareAndDelete(key: string, expected: Payload): Promise<boolean> {
    return this.change(key, (found) =>
      found !== undefined && isSame(found.payload, expected)
        ? { answer: true, write: 'remove' }
        : { answer: false },
    );
  }

  /** Does nothing: a server cannot list keys, and `flush_all` would empty it for everybody. */
  async clear(): Promise<void> {
    for (const server of this.servers) server.ensureOpen();
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close()));
  }

  /** Decides about what is there and writes only if it is still there then; as often as it takes. */
  private change<T>(key: string, decide: (found: Entry | undefined) => Change<T>): Promise<T> {
    return this.turns.run(key, () => this.compareAndSwap(key, decide), isOutage);
  }

  private async compareAndSwap<T>(key: string, decide: (found: Entry | undefined) => Change<T>): Promise<T> {
    const server = this.serverOf(key);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const item = await server.gets(key);
      const { answer, write } = decide(item && present(key, item.data, this.clock.now()));
      if (write === undefined) return answer;
      const condition: Condition = item === undefined ? 'absent' : item;
      if (write === 'remove') {
        if (await this.remove(key, condition)) return answer;
        continue;
      }
      const frame = encodeFrame(key, write);
      const stored = await this.store(key, write, frame, condition);
      if (stored === 'stored') return answer;
      if (stored === 'too large' && (await this.remove(key, condition)))
        throw await this.tooLarge(key, frame);
    }
    throw new MemcachedError(server.name, `let somebody else write first ${MAX_ATTEMPTS} times in a row`);
  }

  /** Takes away exactly this item; the protocol's `delete` cannot compare, a write that is over at once can. */
  private async remove(key: string, condition: Condition): Promise<boolean> {
    if (condition === 'absent') return true;
    return (await this.serverOf(key).store(key, new Uint8Array(), OVER_AT_ONCE, condition)) === 'stored';
  }

  private async store(
    key: string,
    { expiresAt }: Entry,
    frame: Buffer,
    condition: Condition,
  ): Promise<Stored> {
    if (itemBytes(key, frame) > this.options.maxItemBytes) return 'too large';
    return this.serverOf(key).store(key, frame, exptime(expiresAt, this.clock.now()), condition);
  }

  private async tooLarge(key: string, frame: Buffer): Promise<ValueTooLargeError> {
    const size = itemBytes(key, frame);
    const { maxItemBytes } = this.options;
    const limit = size > maxItemBytes ? maxItemBytes : await this.serverOf(key).itemSizeMax();
    return new ValueTooLargeError(size, limit ?? maxItemBytes);
  }

  private async read(key: string): Promise<Entry | undefined> {
    const item = (await this.serverOf(key).get([key])).get(key);
    return item && present(key, item.data, this.clock.now());
  }

  private entry(payload: Payload, ttlMs: number | null): Entry {
    return { payload, expiresAt: ttlMs === null ? null : this.clock.now() + ttlMs };
  }

  private serverOf(key: string): MemcachedServer {
    return this.servers[this.choice.indexOf(key)] as MemcachedServer;
  }

  /** The keys of each server, every key once. */
  private byServer(keys: readonly string[]): Map<MemcachedServer, string[]> {
    const groups = new Map<MemcachedServer, string[]>();
    for (const key of new Set(keys)) {
      const server = this.serverOf(key);
      const group = groups.get(server);
      if (group === undefined) groups.set(server, [key]);
      else group.push(key);
    }
    return groups;
  }
}

/** The entry of an item, if it is ours and has not expired. */
function present(key: string, data: Buffer, now: number): Entry | undefined {
  const entry = decodeFrame(key, data);
  return entry === undefined || (entry.expiresAt !== null && now >= entry.expiresAt) ? undefined : entry;
}

function isSame(found: Payload, expected: Payload): boolean {
  if (typeof found === 'number' || typeof expected === 'number') return found === expected;
  return Buffer.compare(found, expected) === 0;
}

/** Whether the server could not be asked; otherwise it is alive and one thing was refused. */
function isOutage(error: unknown): boolean {
  return !(error instanceof CachingError || error instanceof MemcachedRefusal);
}
