import { EventEmitter } from 'node:events';
import type { OpenCache } from '../cache/cache-registry.js';
import type { CacheService } from '../cache/cache.service.js';
import { Flights } from '../cache/flights.js';
import type { Ttl } from '../duration.js';
import { BackendError } from '../errors.js';
import type {
  CacheManagerEvent,
  FromValue,
  ManagedEntry,
  RawValue,
  Wrap,
  WrapOptions,
} from './cache-manager.options.js';

/** Users of cache-manager change what they got. */
const MUTABLE = { copy: true } as const;

/**
 * A cache of ours with the interface of cache-manager 7: what `@Inject(CACHE_MANAGER)` answers, and what the
 * `CacheInterceptor` of `@nestjs/cache-manager` works on. It reads and writes the same entries as the `CacheService` of
 * that cache. Its methods may be passed around without it, as those of cache-manager may.
 *
 * As there: lives are milliseconds and 0 is for ever; a missing key reads as `undefined`; `del`, `mdel` and `clear`
 * answer `true`; what is read may be changed. Otherwise than there: see docs/migrating-from-cache-manager.md.
 */
export class CacheManager {
  /** Empty: there are no Keyv stores. */
  readonly stores: never[] = [];

  private readonly events = new EventEmitter();
  private readonly refreshes = new Flights<void>();
  private readonly cache: CacheService;

  /** @internal Made by the module. */
  constructor(
    private readonly open: OpenCache,
    private readonly refreshThreshold?: number,
  ) {
    this.cache = open.service;
  }

  /** The value, or `undefined`. */
  readonly get = async <T>(key: string): Promise<T | undefined> => {
    const value = await this.told('get', { key }, () => this.cache.get<T>(key, MUTABLE));
    if (value !== undefined) this.events.emit('get', { key, value });
    return value;
  };

  /** The values in the order of the keys, in one round trip. */
  readonly mget = async <T>(keys: string[]): Promise<(T | undefined)[]> => {
    const found = await this.told('mget', { keys }, () => this.cache.getMany<T>(keys, MUTABLE));
    const values = keys.map((key) => found.get(key));
    this.events.emit('mget', { keys, values });
    return values;
  };

  /** When the entry ends, in milliseconds since 1970; `undefined` if it never does or the key is absent. */
  readonly ttl = async (key: string): Promise<number | undefined> => {
    return this.endOf(await this.cache.ttl(key));
  };

  /** Stores. `undefined` is what a missing key reads as, so it removes the key. @throws UnserializableValueError */
  readonly set = async <T>(key: string, value: T, ttl?: number): Promise<T> => {
    await this.told('set', { key, value }, () => this.put(key, value, ttl));
    this.events.emit('set', { key, value });
    return value;
  };

  /** Stores many, in one round trip for each ttl among them. @throws BackendError if the backend refused some */
  readonly mset = async <T>(list: ManagedEntry<T>[]): Promise<ManagedEntry<T>[]> => {
    const entries = list.map((entry) => this.withLife(entry));
    await this.told('mset', { list: entries }, () => this.putMany(entries));
    this.events.emit('mset', { list: entries });
    return entries;
  };

  readonly del = async (key: string): Promise<boolean> => {
    await this.told('del', { key }, () => this.cache.delete(key));
    this.events.emit('del', { key });
    return true;
  };

  /** Removes many, in one round trip. */
  readonly mdel = async (keys: string[]): Promise<boolean> => {
    await this.told('mdel', { keys }, () => this.cache.deleteMany(keys));
    this.events.emit('mdel', { keys });
    return true;
  };

  /** Empties this cache, its pages included, and nothing else on the server. */
  readonly clear = async (): Promise<boolean> => {
    try {
      await this.cache.clear();
    } catch (error) {
      this.events.emit('clear', error);
      throw error;
    }
    this.events.emit('clear');
    return true;
  };

  /** The value, or what `load` makes of its absence, which concurrent callers share. `undefined` is not stored. */
  readonly wrap = (async <T>(
    key: string,
    load: () => T | Promise<T>,
    ttlOrOptions?: FromValue<T> | WrapOptions<T>,
    refreshThreshold?: FromValue<T>,
  ): Promise<T | RawValue<T>> => {
    const options = optionsOf(ttlOrOptions, refreshThreshold);
    const threshold = options.refreshThreshold ?? this.refreshThreshold;
    if (threshold === undefined && options.raw !== true) return this.load(key, load, options.ttl);

    const [held, remaining] = await Promise.all([this.cache.get<T>(key, MUTABLE), this.cache.ttl(key)]);
    if (held === undefined) {
      const value = await this.load(key, load, options.ttl);
      return options.raw === true ? { value, expires: this.endOf(await this.cache.ttl(key)) } : value;
    }
    const limit = resolved(threshold, held) ?? this.refreshThreshold;
    if (limit !== undefined && remaining !== null && (remaining ?? 0) < limit) {
      this.refresh(key, load, options.ttl, held);
    }
    return options.raw === true ? { value: held, expires: this.endOf(remaining) } : held;
  }) as Wrap;

  readonly on = (event: CacheManagerEvent, listener: (data: never) => void): EventEmitter => {
    return this.events.on(event, listener as () => void);
  };

  readonly off = (event: CacheManagerEvent, listener: (data: never) => void): EventEmitter => {
    return this.events.off(event, listener as () => void);
  };

  /** Does nothing: `CacheService` and pages use the connection too, and the module closes it when the application ends. */
  readonly disconnect = async (): Promise<undefined> => undefined;

  /** The name of the cache. */
  readonly cacheId = (): string => this.cache.name;

  private async put(key: string, value: unknown, ttl: number | undefined): Promise<void> {
    if (value === undefined) await this.cache.delete(key);
    else await this.cache.set(key, value, lifeOf(ttl));
  }

  private async putMany(entries: readonly ManagedEntry<unknown>[]): Promise<void> {
    const removed: string[] = [];
    const groups = new Map<number | undefined, [string, unknown][]>();
    for (const { key, value, ttl } of new Map(entries.map((entry) => [entry.key, entry])).values()) {
      if (value === undefined) {
        removed.push(key);
        continue;
      }
      const group = groups.get(ttl) ?? [];
      groups.set(ttl, group);
      group.push([key, value]);
    }
    const [, ...refused] = await Promise.all([
      this.cache.deleteMany(removed),
      ...[...groups].map(([ttl, values]) => this.cache.setMany(values, lifeOf(ttl))),
    ]);
    if (refused.flat().length > 0) throw this.refusal(refused.flat().length, entries.length);
  }

  private refusal(refused: number, asked: number): BackendError {
    return new BackendError(this.cache.name, 'setMany', {
      message:
        `The backend of cache "${this.cache.name}" refused ${refused} of ${asked} values of mset(); the others are ` +
        'stored. As a rule they are too large: set() of one of them says why.',
    });
  }

  private async load<T>(key: string, load: () => T | Promise<T>, ttl: FromValue<T> | undefined): Promise<T> {
    let isLoaded = false;
    const value = await this.cache.getOrSet<T>(
      key,
      async ({ setTtl }) => {
        const loaded = await load();
        const life = lifeOf(resolved(ttl, loaded));
        if (life !== undefined) setTtl(life);
        isLoaded = true;
        return loaded;
      },
      // cache-manager runs the function again after a failure, at once.
      { ...MUTABLE, errorTtl: 0 },
    );
    if (isLoaded && value !== undefined) this.events.emit('set', { key, value });
    return value;
  }

  /** Loads anew in the background, once at a time for each key. A failure is an event: the held value lives on. */
  private refresh<T>(key: string, load: () => T | Promise<T>, ttl: FromValue<T> | undefined, held: T): void {
    if (this.refreshes.find(key) !== undefined) return;
    void this.refreshes.join(key, async () => {
      const outcome = await this.reload(key, load, ttl).catch((error: unknown) => ({ value: held, error }));
      this.events.emit('refresh', { key, ...outcome });
    });
  }

  private async reload<T>(
    key: string,
    load: () => T | Promise<T>,
    ttl: FromValue<T> | undefined,
  ): Promise<{ readonly value: T }> {
    const value = await load();
    return { value: await this.set(key, value, resolved(ttl, value)) };
  }

  /** Runs an operation; its failure is an event too. */
  private async told<T>(event: CacheManagerEvent, data: object, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      this.events.emit(event, { ...data, error });
      throw error;
    }
  }

  private withLife<T>({ key, value, ttl }: ManagedEntry<T>): ManagedEntry<T> {
    const life = ttl ?? this.open.options.ttlMs;
    return life === null ? { key, value } : { key, value, ttl: life };
  }

  private endOf(remaining: number | null | undefined): number | undefined {
    return remaining === null || remaining === undefined ? undefined : this.open.entries.now() + remaining;
  }
}

function optionsOf<T>(
  ttlOrOptions: FromValue<T> | WrapOptions<T> | undefined,
  refreshThreshold: FromValue<T> | undefined,
): WrapOptions<T> {
  if (typeof ttlOrOptions === 'object' && ttlOrOptions !== null) return ttlOrOptions;
  return {
    ...(ttlOrOptions !== undefined && { ttl: ttlOrOptions }),
    ...(refreshThreshold !== undefined && { refreshThreshold }),
  };
}

function resolved<T>(setting: FromValue<T> | undefined, value: T): number | undefined {
  return typeof setting === 'function' ? setting(value) : setting;
}

/** cache-manager's 0 is for ever. What is not given, or null from callers without types, is the default of the cache. */
function lifeOf(ttl: number | undefined): Ttl | undefined {
  return ttl === 0 ? null : (ttl ?? undefined);
}
