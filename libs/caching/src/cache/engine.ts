import type { CompleteBackend } from '../backends/cache-backend.js';
import type { Clock } from '../clock.js';
import type { ResolvedCacheOptions } from '../resolve-options.js';
import { Bodies } from './bodies.js';
import { Counters } from './counters.js';
import { Entries } from './entries.js';
import { FailurePolicy } from './failure-policy.js';
import { Invalidations } from './invalidations.js';
import { Journal } from './journal.js';
import { KeySpace } from './keys.js';
import { Leases } from './leases.js';
import { Loader } from './loader.js';
import { LocalTags } from './local-tags.js';
import { seededRandom } from './random.js';
import { SharedTags } from './shared-tags.js';
import { Stamps } from './stamps.js';
import { StoreClock } from './store-clock.js';
import { TagMemo } from './tag-memo.js';

/** What an outage may leave to be made up for. */
const MAX_PENDING_CHANGES = 10_000;
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** The parts of one cache that values, pages and fragments share. */
export interface Engine {
  readonly name: string;
  readonly entries: Entries;
  readonly policy: FailurePolicy;
  readonly loader: Loader;
  readonly invalidations: Invalidations;
  readonly random: () => number;
  readonly clock: Clock;
  close(limitMs: number): Promise<void>;
}

/** Puts the engine of a cache together. Nothing connects and no timer starts before the first operation. */
export function createEngine(
  name: string,
  backend: CompleteBackend,
  options: ResolvedCacheOptions,
  local: Clock,
): Engine {
  const random = seededRandom(options.seed);
  const keys = new KeySpace(options.keyPrefix, name);
  const counters = new Counters();
  const clock = new StoreClock(backend, local);
  const policy = new FailurePolicy(
    name,
    {
      readDeadline: options.readDeadlineMs,
      writeDeadline: options.writeDeadlineMs,
      onError: options.onError,
      breaker: options.breaker,
    },
    local,
    counters,
  );
  const journal = new Journal(
    { maxChanges: MAX_PENDING_CHANGES, maxBytes: MAX_PENDING_BYTES, pauseMs: options.breaker.pauseMs },
    policy,
    local,
    counters,
  );
  const stamps = new Stamps(backend, keys, clock, counters);
  const tags = backend.capabilities.shared ? new SharedTags(backend, keys, local) : new LocalTags();
  const entries = new Entries(
    keys,
    backend,
    policy,
    clock,
    stamps,
    tags,
    journal,
    counters,
    new TagMemo(options.tagMemoMs, local),
    new Bodies(options),
  );
  const leases = new Leases(entries, policy, options.leaseMs);
  const loader = new Loader(name, entries, policy, leases, options, local, random);
  return {
    name,
    entries,
    policy,
    loader,
    invalidations: new Invalidations(entries, policy),
    random,
    clock: local,
    async close(limitMs) {
      const started = local.monotonic();
      // Half of the time for loads that are under way, so that the rest is left for the connections.
      await loader.drain(limitMs / 2);
      journal.close();
      entries.cleaning.close();
      await policy.close(() => backend.close(), Math.max(1, limitMs - (local.monotonic() - started)));
    },
  };
}
