import { systemClock } from '../../libs/caching/src/clock.js';
import { CacheRegistry } from '../../libs/caching/src/cache/cache-registry.js';
import type { CacheStatistics } from '../../libs/caching/src/cache/counters.js';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';

/** A process of its own with a cache, for processes.ts. It is told what to do by messages and answers each by its number. */
export type Order =
  /** So many callers of `getOrSet` at once. The factory says that it runs, and waits for `finish` if it is held. */
  | {
      readonly does: 'load';
      readonly key: string;
      readonly value: string;
      readonly callers: number;
      readonly isHeld?: boolean;
      readonly timeout?: number;
      readonly tags?: readonly string[];
      /** A key that the factory needs. */
      readonly needs?: string;
    }
  | { readonly does: 'finish'; readonly key: string }
  | { readonly does: 'get'; readonly key: string }
  /** So many increments by 1 at once; answers the sums. */
  | { readonly does: 'increment'; readonly key: string; readonly times: number }
  /** Adds all the keys at once; answers those that were absent. */
  | { readonly does: 'add'; readonly keys: readonly string[]; readonly value: string }
  /** Lets go of whoever gave the order, and waits for a lock and a load of others with nothing else to live for. */
  | { readonly does: 'wait alone'; readonly key: string }
  | { readonly does: 'close' };

/** What the callers of a `load` got: each outcome and how often. */
export interface Loaded {
  readonly values: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
  readonly statistics: CacheStatistics;
}

export type Report =
  | { readonly number: number; readonly answer: unknown }
  | { readonly number: number; readonly error: string }
  | { readonly began: string };

const { service: cache } = (
  await CacheRegistry.open(resolveOptions(JSON.parse(process.argv[2] ?? '{}')), systemClock)
).get();
const held = new Map<string, () => void>();

async function load(order: Extract<Order, { does: 'load' }>): Promise<Loaded> {
  const factory = async (): Promise<string> => {
    process.send?.({ began: order.key } satisfies Report);
    if (order.isHeld === true) await new Promise<void>((resolve) => held.set(order.key, resolve));
    if (order.needs !== undefined) return cache.getOrSet(order.needs, () => 'not needed');
    return order.value;
  };
  const options = {
    errorTtl: 0,
    ...(order.tags !== undefined && { tags: order.tags }),
    ...(order.timeout !== undefined && { timeout: order.timeout }),
  };
  const outcomes = await Promise.allSettled(
    Array.from({ length: order.callers }, () => cache.getOrSet(order.key, factory, options)),
  );
  const values: Record<string, number> = {};
  const errors: Record<string, number> = {};
  for (const outcome of outcomes) {
    const [counts, name] =
      outcome.status === 'fulfilled'
        ? [values, outcome.value]
        : [errors, String((outcome.reason as { code?: unknown }).code ?? outcome.reason)];
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return { values, errors, statistics: cache.statistics };
}

async function carryOut(order: Order): Promise<unknown> {
  switch (order.does) {
    case 'load':
      return load(order);
    case 'finish':
      return held.get(order.key)?.();
    case 'get':
      return cache.get(order.key);
    case 'increment':
      return Promise.all(
        Array.from({ length: order.times }, () => cache.increment(order.key, 1, { initial: 0 })),
      );
    case 'add': {
      const added = await Promise.all(order.keys.map((key) => cache.add(key, { by: order.value })));
      return order.keys.filter((_key, index) => added[index]);
    }
    case 'wait alone':
      process.disconnect();
      await cache.runExclusive(order.key, () => cache.set(`${order.key}:locked`, true));
      await cache.getOrSet(order.key, () => 'loaded');
      return cache.close();
    case 'close':
      await cache.close();
      // Nothing of the cache's must hold the process from here on.
      process.disconnect();
      return undefined;
  }
}

process.on('message', ({ number, order }: { number: number; order: Order }) => {
  carryOut(order).then(
    (answer) => process.connected && process.send?.({ number, answer } satisfies Report),
    (error: unknown) => process.send?.({ number, error: String(error) } satisfies Report),
  );
});
process.send?.({ number: 0, answer: 'ready' } satisfies Report);
