import type { Clock } from '../clock.js';

/** One call that waits for its answer. */
interface Waiting {
  readonly expiresAt: number;
  readonly expire: () => void;
}

/**
 * Bounds the time that calls may take. All calls of one length share one timer, since a timer for each costs a Redis
 * read an eighth of its speed: equal lengths end in the order in which they began, and that is the order of a set. What has
 * settled leaves the set at once. Kept until its time was over, it cost the garbage collector as much as a whole read.
 */
export class Deadlines {
  private readonly queues = new Map<number, Set<Waiting>>();
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
      const queue = this.queueOf(ms);
      const settle = <O>(outcome: O, conclude: (outcome: O) => R): void => {
        // Nothing comes of an answer after the deadline.
        if (!queue.delete(waiting)) return;
        try {
          resolve(conclude(outcome));
        } catch (error) {
          reject(error);
        }
      };
      const waiting: Waiting = { expiresAt, expire: () => settle(timeout(), onError) };
      queue.add(waiting);
      promise.then(
        (value) => settle(value, onValue),
        (error: unknown) => settle(error, onError),
      );
    });
  }

  /** Stops the timers that nobody waits for any more. */
  close(): void {
    for (const [ms, queue] of this.queues) {
      if (queue.size > 0) continue;
      this.cancels.get(ms)?.();
      this.forget(ms);
    }
  }

  /** Those who wait for so long, the first to expire at the head. A timer goes with it. */
  private queueOf(ms: number): Set<Waiting> {
    const queue = this.queues.get(ms);
    if (queue !== undefined) return queue;
    const started = new Set<Waiting>();
    this.queues.set(ms, started);
    this.expireAfter(ms, ms, started);
    return started;
  }

  /** Expires what is due, and comes back for the next that still waits. */
  private expire(ms: number, queue: Set<Waiting>): void {
    const now = this.clock.monotonic();
    for (const { expiresAt, expire } of queue) {
      if (expiresAt > now) {
        this.expireAfter(Math.max(1, expiresAt - now), ms, queue);
        return;
      }
      expire();
    }
    this.forget(ms);
  }

  private expireAfter(delay: number, ms: number, queue: Set<Waiting>): void {
    this.cancels.set(
      ms,
      this.clock.after(delay, () => this.expire(ms, queue)),
    );
  }

  private forget(ms: number): void {
    this.queues.delete(ms);
    this.cancels.delete(ms);
  }
}
