import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe } from '@jest/globals';
import type { CacheBackend, CacheService, Clock, CommonCacheOptions } from 'nestjs-caching';
import { FailingBackend, FakeClock } from 'nestjs-caching/testing';
import { MemoryBackend } from '../../libs/caching/src/backends/memory.backend.js';
import { RedisBackend } from '../../libs/caching/src/backends/redis.backend.js';
import { openCache } from './caches.js';
import { describeService, type Service, type ServiceOptions } from './services.js';

/** How long a condition may take to come true. */
const PATIENCE_MS = 10_000;
/** So little time passes in one step of {@link World.pass}. */
const STEP_MS = 10;
const MEMORY = { maxEntries: 100_000, maxBytes: 64 * 1024 * 1024, sweepInterval: 0 };

/** Deadlines that a clock moved by hours must not meet while a real server answers. */
const PATIENT = { readDeadline: '10m', writeDeadline: '10m' } as const;

/** A cache in a scenario, and the backend below it, which can be broken and counted. */
export interface Actor {
  readonly cache: CacheService;
  readonly backend: FailingBackend;
}

/**
 * What a scenario plays in: one store, new for each test, and a clock that only the test moves. The backends have no
 * clock of their own here, so stale windows, leases and pauses go by the test's clock. On a real server the physical
 * expiry still goes by real time.
 */
export interface World {
  readonly name: 'memory' | 'redis';
  readonly clock: FakeClock;
  /** Where the server is; `undefined` for memory. */
  readonly url: string | undefined;
  /** Stands in front of every key of the test. */
  readonly keyPrefix: string;
  /** A cache on the store, over a backend of its own or over this one. */
  open(options?: CommonCacheOptions, on?: FailingBackend): Promise<Actor>;
  /** Another process's cache on the same keys; in memory, where there can be none, the one that was opened first. */
  openOther(options?: CommonCacheOptions): Promise<Actor>;
  /** A backend on the store, as `open` uses it. */
  backend(): FailingBackend;
  /**
   * Takes the store away from everybody: it refuses, or it is silent. The result gives it back. On Redis the server is
   * killed or stopped, so the scenarios must have one of their own.
   */
  outage(kind: 'refuses' | 'silent'): Promise<() => Promise<void>>;
  /** Resolves when the test's clock has moved on so far. */
  after(ms: number): Promise<void>;
  /** Moves the clock on in small steps until the promise settles. */
  pass<T>(promise: Promise<T>): Promise<T>;
  /** The keys of the test in the store, without the records of the cache. */
  keys(): Promise<string[]>;
}

/** The scenarios, once on memory and once on a real Redis. */
export function describeScenarios(
  title: string,
  body: (world: World) => void,
  service: ServiceOptions = {},
): void {
  describe(title, () => {
    describe('on memory', () => body(createWorld('memory', (clock) => memory(clock))));
    describeService(
      'redis',
      (redis) => body(createWorld('redis', () => redisAt(redis().url), redis)),
      service,
    );
  });
}

/** Waits until it is so; looks often, since there is no event to wait for. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !(await isSo());) {
    if (performance.now() > end) throw new Error(`It was not so within ${PATIENCE_MS} ms.`);
    await sleep(1);
  }
}

export function memory(clock: Clock, limits: { readonly maxBytes?: number } = {}): CacheBackend {
  return new MemoryBackend({ ...MEMORY, ...limits }, clock) as CacheBackend;
}

export function redisAt(url: string): CacheBackend {
  return new RedisBackend({ url, connectTimeoutMs: 1000, socketTimeoutMs: 1000 });
}

function createWorld(
  name: World['name'],
  create: (clock: Clock) => CacheBackend,
  service?: () => Service,
): World {
  let clock = new FakeClock();
  let keyPrefix = '';
  let actors: Actor[] = [];
  const backend = (): FailingBackend => new FailingBackend(create(clock), clock);

  beforeEach(() => {
    clock = new FakeClock();
    keyPrefix = randomUUID();
    actors = [];
  });
  afterEach(async () => {
    for (const actor of actors) actor.backend.heal();
    await Promise.all(actors.map(({ cache }) => world.pass(cache.close())));
  });

  const world: World = {
    name,
    get clock() {
      return clock;
    },
    get url() {
      return service?.().url;
    },
    get keyPrefix() {
      return keyPrefix;
    },
    backend,
    async open(options = {}, wrapped = backend()) {
      const cache = await openCache({ ...PATIENT, keyPrefix, ...options, backend: wrapped as never }, clock);
      const actor = { cache, backend: wrapped };
      actors.push(actor);
      return actor;
    },
    async openOther(options) {
      const [first] = actors;
      return name === 'memory' && first !== undefined ? first : world.open(options);
    },
    async outage(kind) {
      if (service !== undefined) {
        if (kind === 'silent') {
          service().freeze();
          return async () => service().thaw();
        }
        await service().kill();
        return () => service().start();
      }
      for (const each of actors) each.backend[kind === 'silent' ? 'hang' : 'fail']('all');
      return async () => actors.forEach((each) => each.backend.heal());
    },
    after: (ms) => new Promise((resolve) => void clock.after(ms, resolve)),
    async pass(promise) {
      let isSettled = false;
      const settle = () => void (isSettled = true);
      promise.then(settle, settle);
      await until(() => {
        if (!isSettled) clock.advance(STEP_MS);
        return isSettled;
      });
      return promise;
    },
    async keys() {
      const listing = actors[0]?.backend ?? backend();
      const found: string[] = [];
      for await (const key of listing.keys(`${keyPrefix}:`)) if (!key.includes(':@')) found.push(key);
      return found;
    },
  };
  return world;
}
