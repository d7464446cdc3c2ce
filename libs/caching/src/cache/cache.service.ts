import { type Ttl, ttlToMs } from '../duration.js';
import { CacheClosedError, MissingKeyError } from '../errors.js';
import type { ResolvedCacheOptions } from '../resolve-options.js';
import {
  asOptions,
  assertCounterSteps,
  type BatchFactory,
  type Factory,
  type GetOptions,
  type GetOrSetOptions,
  type IncrementOptions,
  type InvalidateOptions,
  type LockOptions,
  lockTerms,
  type ReadOptions,
  type SetOptions,
  type VersionOptions,
  versionOf,
} from './cache-service.options.js';
import type { CacheStatistics } from './counters.js';
import type { Engine } from './engine.js';
import type { Found } from './entries.js';
import { explainKey } from './explain.js';
import type { Explanation } from './explanation.js';
import { isPromise } from './failure-policy.js';
import { assertVersion, checkedKey, escapeKey, type Keys, unescapeKey, uniqueKeys } from './keys.js';
import { Listing } from './listing.js';
import { type Lock, Locks } from './locks.js';
import { PresentEntries } from './present-entries.js';
import { noteRead } from './tag-scope.js';
import { checkedTags } from './tags.js';
import { ValueLoads } from './value-loads.js';
import { ValueReads } from './value-reads.js';
import { keptIn, type KeptValue, valueOf } from './values.js';
import { Writes } from './writes.js';

/**
 * The low-level API of one cache. Inject it as `CacheService` (the default cache) or with `@InjectCache('name')`.
 *
 * Every method takes any string as a key. A missing key reads as `undefined`; `null` is a value. Values are snapshots:
 * what comes out is deep-frozen and shared, what goes in is copied first.
 *
 * An entry is present while it is fresh and none of its tags was invalidated; only {@link getOrSet} and
 * {@link getOrSetMany} use stale windows.
 *
 * When the backend fails, reads answer as if the cache were empty; all else rejects with a `BackendError`, unless the
 * cache has `onError: 'ignore'`.
 *
 * A ttl is **milliseconds** or `'250ms'`, `'30s'`, `'15m'`, `'12h'`, `'7d'`; `null` never expires, 0 or less does not keep;
 * left out, it is the `ttl` of the cache (15 minutes). A `version` that is left out is that of the cache (1).
 *
 * Every method throws `InvalidKeyError` for a key or a version that is none, `InvalidDurationError` for a duration that is
 * none, and `CacheClosedError` after the application has shut down; with a list of keys also `InvalidArgumentError` for one
 * string in its place.
 */
export class CacheService {
  /** The name that this cache was configured under. */
  readonly name: string;
  private readonly loads: ValueLoads;
  private readonly writes: Writes<KeptValue>;
  private readonly present: PresentEntries<KeptValue>;
  private readonly reads: ValueReads;
  private readonly locks: Locks;
  private readonly listing: Listing<KeptValue>;
  private isClosed = false;

  /** @internal Made by the module. */
  constructor(
    private readonly engine: Engine,
    private readonly options: ResolvedCacheOptions,
  ) {
    const { name, entries, policy, loader } = engine;
    this.name = name;
    this.reads = new ValueReads(entries, options);
    this.loads = new ValueLoads(engine, options, this.reads);
    this.writes = new Writes(this.reads.codec, entries, policy, loader, this.reads.changing);
    this.present = new PresentEntries(this.reads.codec, entries, policy);
    this.locks = new Locks(engine);
    this.listing = new Listing(this.reads.codec, engine);
  }

  /** What this cache has counted since it was opened, in this process. */
  get statistics(): CacheStatistics {
    return this.engine.entries.counters.snapshot();
  }

  /** The value, or `default`: as without one in all else. */
  get<T>(key: string, options: GetOptions<T> & { readonly default: T }): Promise<T>;
  /**
   * The value, or `default`, or `undefined`: frozen and shared, or with `copy` a private one. Does not use stale windows.
   * (Django: `get`)
   */
  get<T>(key: string, options?: GetOptions<T>): Promise<T | undefined>;
  get<T>(key: string, options?: GetOptions<T>): Promise<T | undefined> {
    try {
      const found = this.reads.one(this.checked(key), this.version(options));
      if (isPromise(found)) return Promise.resolve(found.then((later) => this.answer<T>(later, options)));
      return Promise.resolve(this.answer<T>(found, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Stores, over whatever was there, and wins over loads of the key that are under way. (Django: `set`)
   *
   * @param options a ttl, or ttl, tags, stale windows and version
   * @throws UnserializableValueError; ValueTooLargeError, and the key is absent then; InvalidArgumentError for tags that are
   * none; BackendError, and the change is made up for when the backend is back
   */
  async set(key: string, value: unknown, options?: Ttl | SetOptions): Promise<void> {
    const life = this.loads.life(options);
    const write = { segments: this.segments(key), made: this.loads.made(value) };
    await this.writes.set(write, this.version(asOptions(options)), life);
  }

  /**
   * Stores if the key is absent; answers whether it was. Atomic across processes, on keyv within one. With a ttl of 0 or
   * less it stores nothing and answers all the same. (Django: `add`)
   *
   * @throws as {@link set}
   */
  async add(key: string, value: unknown, options?: Ttl | SetOptions): Promise<boolean> {
    const life = this.loads.life(options);
    const made = this.loads.made(value);
    const version = this.version(asOptions(options));
    if (life.ttlMs !== null && life.ttlMs <= 0) return !(await this.has(key, { version }));
    return this.writes.add({ segments: this.segments(key), made }, version, life);
  }

  /**
   * The value; on a miss the factory makes it, once for all who ask meanwhile, in this process and, by a lease, in all
   * others. A miss answers what a hit will answer: the stored snapshot. A factory's `undefined` is answered and not
   * stored. If only the write fails, or an invalidation came during the load, the value is answered and not stored.
   *
   * Never fails because of the backend: then it loads. (Django: `get_or_set`, which has no flight)
   *
   * @param options a ttl, or also tags, stale windows, `timeout`, `softTimeout`, `errorTtl`, `signal`, `copy`, version
   * @throws whatever the factory throws, to everybody who waits and for `errorTtl` (1 s) to all who ask; LoadTimeoutError,
   * LoadCycleError, TooManyLoadsError, UnserializableValueError; the reason of the `signal`
   */
  getOrSet<T>(key: string, factory: Factory<T>, options?: Ttl | GetOrSetOptions): Promise<T> {
    try {
      const version = this.version(asOptions(options));
      this.checked(key);
      if (this.reads.answerAtOnce && typeof factory === 'function') {
        const found = this.reads.one(key, version);
        if (found !== undefined && !isPromise(found))
          return Promise.resolve(this.answer<T>(found, asOptions(options)) as T);
      }
      return this.loads.one({ key, segments: escapeKey(key) }, version, factory, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * As {@link getOrSet} for many keys: one look at all of them, and one run of the factory for those that are missing and
   * that nobody else is loading. The answer has the caller's keys; what the factory leaves out is not in it. (Django: none)
   *
   * @throws as {@link getOrSet}: what fails for one key fails the call
   */
  async getOrSetMany<T>(
    keys: Keys,
    factory: BatchFactory<T>,
    options?: Ttl | GetOrSetOptions,
  ): Promise<Map<string, T>> {
    const sorted = uniqueKeys(keys).sort();
    const asked = sorted.map((key) => ({ key, segments: this.segments(key) }));
    return this.loads.many(asked, this.version(asOptions(options)), factory, options);
  }

  /** Whether the key is present, `null` included; `false` while the backend is away. (Django: `has_key`) */
  async has(key: string, options?: VersionOptions): Promise<boolean> {
    return (await this.reads.one(this.checked(key), this.version(options))) !== undefined;
  }

  /**
   * Removes, and wins over loads of the key that are under way; answers whether the key was present, which an expired one is
   * not. (Django: `delete`)
   *
   * @throws BackendError, and the change is made up for when the backend is back
   */
  async delete(key: string, options?: VersionOptions): Promise<boolean> {
    return this.writes.delete(this.segments(key), this.version(options));
  }

  /**
   * Gives a present entry a new life, counted from now; answers whether it was present. Never revives what has expired; 0 or
   * less removes. (Django: `touch`)
   *
   * @param ttl default: the `ttl` of the cache
   * @throws BackendError
   */
  async touch(key: string, ttl: Ttl = this.options.ttlMs, options?: VersionOptions): Promise<boolean> {
    const ttlMs = ttlToMs(ttl);
    if (ttlMs !== null && ttlMs <= 0) return this.delete(key, options);
    return this.reads.changing(() => this.present.touch(this.segments(key), this.version(options), ttlMs));
  }

  /** Lets a present entry live for ever; answers whether it was present. (django-redis: `persist`) @throws BackendError */
  persist(key: string, options?: VersionOptions): Promise<boolean> {
    return this.touch(key, null, options);
  }

  /** Remaining milliseconds, `null` for a life without end, `undefined` if the key is absent. (django-redis: `pttl`) */
  async ttl(key: string, options?: VersionOptions): Promise<number | null | undefined> {
    return this.present.ttl(this.segments(key), this.version(options));
  }

  /**
   * The present ones, under the caller's keys, in one round trip, and one more if they have tags; an empty Map while the
   * backend is away. (Django: `get_many`)
   */
  async getMany<T>(keys: Keys, options?: ReadOptions): Promise<Map<string, T>> {
    const asked = uniqueKeys(keys);
    const segments = asked.map((key) => this.segments(key));
    const found = await this.reads.many(segments, this.version(options));
    const values = new Map<string, T>();
    found.forEach((entry, index) => {
      const value = this.answer<T>(entry, options);
      if (value !== undefined) values.set(asked[index]!, value);
    });
    return values;
  }

  /**
   * Stores many in one round trip, with one life for all; answers the keys that were refused one by one, for their size, and
   * that are absent then. (Django: `set_many`)
   *
   * @throws UnserializableValueError, before anything is stored; BackendError, and the changes are made up for
   */
  async setMany(
    values: Iterable<readonly [string, unknown]> | Readonly<Record<string, unknown>>,
    options?: Ttl | SetOptions,
  ): Promise<string[]> {
    const life = this.loads.life(options);
    const version = this.version(asOptions(options));
    const pairs = Symbol.iterator in values ? [...values] : Object.entries(values);
    const made = pairs.map(([key, value]) => ({
      key,
      segments: this.segments(key),
      made: this.loads.made(value),
    }));
    const writes = new Map(made.map((each) => [each.segments, each]));
    if (writes.size === 0) return [];
    if (life.ttlMs !== null && life.ttlMs <= 0) {
      await this.writes.deleteMany([...writes.keys()], version);
      return [];
    }
    const refused = await this.writes.setMany([...writes.values()], version, life);
    return refused.map((segments) => writes.get(segments)?.key ?? segments);
  }

  /** {@link delete} for many, in one round trip; answers how many were present. (Django: `delete_many`) @throws BackendError */
  async deleteMany(keys: Keys, options?: VersionOptions): Promise<number> {
    const segments = uniqueKeys(keys).map((key) => this.segments(key));
    return segments.length === 0 ? 0 : this.writes.deleteMany(segments, this.version(options));
  }

  /**
   * Adds to a counter and keeps its life, atomically; answers the new number. (Django: `incr`)
   *
   * @param delta a safe integer, negative ones too; default 1
   * @param options `initial`, where an absent counter starts, and the ttl that it has then
   * @throws MissingKeyError without `initial`; NotANumberError; NumberOutOfRangeError; BackendError whatever `onError` says
   */
  async increment(key: string, delta = 1, options?: IncrementOptions): Promise<number> {
    const { ttlMs } = this.loads.life(options);
    const initial = options?.initial;
    assertCounterSteps(delta, initial);
    const isKept = ttlMs === null || ttlMs > 0;
    const [start, life] = isKept ? [initial, ttlMs] : [undefined, null];
    const bump = () => this.present.increment(this.segments(key), this.version(options), delta, start, life);
    const sum = await this.reads.changing(bump);
    if (sum !== undefined) return sum;
    if (initial === undefined) throw new MissingKeyError();
    return initial + delta;
  }

  /** {@link increment} with the sign turned. (Django: `decr`) */
  decrement(key: string, delta = 1, options?: IncrementOptions): Promise<number> {
    return this.increment(key, -delta, options);
  }

  /**
   * Moves a present entry to a later version and keeps its remaining life; answers the new version. (Django:
   * `incr_version`, which begins a new life)
   *
   * @param delta a safe integer, negative ones too; default 1
   * @throws MissingKeyError; InvalidKeyError if the new version would be none; BackendError whatever `onError` says
   */
  async incrementVersion(key: string, delta = 1, options?: VersionOptions): Promise<number> {
    const from = this.version(options);
    const to = from + delta;
    assertVersion(to);
    const move = () => this.present.moveVersion(this.segments(key), from, to);
    if (to !== from) await this.reads.changing(move);
    return to;
  }

  /** {@link incrementVersion} with the sign turned. (Django: `decr_version`) */
  decrementVersion(key: string, delta = 1, options?: VersionOptions): Promise<number> {
    return this.incrementVersion(key, -delta, options);
  }

  /**
   * Makes every entry with any of these tags absent: at constant cost, seen at once by every process, and by loads that
   * are under way. With `soft` it makes them stale instead. Change the data first. (Django: none)
   *
   * @throws InvalidArgumentError for tags that are none; BackendError, and the change is made up for when the backend is back
   */
  async invalidateTags(tags: readonly string[], options?: InvalidateOptions): Promise<void> {
    this.assertOpen();
    const isSoft = options?.soft === true;
    const invalidate = () => this.engine.invalidations.invalidateTags(checkedTags(tags), isSoft);
    await this.reads.changing(invalidate);
  }

  /**
   * Takes a lock that at most one holder has, in all processes on the backend; give it back with `release()` or `await
   * using`. Its `token` grows with every lock of the name, for stores that refuse a smaller one. (django-redis: `lock`)
   *
   * @param options `ttl`, how long it holds without being extended (10 s), and `wait`, how long to wait for it (5 s)
   * @throws LockTimeoutError; BackendError whatever `onError` says
   */
  async lock(name: string, options?: LockOptions): Promise<Lock> {
    return this.locks.acquire(name, this.segments(name), lockTerms(options));
  }

  /**
   * Runs a function under a {@link lock}, which is extended while it runs and given back afterwards.
   *
   * @throws what the function throws; LockTimeoutError; BackendError
   */
  async runExclusive<R>(
    name: string,
    run: (lock: Lock) => R | Promise<R>,
    options?: LockOptions,
  ): Promise<R> {
    return this.locks.runExclusive(name, this.segments(name), lockTerms(options), run);
  }

  /**
   * The present keys of the current version, in no order, where the backend can list. `*` is any text, `?` any character,
   * `\\` takes the next character as it is. Counters with keys past 250 bytes are not listed. (django-redis: `iter_keys`)
   *
   * @throws UnsupportedOperationError
   */
  async *keys(pattern = '*', options?: VersionOptions): AsyncGenerator<string, void, undefined> {
    this.assertOpen();
    for await (const segments of this.listing.segments(pattern, this.version(options)))
      yield unescapeKey(segments);
  }

  /**
   * Removes the {@link keys} that match; answers how many were present. Not atomic: what is stored meanwhile may stay.
   * (django-redis: `delete_pattern`)
   *
   * @throws UnsupportedOperationError; BackendError
   */
  async deletePattern(pattern: string, options?: VersionOptions): Promise<number> {
    this.assertOpen();
    const version = this.version(options);
    return this.listing.remove(pattern, version, (segments) => this.writes.deleteMany(segments, version));
  }

  /** How the key is built, what it holds, and what a read would do now and why. Never the value. @throws BackendError */
  async explain(key: string, options?: VersionOptions): Promise<Explanation> {
    const isVersionGiven = options?.version !== undefined;
    const asked = { key, segments: this.segments(key), version: this.version(options), isVersionGiven };
    return explainKey(this.engine, this.reads.codec, this.options, asked);
  }

  /**
   * Empties this cache and nothing else, all versions of it: constant cost, seen at once by every process, and by loads that
   * are under way. (Django: `clear`, which empties the whole server)
   *
   * @throws BackendError, and the change is made up for when the backend is back
   */
  async clear(): Promise<void> {
    this.assertOpen();
    await this.reads.changing(() => this.engine.invalidations.clear());
  }

  /**
   * Waits for loads that are under way, then gives back connections and timers, within the `closeDeadline` (2 s) in all. Called
   * when the application shuts down. (Django: `close`)
   */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.engine.close(this.options.closeDeadlineMs);
  }

  private answer<T>(found: Found<KeptValue>, options: GetOptions<T> | undefined): T | undefined {
    const { counters } = this.engine.entries;
    if (found === undefined) {
      counters.misses += 1;
      return options?.default;
    }
    counters.hits += 1;
    noteRead(this.engine.entries.tags, found);
    return valueOf(keptIn(found), options?.copy === true) as T;
  }

  private segments(key: string): string {
    return escapeKey(this.checked(key));
  }

  private checked(key: string): string {
    this.assertOpen();
    return checkedKey(key);
  }

  private assertOpen(): void {
    if (this.isClosed) throw new CacheClosedError(this.name);
  }

  private version(options: VersionOptions | undefined): number {
    return versionOf(options, this.options);
  }
}
