import { type Ttl, ttlToMs } from '../duration.js';
import { InvalidArgumentError } from '../errors.js';
import type { ResolvedCacheOptions } from '../resolve-options.js';
import { BatchLoad } from './batch-load.js';
import {
  asOptions,
  type BatchContext,
  type BatchFactory,
  type Factory,
  type GetOrSetOptions,
  optionalMs,
  type SetOptions,
} from './cache-service.options.js';
import type { Engine } from './engine.js';
import type { Life } from './entry.js';
import type { Made, RunContext } from './load-plan.js';
import { Lives } from './lives.js';
import type { LoadRequest } from './loader.js';
import type { SnapshotOptions } from './snapshot.js';
import { noteRead } from './tag-scope.js';
import type { ValueReads } from './value-reads.js';
import { isCounter, keep, keptIn, type KeptValue, valueOf } from './values.js';

/** A key as the caller has it, and as it stands in final keys. */
export interface AskedKey {
  readonly key: string;
  readonly segments: string;
}

/** How values are loaded: what `getOrSet` and `getOrSetMany` ask of the loader. */
export class ValueLoads {
  private readonly lives: Lives;
  private readonly snapshots: SnapshotOptions;

  constructor(
    private readonly engine: Engine,
    private readonly options: ResolvedCacheOptions,
    private readonly reads: ValueReads,
  ) {
    this.lives = new Lives(options, engine.random);
    const { classInstances, converters } = options;
    this.snapshots =
      converters.length === 0 ? { classInstances } : { classInstances, converters: reads.converters };
  }

  /** One key. @throws InvalidArgumentError without a factory */
  async one<T>(
    asked: AskedKey,
    version: number,
    factory: Factory<T>,
    options: Ttl | GetOrSetOptions | undefined,
  ): Promise<T> {
    assertFactory(factory, 'getOrSet(key, () => load())');
    const isCopy = asOptions(options)?.copy === true;
    if (this.reads.areRemembered) {
      const found = await this.reads.one(asked.key, version);
      if (found !== undefined) {
        this.engine.entries.counters.hits += 1;
        noteRead(this.engine.entries.tags, found);
        return valueOf(keptIn(found), isCopy) as T;
      }
    }
    const { content } = await this.engine.loader.load({
      ...this.request(asked, version, options),
      make: async (context) =>
        this.madeOrNothing(await factory(this.context(new Map([[asked.key, context]])))),
    });
    this.reads.forget();
    return (content === undefined ? undefined : valueOf(content, isCopy)) as T;
  }

  /** Many keys: one look, and one run of the factory for what is missing. */
  async many<T>(
    asked: readonly AskedKey[],
    version: number,
    factory: BatchFactory<T>,
    options: Ttl | GetOrSetOptions | undefined,
  ): Promise<Map<string, T>> {
    assertFactory(factory, 'getOrSetMany(keys, (missing) => load(missing))');
    if (asked.length === 0) return new Map();
    const batch = new BatchLoad<T>(async (missing, contexts) => factory(missing, this.context(contexts)));
    const requests = asked.map(({ key, segments }): LoadRequest<KeptValue> => ({
      ...this.request({ key, segments }, version, options),
      batch,
      make: async (context) => this.madeOrNothing(await batch.join(key, context)),
      standsBack: () => batch.standBack(key),
    }));
    const served = await this.engine.loader.loadMany(requests, (flights) => batch.expect(flights));
    this.reads.forget();
    const values = new Map<string, T>();
    const isCopy = asOptions(options)?.copy === true;
    served.forEach(({ content }, index) => {
      const key = asked[index]?.key;
      if (content !== undefined && key !== undefined) values.set(key, valueOf(content, isCopy) as T);
    });
    return values;
  }

  /** How what a call stores is to live, with jitter. */
  life(options: Ttl | SetOptions | undefined): Life {
    return this.lives.of(options);
  }

  /** A private copy of a value, ready to be stored. @throws UnserializableValueError */
  made(value: unknown): Made<KeptValue> {
    const kept = keep(value, this.snapshots);
    return { value: kept, counter: isCounter(value) ? value : undefined, size: kept.size };
  }

  private madeOrNothing(value: unknown): Made<KeptValue> | undefined {
    return value === undefined ? undefined : this.made(value);
  }

  private request(
    { key, segments }: AskedKey,
    version: number,
    options: Ttl | GetOrSetOptions | undefined,
  ): Omit<LoadRequest<KeptValue>, 'make'> {
    const given = asOptions(options);
    return {
      address: { codec: this.reads.codec, segments, version },
      life: this.life(options),
      shownKey: key,
      errorTtlMs: optionalMs(given?.errorTtl) ?? this.options.errorTtlMs,
      timeoutMs: optionalMs(given?.timeout),
      softTimeoutMs: optionalMs(given?.softTimeout),
      signal: given?.signal,
      whenAbandoned: given?.whenAbandoned,
    };
  }

  /** What the factory is given; its word holds for every key that it loads, or for the one that it names. */
  private context(contexts: ReadonlyMap<string, RunContext>): BatchContext {
    const [first] = contexts.values();
    return {
      signal: first?.signal ?? AbortSignal.abort(),
      setTtl: (ttl, key) => {
        const ttlMs = this.lives.jittered(ttlToMs(ttl));
        for (const context of meant(contexts, key)) context.setLife({ ttlMs });
      },
      addTags: (tags, key) => {
        for (const context of meant(contexts, key)) context.addTags(tags);
      },
    };
  }
}

function meant(contexts: ReadonlyMap<string, RunContext>, key: string | undefined): Iterable<RunContext> {
  if (key === undefined) return contexts.values();
  const context = contexts.get(key);
  if (context !== undefined) return [context];
  throw new InvalidArgumentError('The factory spoke of a key that it was not asked to load.');
}

function assertFactory(factory: unknown, example: string): void {
  if (typeof factory === 'function') return;
  throw new InvalidArgumentError(`A function that makes the value is missing: ${example}.`);
}
