import type {
  Awaitable,
  BackendCapabilities,
  CacheBackend,
  HeldObject,
  Payload,
} from '../backends/cache-backend.js';
import { systemClock, type Clock } from '../clock.js';

const OPERATIONS = [
  'get',
  'set',
  'delete',
  'ttl',
  'clear',
  'add',
  'increment',
  'touch',
  'compareAndSet',
  'compareAndDelete',
  'getMany',
  'setMany',
  'deleteMany',
  'prune',
] as const;

/** An operation that can be made to fail. `close` never is: a test must be able to end. */
export type FailingOperation = (typeof OPERATIONS)[number] | 'keys';

/** How a fault begins and ends. */
export interface FaultOptions {
  /** How many calls it meets; by default all of them until {@link FailingBackend.heal}. */
  readonly times?: number;
}

export interface FailureOptions extends FaultOptions {
  /** What the call rejects with; by default an `Error` with the code `ECONNRESET`. */
  readonly error?: Error;
  /** Whether the wrapped backend does its work first, so that only the answer is lost. By default it is not asked. */
  readonly takesEffect?: boolean;
}

interface Fault {
  remaining: number;
  meet(work: () => Awaitable<unknown>, operation: FailingOperation): Promise<unknown>;
}

/**
 * A backend whose server can be broken and mended: wraps another one, and passes calls on until it is told to fail, to
 * be slow or to hang. A later fault of the same operation replaces the earlier one.
 *
 * ```ts
 * const backend = new FailingBackend(new MemoryBackend(options));
 * backend.fail('set', { times: 1 });
 * backend.hang('all');
 * backend.heal();
 * ```
 */
export class FailingBackend<P = Payload | HeldObject> implements CacheBackend<P> {
  readonly name: string;
  readonly capabilities: BackendCapabilities;
  /** How often each operation was called, faulty or not. */
  readonly calls = new Map<FailingOperation, number>();

  declare readonly get: CacheBackend<P>['get'];
  declare readonly set: CacheBackend<P>['set'];
  declare readonly delete: CacheBackend<P>['delete'];
  declare readonly ttl: CacheBackend<P>['ttl'];
  declare readonly clear: CacheBackend<P>['clear'];
  declare readonly keys: NonNullable<CacheBackend<P>['keys']>;
  declare readonly prune: NonNullable<CacheBackend<P>['prune']>;
  declare readonly add: NonNullable<CacheBackend<P>['add']>;
  declare readonly increment: NonNullable<CacheBackend<P>['increment']>;
  declare readonly touch: NonNullable<CacheBackend<P>['touch']>;
  declare readonly compareAndSet: NonNullable<CacheBackend<P>['compareAndSet']>;
  declare readonly compareAndDelete: NonNullable<CacheBackend<P>['compareAndDelete']>;
  declare readonly getMany: NonNullable<CacheBackend<P>['getMany']>;
  declare readonly setMany: NonNullable<CacheBackend<P>['setMany']>;
  declare readonly deleteMany: NonNullable<CacheBackend<P>['deleteMany']>;

  private readonly faults = new Map<FailingOperation, Fault>();
  private readonly hanging = new Map<() => void, FailingOperation>();

  /**
   * @param inner what keeps the entries; an operation that it leaves out is left out here too
   * @param clock for {@link delay}
   */
  constructor(
    private readonly inner: CacheBackend<P>,
    private readonly clock: Clock = systemClock,
  ) {
    this.name = inner.name;
    this.capabilities = inner.capabilities;
    for (const operation of OPERATIONS) {
      const method = inner[operation] as ((...args: unknown[]) => Awaitable<unknown>) | undefined;
      if (method === undefined) continue;
      const call = (...args: unknown[]) => this.run(operation, () => method.apply(inner, args));
      Object.defineProperty(this, operation, { value: call, configurable: true, writable: true });
    }
    if (inner.keys !== undefined) {
      const value = (prefix: string) => this.list(prefix);
      Object.defineProperty(this, 'keys', { value, configurable: true, writable: true });
    }
  }

  /** Makes calls reject. */
  fail(operation: FailingOperation | 'all', options: FailureOptions = {}): void {
    const { takesEffect = false } = options;
    const error =
      options.error ?? Object.assign(new Error('The connection was reset.'), { code: 'ECONNRESET' });
    this.plant(operation, options, async (work) => {
      if (takesEffect) await work();
      throw error;
    });
  }

  /** Makes calls wait for so many milliseconds before they reach the wrapped backend. */
  delay(operation: FailingOperation | 'all', ms: number, options: FaultOptions = {}): void {
    this.plant(operation, options, async (work) => {
      await new Promise<void>((resolve) => void this.clock.after(ms, resolve));
      return work();
    });
  }

  /** Makes calls wait until {@link heal}, and go on then, as those of a frozen server do. */
  hang(operation: FailingOperation | 'all', options: FaultOptions = {}): void {
    this.plant(operation, options, async (work, called) => {
      await new Promise<void>((resolve) => void this.hanging.set(resolve, called));
      return work();
    });
  }

  /** Ends the faults of an operation, by default of all; what hangs goes on. */
  heal(operation: FailingOperation | 'all' = 'all'): void {
    for (const healed of operation === 'all' ? [...this.faults.keys()] : [operation])
      this.faults.delete(healed);
    for (const [release, called] of this.hanging) {
      if (operation !== 'all' && called !== operation) continue;
      this.hanging.delete(release);
      release();
    }
  }

  /** Closes the wrapped backend, and lets what hangs go on to find it closed. */
  async close(): Promise<void> {
    await this.inner.close();
    this.heal();
  }

  /** One fault for all operations counts its calls over all of them. */
  private plant(
    operation: FailingOperation | 'all',
    { times = Infinity }: FaultOptions,
    meet: Fault['meet'],
  ): void {
    const fault: Fault = { remaining: times, meet };
    const planted = operation === 'all' ? ([...OPERATIONS, 'keys'] as const) : [operation];
    for (const target of planted) this.faults.set(target, fault);
  }

  private run(operation: FailingOperation, work: () => Awaitable<unknown>): Awaitable<unknown> {
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    const fault = this.faults.get(operation);
    if (fault === undefined || fault.remaining <= 0) return work();
    fault.remaining -= 1;
    return fault.meet(work, operation);
  }

  private async *list(prefix: string): AsyncGenerator<string> {
    await this.run('keys', () => undefined);
    yield* this.inner.keys!(prefix);
  }
}
