import type { Address, Entries } from './entries.js';
import type { Life } from './entry.js';
import { type Flight, runAsPartOf } from './flight.js';
import type { TagDependencies } from './tag-dependencies.js';
import { TagScope } from './tag-scope.js';
import { checkedTags, type TagVersion } from './tags.js';

/** What a factory may say about its load. */
export interface RunContext {
  readonly signal: AbortSignal;
  setLife(change: Partial<Omit<Life, 'tags'>>): void;
  addTags(tags: readonly string[]): void;
  /**
   * The versions of all tags that are known so far, for what is stored beside the result; `undefined` if nothing may be
   * stored: an invalidation came, there is no lease, or something inside is not to be kept.
   */
  settleTags(): Promise<readonly TagVersion[] | undefined>;
}

/** What was made; `undefined` for nothing. */
export interface Made<T> {
  readonly value: T;
  /** The same as a bare integer, if it is one: kept as such unless it has tags or stale windows. */
  readonly counter: number | undefined;
  readonly size: number;
}

/** What is to be loaded, and how. */
export interface LoadPlan<T> {
  readonly address: Address<T>;
  readonly life: Life;
  readonly make: (context: RunContext) => Promise<Made<T> | undefined>;
  /** Told when the factory will not run soon, or not at all: somebody else has the lease, or it could not be asked for. */
  readonly standsBack?: (() => void) | undefined;
}

/** Runs the factory of a plan as part of a flight; answers what it made, how that is to live, and tells its tags. */
export async function runFactory<T>(
  flight: Flight<T>,
  { make, life: planned }: LoadPlan<T>,
  tags: TagDependencies,
  entries: Entries,
  settle: RunContext['settleTags'],
): Promise<{ readonly made: Made<T> | undefined; readonly life: Life; readonly isTransient: boolean }> {
  entries.counters.loads += 1;
  let life = planned;
  const scope = new TagScope();
  const absorb = (): void => {
    const inside = scope.dependencies(entries.tags);
    tags.inherit(inside.tags);
    tags.learn(inside.names);
  };
  const context: RunContext = {
    signal: flight.controller.signal,
    setLife: (change) => void (life = { ...life, ...change }),
    addTags: (given) => tags.learn(checkedTags(given)),
    settleTags: () => {
      absorb();
      return scope.isTransient ? Promise.resolve(undefined) : settle();
    },
  };
  try {
    const made = await runAsPartOf(flight as Flight<unknown>, () => scope.run(() => make(context)));
    absorb();
    const { isTransient } = scope;
    return { made, life: isTransient ? { ...life, ttlMs: 0 } : life, isTransient };
  } catch (error) {
    entries.counters.loadErrors += 1;
    throw error;
  }
}
