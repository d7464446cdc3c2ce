import type { Clock } from '../clock.js';

/** A timer that rings so much late was kept from it by something else that ran. */
const LATE_MS = 20;

/** One call that waits for its answer. */
interface Waiting {
  readonly expiresAt: number;
  readonly expire: () => void;
}

/** The calls of one length that wait, each in a place of its own, and the places that are free again. */
interface Waitings {
  readonly places: (Waiting | undefined)[];
  readonly free: number[];
}

/**
 * Bounds the time that calls may take. All calls of one length share one timer, since a timer for each costs a Redis
 * read an eighth of its speed; when it rings, everybody who waits is looked at.
 *
 * What has settled leaves at once. Kept until its time was over, it doubled the time of a read from Redis, because the garbage
 * collector then copied the answers behind it. In a `Set` it did so still, now and then: the tables that a set outgrows point
 * to the next one.
 */
export class Deadlines {
  private readonly waitings = new Map<number, Waitings>();
  private readonly cancels = new Map<number, () => void>();

  constructor(private readonly clock: Clock) {}

  /**
   * What `onValue` and `onError` make of the promise's own outcome, or `onError` of what `timeout` makes when it takes longer
   * than `ms`. They are called here to spare each read one more promise.
   */
  bound<T, R>(
    promise: PromiseLike<T>,
    ms: number,
    timeout: () => Error,
    onValue: (value: T) => R,
    onError: (error: unknown) => R,
  ): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const expiresAt = this.clock.monotonic() + ms;
      const { places, free } = this.waitingsFor(ms);
      const place = free.pop() ?? places.length;
      const settle = <O>(outcome: O, conclude: (outcome: O) => R): void => {
        // Nothing comes of an answer after the deadline.
        if (places[place] !== waiting) return;
        places[place] = undefined;
        free.push(place);
        try {
          resolve(conclude(outcome));
        } catch (error) {
          reject(error);
        }
      };
      const waiting: Waiting = { expiresAt, expire: () => settle(timeout(), onError) };
      places[place] = waiting;
      promise.then(
        (value) => settle(value, onValue),
        (error: unknown) => settle(error, onError),
      );
    });
  }

  /** Stops the timers that nobody waits for any more. */
  close(): void {
    for (const [ms, { places, free }] of this.waitings) {
      if (free.length < places.length) continue;
      this.cancels.get(ms)?.();
      this.forget(ms);
    }
  }

  /** Where calls of a length wait; a timer goes with it. */
  private waitingsFor(ms: number): Waitings {
    const known = this.waitings.get(ms);
    if (known !== undefined) return known;
    const made: Waitings = { places: [], free: [] };
    this.waitings.set(ms, made);
    this.expireAfter(ms, ms, made);
    return made;
  }

  /** Expires what is due, and comes back for the next that still waits. */
  private expire(ms: number, waitings: Waitings): void {
    const now = this.clock.monotonic();
    for (const waiting of waitings.places)
      if (waiting !== undefined && waiting.expiresAt <= now) waiting.expire();
    // Only now: whoever was told of a failure may have begun another call.
    let next = Infinity;
    for (const waiting of waitings.places)
      if (waiting !== undefined) next = Math.min(next, waiting.expiresAt);
    if (next === Infinity) this.forget(ms);
    else this.expireAfter(Math.max(1, next - now), ms, waitings);
  }

  private expireAfter(delay: number, ms: number, waitings: Waitings): void {
    const due = this.clock.monotonic() + delay;
    const after = (time: number, then: () => void) => this.cancels.set(ms, this.clock.after(time, then));
    after(delay, () => {
      // It was the process that was held up. Answers that lie in its sockets are read before anybody is told that there is none;
      // else one long pause would fail every call under way, and open the circuit.
      if (this.clock.monotonic() - due > LATE_MS) after(1, () => this.expire(ms, waitings));
      else this.expire(ms, waitings);
    });
  }

  private forget(ms: number): void {
    this.waitings.delete(ms);
    this.cancels.delete(ms);
  }
}
