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

  /**
   * Whether a call that takes at most so many milliseconds may be made now. While the circuit is open, a caller that is
   * told yes is the one that tries, and nobody else does until its time is over.
   */
  admits(deadlineMs: number): boolean {
    if (this.retryAt === undefined) return true;
    const now = this.clock.monotonic();
    if (now < this.retryAt) return false;
    this.retryAt = now + Math.max(this.options.pauseMs, deadlineMs);
    return true;
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
