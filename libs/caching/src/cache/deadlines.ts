import type { Clock } from '../clock.js';

/** One call that waits for its answer. */
interface Waiting {
  readonly expiresAt: number;
  readonly expire: () => void;
  isSettled: boolean;
}

/**
 * Bounds the time that calls may take. All calls of one length share one timer, since a timer for each costs a Redis
 * read an eighth of its speed: equal lengths end in the order in which they began, so a queue is enough.
 */
export class Deadlines {
  private readonly queues = new Map<number, Waiting[]>();
  private readonly cancels = new Map<number, () => void>();

  constructor(private readonly clock: Clock) {}

  /** The promise's own outcome, or the rejection that `timeout` makes when it takes longer than `ms`. */
  bound<T>(promise: PromiseLike<T>, ms: number, timeout: () => Error): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const waiting: Waiting = {
        expiresAt: this.clock.monotonic() + ms,
        expire: () => reject(timeout()),
        isSettled: false,
      };
      this.enqueue(ms, waiting);
      promise.then(
        (value) => {
          waiting.isSettled = true;
          resolve(value);
        },
        (error: unknown) => {
          waiting.isSettled = true;
          reject(error);
        },
      );
    });
  }

  /** Stops the timers that nobody waits for any more. */
  close(): void {
    for (const [ms, queue] of this.queues) {
      if (queue.some(({ isSettled }) => !isSettled)) continue;
      this.cancels.get(ms)?.();
      this.forget(ms);
    }
  }

  private enqueue(ms: number, waiting: Waiting): void {
    const queue = this.queues.get(ms);
    if (queue !== undefined) {
      queue.push(waiting);
      return;
    }
    const started = [waiting];
    this.queues.set(ms, started);
    this.expireAfter(ms, ms, started);
  }

  /** Expires what is due, forgets what has settled, and comes back for the next that still waits. */
  private expire(ms: number, queue: Waiting[]): void {
    const now = this.clock.monotonic();
    const next = queue.findIndex((waiting) => !waiting.isSettled && waiting.expiresAt > now);
    const due = queue.splice(0, next === -1 ? queue.length : next);
    for (const waiting of due) if (!waiting.isSettled) waiting.expire();
    const [first] = queue;
    if (first === undefined) this.forget(ms);
    else this.expireAfter(Math.max(1, first.expiresAt - now), ms, queue);
  }

  private expireAfter(delay: number, ms: number, queue: Waiting[]): void {
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
