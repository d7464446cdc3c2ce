import type { Clock } from '../clock.js';
import { LoadCycleError, LoadTimeoutError, TooManyLoadsError } from '../errors.js';

/** The most failures that are remembered. */
const MAX_ERRORS = 1000;
/** The life of a failure varies by this part, so that the callers of many keys do not come back at once. */
const JITTER = 0.2;

/**
 * The failures of the last moment, in this process: callers of a key whose load has just failed get the same error
 * without another run, so that a broken source is not stormed.
 */
export class LoadErrors {
  private readonly errors = new Map<string, { readonly error: unknown; readonly until: number }>();

  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  /** The failure of a key, if it was a moment ago. */
  recent(id: string): { readonly error: unknown } | undefined {
    const failure = this.errors.get(id);
    if (failure === undefined) return undefined;
    if (this.clock.monotonic() < failure.until) return failure;
    this.errors.delete(id);
    return undefined;
  }

  note(id: string, error: unknown, errorTtlMs: number): void {
    if (errorTtlMs <= 0 || !isFailureOfSource(error)) return;
    const life = errorTtlMs * (1 + JITTER * (this.random() - 0.5));
    this.errors.delete(id);
    this.errors.set(id, { error, until: this.clock.monotonic() + life });
    if (this.errors.size > MAX_ERRORS) {
      const [oldest] = this.errors.keys();
      if (oldest !== undefined) this.errors.delete(oldest);
    }
  }

  forget(id: string): void {
    if (this.errors.size > 0) this.errors.delete(id);
  }
}

/** Whether an error speaks of the source, rather than of the caller (an HttpException below 500) or of the cache. */
function isFailureOfSource(error: unknown): boolean {
  if (
    error instanceof LoadCycleError ||
    error instanceof LoadTimeoutError ||
    error instanceof TooManyLoadsError
  )
    return false;
  const { name, getStatus } = (error ?? {}) as { name?: unknown; getStatus?: unknown };
  if (name === 'AbortError' || name === 'TimeoutError') return false;
  if (typeof getStatus !== 'function') return true;
  const status: unknown = Reflect.apply(getStatus, error, []);
  return !(typeof status === 'number' && status < 500);
}
