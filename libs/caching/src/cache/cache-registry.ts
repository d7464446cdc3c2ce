import { Logger } from '@nestjs/common';
import { openBackend } from '../backends/backend-registry.js';
import type { CacheBackend } from '../backends/cache-backend.js';
import { DEFAULT_CACHE } from '../caching.constants.js';
import { type Clock, systemClock } from '../clock.js';
import { UnknownCacheError } from '../errors.js';
import type { ResolvedCacheOptions, ResolvedCachingOptions } from '../resolve-options.js';
import { CacheService } from './cache.service.js';
import { completeBackend, isComplete } from './complete-backend.js';
import { createEngine, type Engine } from './engine.js';
import type { Entries } from './entries.js';
import type { FailurePolicy } from './failure-policy.js';

/** One configured cache: its public face, and what the page layer works on. */
export interface OpenCache {
  readonly service: CacheService;
  readonly engine: Engine;
  readonly entries: Entries;
  readonly policy: FailurePolicy;
  readonly options: ResolvedCacheOptions;
}

/** The caches of an application, each made once from its options. */
export class CacheRegistry {
  private constructor(private readonly caches: ReadonlyMap<string, OpenCache>) {}

  /** Makes every cache. Backends are imported, but nothing connects before it is used. */
  static async open({ caches }: ResolvedCachingOptions, clock: Clock = systemClock): Promise<CacheRegistry> {
    const opened = await Promise.all(
      [...caches].map(async ([name, options]) => [name, await openCache(name, options, clock)] as const),
    );
    return new CacheRegistry(new Map(opened));
  }

  /** @throws UnknownCacheError */
  get(name: string = DEFAULT_CACHE): OpenCache {
    const cache = this.caches.get(name);
    if (cache === undefined) throw new UnknownCacheError(name, this.caches.keys());
    return cache;
  }

  /** Whether there is a cache of this name. */
  has(name: string): boolean {
    return this.caches.has(name);
  }

  /** Every cache. */
  get all(): readonly OpenCache[] {
    return [...this.caches.values()];
  }

  /** Whether any cache remembers what a request has read. */
  get hasRequestMemo(): boolean {
    return [...this.caches.values()].some(({ options }) => options.requestMemo);
  }

  /** Closes every cache, side by side and each within its limit. */
  async close(): Promise<void> {
    await Promise.all([...this.caches.values()].map(({ service }) => service.close()));
  }
}

async function openCache(name: string, options: ResolvedCacheOptions, clock: Clock): Promise<OpenCache> {
  const backend = isInstance(options.backend)
    ? options.backend
    : await openBackend(options.backend.name, options.backend.options, clock);
  if (backend.capabilities.shared && options.keyPrefix === '') {
    new Logger('Caching').warn(
      `Cache "${name}" has no keyPrefix and its backend (${backend.name}) may be shared: ` +
        'an application with the same cache name would read the same keys. Set `keyPrefix` to the name of yours.',
    );
  }
  const complete = isComplete(backend) ? backend : completeBackend(backend);
  const engine = createEngine(name, complete, options, clock);
  const { entries, policy } = engine;
  return { service: new CacheService(engine, options), engine, entries, policy, options };
}

function isInstance(backend: ResolvedCacheOptions['backend']): backend is CacheBackend {
  return 'capabilities' in backend;
}
