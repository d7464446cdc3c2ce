/**
 * The contract between the engine and whatever keeps the entries. A backend is small and stupid: it gets a final key,
 * a payload and a duration, and says what happened. Naming, encoding, deadlines and failure policy live above it.
 *
 * What every backend promises, and the compliance suite (`nestjs-caching/testing`) proves:
 *
 * 1. A key is final: prefixed, escaped, 1 to 250 bytes of printable ASCII without spaces. It is never edited.
 * 2. A payload comes back as it was: the same bytes (none included), or the same integer.
 * 3. An expired entry is never returned, never counted as present, never revived; it expires when `now >= expiresAt`.
 * 4. A failure is thrown as it is. A backend does not log, retry, swallow, or claim to have stored what it has not.
 * 5. `clear(prefix)` touches nothing but the keys that begin with the prefix.
 * 6. No connection and no timer before the first operation, none after `close()`, which ends even on a dead server.
 * 7. Storage is bounded, and what is known to be expired goes first.
 */

/**
 * What a backend carries: bytes, or a safe integer (never −0). How an integer is kept is the backend's affair, as long
 * as `increment` works on it. A backend that declares `holdsObjects` is given live {@link HeldObject}s as well.
 */
export type Payload = Uint8Array | number;

/** A live object handed to a backend in the same process instead of bytes. It is immutable; keep it by reference. */
export interface HeldObject {
  /** Estimated bytes in memory, for the bound of the backend. */
  readonly size: number;
}

/** An answer at once or later. Every method may give either; the memory backend answers at once. */
export type Awaitable<T> = T | PromiseLike<T>;

/** One write of {@link BulkOperations.setMany}. */
export interface BackendWrite<P = Payload> {
  readonly key: string;
  readonly payload: P;
  /** Whole milliseconds, at least 1; `null` never expires. */
  readonly ttlMs: number | null;
}

/** What a backend can do. Declared, so that nobody has to try; the compliance suite holds it to this. */
export interface BackendCapabilities {
  /**
   * Who sees the {@link AtomicOperations} as one step: every process on the server (`'shared'`), or only callers of this
   * instance (`'process'`). A backend without them is given ones that hold in the process.
   */
  readonly atomicity: 'shared' | 'process';
  /** Whether other processes see what this instance writes. */
  readonly shared: boolean;
  /** Whether `keys(prefix)` is there, and `clear(prefix)` removes what it lists. */
  readonly lists: boolean;
  /** Whether payloads may be {@link HeldObject}s, kept by reference. */
  readonly holdsObjects: boolean;
  /**
   * Whether operations on one key that are issued without waiting take effect in the order in which they were issued, as
   * over a single connection. Default `false`.
   */
  readonly ordered?: boolean;
  /** Whether anything is ever kept; only the null backend says no. */
  readonly stores: boolean;
}

/**
 * What a backend must do. A ttl is whole milliseconds, at least 1, or `null` for ever; the engine turns anything less
 * into a delete.
 */
export interface CacheBackend<P = Payload> extends Partial<AtomicOperations<P>>, Partial<BulkOperations<P>> {
  /** For messages: `redis`, `memory`, … */
  readonly name: string;
  readonly capabilities: BackendCapabilities;

  /** The payload, or `undefined` if the key is absent. */
  get(key: string): Awaitable<P | undefined>;
  /** Stores, over whatever was there. If the payload is refused, the key is absent afterwards and the error says why. */
  set(key: string, payload: P, ttlMs: number | null): Awaitable<void>;
  /** Removes; answers whether the key was present. */
  delete(key: string): Awaitable<boolean>;
  /** Remaining milliseconds, `null` if it never expires, `undefined` if the key is absent. */
  ttl(key: string): Awaitable<number | null | undefined>;
  /** Removes every key that begins with the prefix. A backend that cannot list does nothing. */
  clear(prefix: string): Awaitable<void>;
  /** Gives back connections and timers. May be called twice. Whatever is under way fails. */
  close(): Awaitable<void>;

  /** Every present key that begins with the prefix, in no order. There if `capabilities.lists`. */
  keys?(prefix: string): AsyncIterable<string>;
  /** The server's clock, in milliseconds since 1970. There if the server has one that its expiry goes by. */
  time?(): Awaitable<number>;
  /** Frees what has expired; answers how many entries went. There if expired entries take space. */
  prune?(): Awaitable<number>;
}

/** One step for everybody that `capabilities.atomicity` names. */
export interface AtomicOperations<P = Payload> {
  /** Stores if the key is absent; answers whether it did. */
  add(key: string, payload: P, ttlMs: number | null): Awaitable<boolean>;
  /**
   * Adds to an integer and keeps its life; answers the new number. If the key is absent: starts at `initial + delta`
   * with the given life, or answers `undefined` when `initial` is `undefined`.
   *
   * @throws NotANumberError if the key holds anything but an integer; NumberOutOfRangeError past the safe integers. The
   * entry is unchanged by both.
   */
  increment(
    key: string,
    delta: number,
    initial: number | undefined,
    ttlMs: number | null,
  ): Awaitable<number | undefined>;
  /** Gives a present key a new life, counted from now; answers whether it was present. */
  touch(key: string, ttlMs: number | null): Awaitable<boolean>;
  /** Stores if the key holds exactly `expected`; answers whether it did. */
  compareAndSet(key: string, expected: P, payload: P, ttlMs: number | null): Awaitable<boolean>;
  /** Removes if the key holds exactly `expected`; answers whether it did. */
  compareAndDelete(key: string, expected: P): Awaitable<boolean>;
}

/** Many keys in one round trip, or as few as the server allows. Empty lists ask nothing. */
export interface BulkOperations<P = Payload> {
  /** The payloads in the order of the keys; `undefined` where absent. */
  getMany(keys: readonly string[]): Awaitable<(P | undefined)[]>;
  /** Stores all and answers the keys that were refused one by one. Rejects if the server could not be asked. */
  setMany(writes: readonly BackendWrite<P>[]): Awaitable<string[]>;
  /** Removes all and answers how many were present. */
  deleteMany(keys: readonly string[]): Awaitable<number>;
}

/** A backend with nothing left out; see `cache/complete-backend.ts`. */
export type CompleteBackend<P = Payload> = CacheBackend<P> & AtomicOperations<P> & BulkOperations<P>;
