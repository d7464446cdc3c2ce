/**
 * Every look at the time and every timer goes through a clock, so that tests can move it
 * (`FakeClock` in `nestjs-caching/testing`).
 */
export interface Clock {
  /** The wall clock: milliseconds since 1970. May jump. */
  now(): number;
  /** A clock that never goes back: milliseconds since some fixed moment. Ages and deadlines within a process go by it. */
  monotonic(): number;
  /**
   * Calls back once after so many milliseconds. The result cancels it. It does not keep the process alive, unless
   * somebody waits for nothing else: for a lock or a load of another process.
   */
  after(ms: number, callback: () => void, keepsAlive?: boolean): () => void;
}

/** The longest delay that `setTimeout` keeps; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, keepsAlive = false) {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMEOUT_MS));
    if (!keepsAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};
