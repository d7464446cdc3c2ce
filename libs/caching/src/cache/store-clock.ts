import type { CompleteBackend } from '../backends/cache-backend.js';
import type { Clock } from '../clock.js';

/** The store's clock is looked at no more often, in milliseconds. */
const MEASURE_INTERVAL_MS = 60_000;
/** By so many milliseconds our two clocks may come apart before it is looked at anew. */
const MAX_DRIFT_MS = 1000;

/**
 * The clock that stamps go by: the store's own where it has one, so that processes with different clocks agree; this
 * process's wall clock where it has none; and a clock that never jumps where nobody else writes to the store.
 */
export class StoreClock {
  /** What the store's clock is ahead of our monotonic one, in milliseconds; `undefined`: go by the wall clock. */
  private ahead: number | undefined;
  private measuredAt = -Infinity;
  /** What our wall clock was ahead of our monotonic one at the last look. */
  private offset: number | undefined;

  constructor(
    private readonly backend: CompleteBackend,
    readonly local: Clock,
  ) {
    if (!backend.capabilities.shared) this.ahead = local.now() - local.monotonic();
  }

  /** Milliseconds since 1970. */
  now(): number {
    if (this.offset !== undefined) this.noticeJump(this.offset);
    return this.ahead === undefined ? this.local.now() : this.local.monotonic() + this.ahead;
  }

  /**
   * The monotonic clock stands still while the machine sleeps or is frozen, and then the wall clock jumps; so it does when the
   * system's time is corrected. Which it was only the store can tell; until it has, the wall clock is the better guess.
   */
  private noticeJump(offset: number): void {
    if (Math.abs(this.local.now() - this.local.monotonic() - offset) <= MAX_DRIFT_MS) return;
    this.ahead = undefined;
    this.offset = undefined;
    this.measuredAt = -Infinity;
    void this.measure();
  }

  /** Whole microseconds since 1970. */
  micros(): number {
    return Math.trunc(this.now() * 1000);
  }

  /** Looks at the store's clock if it has one and the last look was long ago. A failing store changes nothing. */
  measure(): Promise<void> | undefined {
    if (this.backend.time === undefined || !this.backend.capabilities.shared) return undefined;
    if (this.local.monotonic() - this.measuredAt < MEASURE_INTERVAL_MS) return undefined;
    // The next look is due after a while even if this one never ends.
    this.measuredAt = this.local.monotonic();
    return this.look();
  }

  private async look(): Promise<void> {
    const asked = this.local.monotonic();
    try {
      const time = await this.backend.time?.();
      const answered = this.local.monotonic();
      if (time === undefined) return;
      this.ahead = time - (asked + answered) / 2;
      this.offset = this.local.now() - answered;
    } catch {
      // The store fails; whoever needs it for more than its clock says so. Whoever comes next looks again.
      this.measuredAt = -Infinity;
    }
  }
}
