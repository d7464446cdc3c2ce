import { Logger } from '@nestjs/common';
import type { Awaitable } from '../backends/cache-backend.js';
import type { Clock } from '../clock.js';
import {
  BackendError,
  BackendTimeoutError,
  CacheClosedError,
  CachingError,
  CircuitOpenError,
} from '../errors.js';
import { Breaker, type BreakerOptions } from './breaker.js';
import type { Counters } from './counters.js';
import { Deadlines } from './deadlines.js';

export interface FailurePolicyOptions {
  /** How long a read may take, in milliseconds. */
  readonly readDeadline: number;
  /** How long a write may take, in milliseconds. */
  readonly writeDeadline: number;
  /** Whether a failed write rejects, or answers as if nothing had been there. */
  readonly onError: 'throw' | 'ignore';
  readonly breaker: BreakerOptions;
}

/** One warning for each kind of operation in this time: an outage must not flood the log. */
const LOG_INTERVAL_MS = 60_000;

/**
 * What happens when a backend fails or does not answer, decided in one place. Reads fail open: the failure is logged and
 * the answer is that of an empty cache. Everything else rejects with a typed error, unless `onError` is `'ignore'`. A
 * backend that keeps failing is left alone for a while (see {@link Breaker}).
 */
export class FailurePolicy {
  private readonly logger = new Logger('Caching');
  private readonly deadlines: Deadlines;
  /**
   * Reads that fail keep everything from the backend; writes that fail (a full or read-only server) keep only writes. Removals
   * have a circuit of their own, because a full server takes them.
   */
  private readonly reads: Breaker;
  private readonly writes: Breaker;
  private readonly removals: Breaker;
  private readonly lastLogged = new Map<string, number>();
  /** What the backend failed with last: why it is not asked while a circuit is open. */
  private lastFailure: unknown;
  private isClosed = false;

  constructor(
    private readonly cache: string,
    private readonly options: FailurePolicyOptions,
    private readonly clock: Clock,
    private readonly counters: Counters,
  ) {
    this.deadlines = new Deadlines(clock);
    this.reads = new Breaker(options.breaker, clock);
    this.writes = new Breaker(options.breaker, clock);
    this.removals = new Breaker(options.breaker, clock);
  }

  /** A read: its answer, or `absent` when the backend fails. */
  read<T>(operation: string, call: () => Awaitable<T>, absent: T): Awaitable<T> {
    return this.settle(operation, this.reads, call, (error) => this.overlook(error, operation, absent));
  }

  /**
   * A write: rejects when the backend fails, or answers `ignored` if the cache is configured so. `missed` is told first
   * that the backend may not have got it.
   */
  write<T>(operation: string, call: () => Awaitable<T>, ignored: T, missed?: () => void): Awaitable<T> {
    return this.change(operation, this.writes, call, ignored, missed);
  }

  /** {@link write} of what only makes room. */
  remove<T>(operation: string, call: () => Awaitable<T>, ignored: T, missed?: () => void): Awaitable<T> {
    return this.change(operation, this.removals, call, ignored, missed);
  }

  /**
   * An operation whose answer nobody can make up: rejects whatever `onError` says.
   *
   * @param isRemoval whether it only makes room
   */
  demand<T>(operation: string, call: () => Awaitable<T>, isRemoval = false): Awaitable<T> {
    return this.settle(operation, isRemoval ? this.removals : this.writes, call, (error) => {
      throw error;
    });
  }

  /** A write that its caller can do without: a failing backend is logged and forgotten, a closed cache forgotten. */
  async forgive(operation: string, call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      if (!(error instanceof CacheClosedError))
        this.overlook(this.typed(error, operation), operation, undefined);
    }
  }

  /** From now on every operation is refused. Ends when the backend has closed, or at the deadline. */
  async close(close: () => Awaitable<void>, deadline: number): Promise<void> {
    this.isClosed = true;
    const closing = (async () => close())();
    await this.deadlines.bound(
      closing,
      deadline,
      () => new BackendTimeoutError(this.cache, 'close', deadline),
      () => undefined,
      (error) => this.logger.warn(this.typed(error, 'close').message),
    );
    this.deadlines.close();
  }

  private change<T>(
    operation: string,
    circuit: Breaker,
    call: () => Awaitable<T>,
    ignored: T,
    missed: (() => void) | undefined,
  ): Awaitable<T> {
    return this.settle(operation, circuit, call, (error) => {
      if (error instanceof BackendError) missed?.();
      if (this.options.onError === 'ignore') return this.overlook(error, operation, ignored);
      throw error;
    });
  }

  private settle<T>(
    operation: string,
    circuit: Breaker,
    call: () => Awaitable<T>,
    onFailure: (error: CachingError) => T,
  ): Awaitable<T> {
    if (this.isClosed) throw new CacheClosedError(this.cache);
    const deadline = circuit === this.reads ? this.options.readDeadline : this.options.writeDeadline;
    // Both are asked before either is told, or one would hold its turn free for a call that the other refuses.
    if (!this.reads.isReady || !circuit.isReady) {
      this.counters.shortCircuited += 1;
      return onFailure(new CircuitOpenError(this.cache, operation, { cause: this.lastFailure }));
    }
    this.reads.begin(deadline);
    circuit.begin(deadline);
    let answer: Awaitable<T>;
    try {
      answer = call();
    } catch (error) {
      return onFailure(this.failed(error, operation, circuit));
    }
    if (!isPromise(answer)) return this.succeeded(answer, circuit);
    return this.deadlines.bound(
      answer,
      deadline,
      () => new BackendTimeoutError(this.cache, operation, deadline),
      (settled) => this.succeeded(settled, circuit),
      (error) => onFailure(this.failed(error, operation, circuit)),
    );
  }

  private succeeded<T>(answer: T, circuit: Breaker): T {
    this.reads.succeeded();
    circuit.succeeded();
    return answer;
  }

  /** A refusal of the backend's is no failure of it. */
  private failed(error: unknown, operation: string, circuit: Breaker): CachingError {
    const typed = this.typed(error, operation);
    if (typed instanceof BackendError) {
      this.counters.backendErrors += 1;
      this.lastFailure = typed.cause ?? typed;
      circuit.failed();
    } else {
      this.succeeded(undefined, circuit);
    }
    return typed;
  }

  /** What the driver threw becomes the cause; what is ours already says what to do. */
  private typed(error: unknown, operation: string): CachingError {
    return error instanceof CachingError ? error : new BackendError(this.cache, operation, { cause: error });
  }

  private overlook<T>(error: CachingError, operation: string, answer: T): T {
    if (!(error instanceof BackendError)) throw error;
    if (this.isClosed) return answer;
    const now = this.clock.monotonic();
    const last = this.lastLogged.get(operation);
    if (last === undefined || now - last >= LOG_INTERVAL_MS) {
      this.lastLogged.set(operation, now);
      this.logger.warn(
        `${error.message} Carrying on without it; more such failures within a minute are not logged.`,
      );
    }
    return answer;
  }
}

/** Whether an answer comes later. */
export function isPromise<T>(answer: Awaitable<T>): answer is PromiseLike<T> {
  return (
    typeof answer === 'object' && answer !== null && typeof (answer as PromiseLike<T>).then === 'function'
  );
}
