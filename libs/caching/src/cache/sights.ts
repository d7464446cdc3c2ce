import type { Payload } from '../backends/cache-backend.js';
import { type Entry, freshnessAt, type Freshness, hasWindows, usableUntil } from './entry.js';
import type { KeyPair } from './final-keys.js';
import type { Journal } from './journal.js';
import type { KeySpace } from './keys.js';
import type { Found } from './payloads.js';
import type { Stamps } from './stamps.js';
import type { StoreClock } from './store-clock.js';
import { judgeTags, type RecordOf } from './tags.js';

/** Everything that one look at a key shows. */
export interface Sight<T> {
  readonly pair: KeyPair;
  /** What lies under the key, present or not: what a compare-and-set expects. */
  readonly payload: Payload | undefined;
  /** What it says; `undefined` for what is not ours. May be stale, or a lease alone. */
  readonly held: Found<T>;
  readonly freshness: Freshness;
  /** The cache's invalidation stamp at the time of the look. */
  readonly stamp: number;
  /** The records of the tags that were asked for. */
  readonly recordOf: RecordOf;
}

/** Judges what lies under a key: whether it is fresh, stale or as good as absent. */
export class Sights {
  constructor(
    private readonly keys: KeySpace,
    private readonly clock: StoreClock,
    private readonly stamps: Stamps,
    private readonly journal: Journal,
  ) {}

  of<T>(pair: KeyPair, payload: Payload | undefined, held: Found<T>, recordOf: RecordOf): Sight<T> {
    const stamp = this.stamps.current?.stamp ?? 0;
    const freshness =
      typeof held === 'object'
        ? this.freshnessOf(held, recordOf)
        : this.isPresentNumber(pair, held)
          ? 'fresh'
          : 'absent';
    return { pair, payload, held, freshness, stamp, recordOf };
  }

  /** A bare integer does not say when it was written: any pending change to its key is taken to be later. */
  private isPresentNumber({ fullKey }: KeyPair, held: number | undefined): boolean {
    if (held === undefined) return false;
    return this.journal.isEmpty || !this.journal.isPending(this.keys.pathOf(fullKey));
  }

  /** What an entry is worth now: its windows, its tags, and the changes that an outage has kept from the backend. */
  private freshnessOf<T>(entry: Entry<T>, recordOf: RecordOf): Freshness {
    const { guard } = entry;
    if (!this.journal.isEmpty && this.journal.hides(this.keys.pathOf(entry.fullKey), entry)) return 'absent';
    if (guard === undefined) return 'fresh';
    const now = guard.freshUntil === Infinity ? 0 : this.clock.now();
    const byTime = freshnessAt(guard, now);
    if (byTime === 'absent' || guard.tags.length === 0) return byTime;
    const state = judgeTags(guard.tags, recordOf);
    if (state === 'current') return byTime;
    return state === 'soft' && hasWindows(guard) && now < usableUntil(guard) ? 'stale' : 'absent';
  }
}

export function itself<T>(sight: Sight<T>): Sight<T> {
  return sight;
}

/** What a sight shows to readers that use no stale windows. */
export function presentIn<T>({ held, freshness }: Sight<T>): Found<T> {
  return freshness === 'fresh' ? held : undefined;
}
