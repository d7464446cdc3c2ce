import type { Clock } from '../clock.js';

export interface BreakerOptions {
  /** After so many failures in a row the circuit opens. */
  readonly failures: number;
  /** So long it stays open before one call may try again, in milliseconds. */
  readonly pauseMs: number;
}

/**
 * A half-open circuit breaker: after a number of failures in a row a backend is not called at all, save for one call in
 * each pause, and the first of these that succeeds closes the circuit.
 */
export class Breaker {
  private failures = 0;
  /** When the next call may try, on the monotonic clock; `undefined` while the circuit is closed. */
  private retryAt: number | undefined;

  constructor(
    private readonly options: BreakerOptions,
    private readonly clock: Clock,
  ) {}

  /** Whether a call may be made now. */
  get isReady(): boolean {
    return this.retryAt === undefined || this.clock.monotonic() >= this.retryAt;
  }

  /**
   * A call begins that takes at most so many milliseconds. While the circuit is open it is the one that tries, and nobody
   * else does until its time is over.
   */
  begin(deadlineMs: number): void {
    if (this.retryAt === undefined) return;
    this.retryAt = this.clock.monotonic() + Math.max(this.options.pauseMs, deadlineMs);
  }

  succeeded(): void {
    this.failures = 0;
    this.retryAt = undefined;
  }

  failed(): void {
    this.failures += 1;
    if (this.failures >= this.options.failures) this.retryAt = this.clock.monotonic() + this.options.pauseMs;
  }
}
