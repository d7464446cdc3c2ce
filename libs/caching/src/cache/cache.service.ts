import { type CompleteBackend } from '../backends/cache-backend.js';
import { type Ttl, ttlToMs } from '../duration.js';
import { CacheClosedError, InvalidArgumentError, MissingKeyError } from '../errors.js';
import type { ResolvedCacheOptions } from '../resolve-options.js';
import {
  type Factory,
  type GetOptions,
  type GetOrSetOptions,
  type IncrementOptions,
  lifeOf,
  type ReadOptions,
  type SetOptions,
  type VersionOptions,
  versionOf,
} from './cache-service.options.js';
import type { Entries, Found } from './entries.js';
import { type FailurePolicy, isPromise } from './failure-policy.js';
import { Flights } from './flights.js';
import { assertKey, escapeKey } from './keys.js';
import { isCounter, keep, keptIn, type KeptValue, valueCodec, valueOf } from './values.js';

/**
 * The low-level API of one cache. Inject it as `CacheService` (the default cache) or with `@InjectCache('name')`.
 *
 * Every method takes any string as a key. A missing key reads as `undefined`; `null` is a value. Values are snapshots:
 * what comes out is deep-frozen and shared, what goes in is copied first.
 *
 * When the backend fails, reads answer as if the cache were empty; all else rejects with a `BackendError`, unless the
 * cache has `onError: 'ignore'`.
 */
export class CacheService {
  private readonly flights = new Flights<KeptValue | number | undefined>();
  private isClosed = false;

  /** @internal Made by the module. */
  constructor(
    /** The name that this cache was configured under. */
    readonly name: string,
    private readonly options: ResolvedCacheOptions,
    private readonly backend: CompleteBackend,
    private readonly entries: Entries,
    private readonly policy: FailurePolicy,
  ) {}

  /** The value, or `default`, or `undefined`. (Django: `get`) */
  get<T>(key: string, options?: GetOptions<T>): Promise<T | undefined> {
    try {
      const found = this.entries.read(valueCodec, this.segments(key), this.version(options));
      if (isPromise(found)) return Promise.resolve(found.then((later) => this.answer<T>(later, options)));
      return Promise.resolve(this.answer<T>(found, options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Stores, over whatever was there. (Django: `set`) @throws UnserializableValueError */
  async set(key: string, value: unknown, options?: Ttl | SetOptions): Promise<void> {
    const { ttlMs, version } = lifeOf(options, this.options);
    const kept = this.kept(value);
    await this.store(this.segments(key), kept, ttlMs, version);
  }

  /** Stores if the key is absent; answers whether it was. Atomic across processes. (Django: `add`) */
  async add(key: string, value: unknown, options?: Ttl | SetOptions): Promise<boolean> {
    const { ttlMs, version } = lifeOf(options, this.options);
    const kept = this.kept(value);
    if (ttlMs !== null && ttlMs <= 0) return !(await this.has(key, { version }));
    const segments = this.segments(key);
    return this.policy.write(
      'add',
      () =>
        this.entries.onKey('value', segments, version, (pair) =>
          this.backend.add(pair.key, this.payload(kept, pair.fullKey), ttlMs),
        ),
      false,
    );
  }

  /**
   * The value, or what the factory makes of its absence. Callers of one key share a running factory, its result and its
   * error. What a miss answers is what a hit will: the stored snapshot. A factory's `undefined` is answered and not
   * stored. If only the write fails, the value is answered all the same. (Django: `get_or_set`, which has no flight)
   */
  async getOrSet<T>(key: string, factory: Factory<T>, options?: Ttl | GetOrSetOptions): Promise<T> {
    const { ttlMs, version } = lifeOf(options, this.options);
    if (typeof factory !== 'function') {
      throw new InvalidArgumentError(
        'getOrSet() needs a function that makes the value: getOrSet(key, () => load()).',
      );
    }
    const isCopy = typeof options === 'object' && options?.copy === true;
    const segments = this.segments(key);
    const found = await this.entries.read(valueCodec, segments, version);
    if (found !== undefined) return valueOf(keptIn(found), isCopy) as T;
    const loaded = await this.flights.join(`${version}:${segments}`, () =>
      this.load(segments, version, factory, ttlMs),
    );
    return (loaded === undefined ? undefined : valueOf(loaded, isCopy)) as T;
  }

  /** Whether the key is present. (Django: `has_key`) */
  async has(key: string, options?: VersionOptions): Promise<boolean> {
    return (await this.entries.read(valueCodec, this.segments(key), this.version(options))) !== undefined;
  }

  /** Removes; answers whether the key was present. (Django: `delete`) */
  async delete(key: string, options?: VersionOptions): Promise<boolean> {
    return this.onKey('delete', key, options, (finalKey) => this.backend.delete(finalKey), false);
  }

  /** Gives a present entry a new life, counted from now; answers whether it was present. (Django: `touch`) */
  async touch(key: string, ttl: Ttl = this.options.ttlMs, options?: VersionOptions): Promise<boolean> {
    const ttlMs = ttlToMs(ttl);
    if (ttlMs !== null && ttlMs <= 0) return this.delete(key, options);
    return this.onKey('touch', key, options, (finalKey) => this.backend.touch(finalKey, ttlMs), false);
  }

  /** Lets a present entry live for ever; answers whether it was present. (django-redis: `persist`) */
  persist(key: string, options?: VersionOptions): Promise<boolean> {
    return this.touch(key, null, options);
  }

  /** Remaining milliseconds, `null` for a life without end, `undefined` if the key is absent. (django-redis: `pttl`) */
  async ttl(key: string, options?: VersionOptions): Promise<number | null | undefined> {
    const segments = this.segments(key);
    const version = this.version(options);
    const look = () => this.entries.onKey('value', segments, version, (pair) => this.backend.ttl(pair.key));
    return this.policy.read('ttl', look, undefined);
  }

  /** The present ones, under the caller's keys, in one round trip. (Django: `get_many`) */
  async getMany<T>(keys: Iterable<string>, options?: ReadOptions): Promise<Map<string, T>> {
    const asked = [...new Set(keys)];
    const segments = asked.map((key) => this.segments(key));
    const found = await this.entries.readMany(valueCodec, segments, this.version(options));
    const values = new Map<string, T>();
    found.forEach((entry, index) => {
      const key = asked[index];
      if (entry !== undefined && key !== undefined)
        values.set(key, valueOf(keptIn(entry), options?.copy === true) as T);
    });
    return values;
  }

  /** Stores many, with one life for all; answers the keys that the backend refused. (Django: `set_many`) */
  async setMany(
    values: Iterable<readonly [string, unknown]> | Readonly<Record<string, unknown>>,
    options?: Ttl | SetOptions,
  ): Promise<string[]> {
    const { ttlMs, version } = lifeOf(options, this.options);
    const pairs = Symbol.iterator in values ? [...values] : Object.entries(values);
    const kept = new Map(pairs.map(([key, value]) => [this.segments(key), { key, kept: this.kept(value) }]));
    if (kept.size === 0) return [];
    if (ttlMs !== null && ttlMs <= 0) {
      await this.deleteMany(
        [...kept.values()].map(({ key }) => key),
        { version },
      );
      return [];
    }
    return this.policy.write(
      'setMany',
      () =>
        this.entries.onEpoch(async () => {
          const callers = new Map<string, string>();
          const writes = [...kept].map(([segments, { key, kept }]) => {
            const pair = this.entries.keyOf('value', segments, version);
            callers.set(pair.key, key);
            return { key: pair.key, payload: this.payload(kept, pair.fullKey), ttlMs };
          });
          return (await this.backend.setMany(writes)).map((refused) => callers.get(refused) ?? refused);
        }),
      [],
    );
  }

  /** Removes many; answers how many were present. (Django: `delete_many`) */
  async deleteMany(keys: Iterable<string>, options?: VersionOptions): Promise<number> {
    const segments = [...new Set(keys)].map((key) => this.segments(key));
    if (segments.length === 0) return 0;
    const version = this.version(options);
    const finalKeys = () => segments.map((each) => this.entries.keyOf('value', each, version).key);
    return this.policy.write(
      'deleteMany',
      () => this.entries.onEpoch(() => this.backend.deleteMany(finalKeys())),
      0,
    );
  }

  /**
   * Adds to a counter and keeps its life, atomically; answers the new number. (Django: `incr`)
   *
   * @param delta a safe integer; default 1
   * @throws MissingKeyError without `initial`; NotANumberError; NumberOutOfRangeError
   */
  async increment(key: string, delta = 1, options?: IncrementOptions): Promise<number> {
    const { ttlMs, version } = lifeOf(options, this.options);
    const initial = options?.initial;
    if (!Number.isSafeInteger(delta) || (initial !== undefined && !Number.isSafeInteger(initial))) {
      throw new InvalidArgumentError('The delta and `initial` of a counter must be safe integers.');
    }
    const segments = this.segments(key);
    const isKept = ttlMs === null || ttlMs > 0;
    const sum = await this.policy.demand('increment', () =>
      this.entries.onKey('value', segments, version, (pair) =>
        this.backend.increment(pair.key, delta, isKept ? initial : undefined, isKept ? ttlMs : null),
      ),
    );
    if (sum !== undefined) return sum;
    if (initial === undefined) throw new MissingKeyError();
    return initial + delta;
  }

  /** {@link increment} with the sign turned. (Django: `decr`) */
  decrement(key: string, delta = 1, options?: IncrementOptions): Promise<number> {
    return this.increment(key, -delta, options);
  }

  /** Empties this cache and nothing else: constant cost, seen at once by every process. (Django: `clear`) */
  async clear(): Promise<void> {
    await this.policy.write('clear', () => this.entries.clear(), undefined);
  }

  /** Gives back connections and timers, within the `closeDeadline`. Called when the application shuts down. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.policy.close(() => this.backend.close(), this.options.closeDeadlineMs);
  }

  private async load<T>(
    segments: string,
    version: number,
    factory: Factory<T>,
    ttlMs: number | null,
  ): Promise<KeptValue | number | undefined> {
    const createdAt = this.entries.now();
    let life = ttlMs;
    const value = await factory({ setTtl: (ttl) => void (life = ttlToMs(ttl)) });
    if (value === undefined) return undefined;
    const kept = this.kept(value);
    if (this.isClosed) throw new CacheClosedError(this.name);
    await this.policy.forgive('set', () => this.store(segments, kept, life, version, createdAt));
    return kept;
  }

  private async store(
    segments: string,
    kept: KeptValue | number,
    ttlMs: number | null,
    version: number,
    createdAt = this.entries.now(),
  ): Promise<void> {
    const isKept = ttlMs === null || ttlMs > 0;
    const put = () =>
      this.entries.onKey<unknown>('value', segments, version, (pair) =>
        isKept
          ? this.backend.set(pair.key, this.payload(kept, pair.fullKey, createdAt), ttlMs)
          : this.backend.delete(pair.key),
      );
    await this.policy.write('set', put, undefined);
  }

  private async onKey<T>(
    operation: string,
    key: string,
    options: VersionOptions | undefined,
    run: (finalKey: string) => T | PromiseLike<T>,
    ignored: T,
  ): Promise<T> {
    const segments = this.segments(key);
    const version = this.version(options);
    return this.policy.write(
      operation,
      () => this.entries.onKey('value', segments, version, (pair) => run(pair.key)),
      ignored,
    );
  }

  private answer<T>(found: Found<KeptValue>, options: GetOptions<T> | undefined): T | undefined {
    if (found === undefined) return options?.default;
    return valueOf(keptIn(found), options?.copy === true) as T;
  }

  private kept(value: unknown): KeptValue | number {
    return isCounter(value) ? value : keep(value, this.options);
  }

  private payload(
    kept: KeptValue | number,
    fullKey: string,
    createdAt = this.entries.now(),
  ): Uint8Array | number {
    return typeof kept === 'number'
      ? kept
      : this.entries.payload(valueCodec, kept, kept.size, fullKey, createdAt);
  }

  private segments(key: string): string {
    if (this.isClosed) throw new CacheClosedError(this.name);
    assertKey(key);
    return escapeKey(key);
  }

  private version(options: VersionOptions | undefined): number {
    return versionOf(options, this.options);
  }
}
