import type { Clock } from '../clock.js';

interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until a test moves it. Timers fire inside {@link advance}, in the order in which they are
 * due; those due at the same moment in the order in which they were started.
 */
export class FakeClock implements Clock {
  private wall: number;
  private passed = 0;
  private readonly timers = new Set<Timer>();

  /** @param now where the wall clock begins, in milliseconds since 1970; by default 2026-01-01T00:00:00Z */
  constructor(now: number = Date.UTC(2026, 0, 1)) {
    this.wall = now;
  }

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.passed;
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { due: this.passed + Math.max(0, ms), callback };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  /** How many timers wait. */
  get pending(): number {
    return this.timers.size;
  }

  /** Moves both clocks on by so many milliseconds and fires what falls due on the way, timers started there included. */
  advance(ms: number): void {
    if (!(ms >= 0))
      throw new RangeError('advance() takes milliseconds, at least 0; jump() moves the wall clock back.');
    const end = this.passed + ms;
    for (let timer = this.next(end); timer !== undefined; timer = this.next(end)) {
      this.timers.delete(timer);
      this.moveTo(timer.due);
      timer.callback();
    }
    this.moveTo(end);
  }

  /** Moves the wall clock alone, back with a negative number, as a correction of the system's time does. */
  jump(ms: number): void {
    this.wall += ms;
  }

  private next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) {
      if (timer.due <= end && (first === undefined || timer.due < first.due)) first = timer;
    }
    return first;
  }

  private moveTo(moment: number): void {
    this.wall += moment - this.passed;
    this.passed = moment;
  }
}
