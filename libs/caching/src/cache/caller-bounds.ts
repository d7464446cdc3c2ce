import type { Clock } from '../clock.js';
import { LoadTimeoutError } from '../errors.js';

/** How long one caller waits, whatever the load does. */
export interface CallerBounds {
  /** After so many milliseconds the caller gets a `LoadTimeoutError`. */
  readonly timeoutMs?: number | undefined;
  /** After so many milliseconds the caller gets a stale value, if there is one. */
  readonly softTimeoutMs?: number | undefined;
  /** The caller's own end of patience. */
  readonly signal?: AbortSignal | undefined;
}

/** A caller whose wait is bounded, as the work for it sees it. */
export interface BoundedCaller<T> {
  /** Says that a stale value is there, in case the caller would rather not wait. It is asked for when it is taken. */
  offer(stale: () => T): void;
  /** What to do when the caller leaves before the work is done. The last one given counts. */
  onLeave: (() => void) | undefined;
  /** Whether the caller has left. */
  readonly hasLeft: boolean;
}

/** Bounds the total wait of one caller; the work goes on for others. */
export function bounded<T>(
  cache: string,
  { timeoutMs, softTimeoutMs, signal }: CallerBounds,
  clock: Clock,
  work: (caller: BoundedCaller<T>) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let stale: (() => T) | undefined;
    let isSoftOver = false;
    let hasLeft = false;
    const cancels: (() => void)[] = [];
    const settle = (end: () => void): void => {
      for (const cancel of cancels) cancel();
      end();
    };
    const leave = (end: () => void): void => {
      hasLeft = true;
      settle(end);
      caller.onLeave?.();
    };
    const giveStale = (): void => {
      const offered = stale;
      if (isSoftOver && !hasLeft && offered !== undefined) leave(() => resolve(offered()));
    };
    const caller: BoundedCaller<T> = {
      offer(offered) {
        stale = offered;
        giveStale();
      },
      onLeave: undefined,
      get hasLeft() {
        return hasLeft;
      },
    };
    if (signal !== undefined) {
      // A reason may be anything, as with fetch.
      const abort = (): void => leave(() => reject(signal.reason as Error));
      if (signal.aborted) {
        abort();
        return;
      }
      signal.addEventListener('abort', abort, { once: true });
      cancels.push(() => signal.removeEventListener('abort', abort));
    }
    if (timeoutMs !== undefined) {
      cancels.push(clock.after(timeoutMs, () => leave(() => reject(new LoadTimeoutError(cache, timeoutMs)))));
    }
    if (softTimeoutMs !== undefined) {
      const end = (): void => {
        isSoftOver = true;
        giveStale();
      };
      cancels.push(clock.after(softTimeoutMs, end));
    }
    work(caller).then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}
