import type { Clock } from '../../libs/caching/src/clock.js';
import { seededRandom } from '../../libs/caching/src/cache/random.js';

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time and chance: everything that happens in a simulation is an event of this world, in the order of the seed. */
export class World {
  /** Milliseconds since the beginning. */
  now = 0;
  readonly random: () => number;
  private readonly events: Event[] = [];
  private order = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  /** Whether something with this probability happens now. */
  happens(probability: number): boolean {
    return this.random() < probability;
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }

  /** Lets something happen after so many milliseconds; the result calls it off. */
  after(ms: number, run: () => void): () => void {
    const event: Event = { at: this.now + Math.max(0, ms), order: (this.order += 1), run };
    let at = this.events.length;
    this.events.push(event);
    // A binary heap by time, then by order.
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, this.events[parent] as Event)) break;
      this.events[at] = this.events[parent] as Event;
      at = parent;
    }
    this.events[at] = event;
    return () => this.cancelled.add(event);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Runs what is due until a moment. Between two moments every promise that can go on has gone on. */
  async runUntil(end: number): Promise<void> {
    for (;;) {
      await drained();
      const first = this.events[0];
      if (first === undefined || first.at > end) break;
      this.pop();
      if (this.cancelled.delete(first)) continue;
      this.now = Math.max(this.now, first.at);
      first.run();
    }
    this.now = Math.max(this.now, end);
  }

  private readonly cancelled = new Set<Event>();

  private pop(): void {
    const last = this.events.pop() as Event;
    const { length } = this.events;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(this.events[child + 1] as Event, this.events[child] as Event))
        child += 1;
      if (!isBefore(this.events[child] as Event, last)) break;
      this.events[at] = this.events[child] as Event;
      at = child;
    }
    this.events[at] = last;
  }
}

/** The clocks of one node: its wall clock is skewed and may jump, and its timers die with it. */
export class NodeClock implements Clock {
  isCrashed = false;
  pending = 0;

  constructor(
    private readonly world: World,
    private skew: number,
  ) {}

  now(): number {
    return 1_800_000_000_000 + this.world.now + this.skew;
  }

  monotonic(): number {
    return this.world.now;
  }

  after(ms: number, callback: () => void): () => void {
    this.pending += 1;
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.pending -= 1;
      isOver = true;
    };
    const cancel = this.world.after(ms, () => {
      end();
      if (!this.isCrashed) callback();
    });
    return () => {
      end();
      cancel();
    };
  }

  jump(ms: number): void {
    this.skew += ms;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

function drained(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
