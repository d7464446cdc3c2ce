import type {
  BackendCapabilities,
  BackendWrite,
  CompleteBackend,
  Payload,
} from '../../libs/caching/src/backends/cache-backend.js';
import { NotANumberError } from '../../libs/caching/src/errors.js';
import type { World } from './world.js';

interface Record {
  readonly payload: Payload;
  readonly expiresAt: number;
}

/** The server: one state for all nodes, with a clock of its own. Every command is one step. */
export class Store {
  private records = new Map<string, Record>();
  private snapshot = new Map<string, Record>();
  private skew = 0;

  constructor(private readonly world: World) {}

  time(): number {
    return 1_800_000_000_000 + this.world.now + this.skew;
  }

  jump(ms: number): void {
    this.skew += ms;
  }

  save(): void {
    this.snapshot = new Map(this.records);
  }

  restore(): void {
    this.records = new Map(this.snapshot);
  }

  /** Drops a record that the server needs the room of. */
  evict(matching: (key: string) => boolean): void {
    const keys = [...this.records.keys()].filter(matching);
    if (keys.length > 0) this.records.delete(this.world.pick(keys));
  }

  get(key: string): Payload | undefined {
    const record = this.records.get(key);
    return record === undefined || record.expiresAt <= this.time() ? undefined : record.payload;
  }

  set(key: string, payload: Payload, ttlMs: number | null): void {
    this.records.set(key, {
      payload: typeof payload === 'number' ? payload : Buffer.from(payload),
      expiresAt: ttlMs === null ? Infinity : this.time() + ttlMs,
    });
  }

  add(key: string, payload: Payload, ttlMs: number | null): boolean {
    if (this.get(key) !== undefined) return false;
    this.set(key, payload, ttlMs);
    return true;
  }

  delete(key: string): boolean {
    const wasPresent = this.get(key) !== undefined;
    this.records.delete(key);
    return wasPresent;
  }

  ttl(key: string): number | null | undefined {
    if (this.get(key) === undefined) return undefined;
    const { expiresAt } = this.records.get(key) as Record;
    return expiresAt === Infinity ? null : expiresAt - this.time();
  }

  touch(key: string, ttlMs: number | null): boolean {
    const payload = this.get(key);
    if (payload === undefined) return false;
    this.set(key, payload, ttlMs);
    return true;
  }

  compareAndSet(key: string, expected: Payload, payload: Payload, ttlMs: number | null): boolean {
    if (!isSame(this.get(key), expected)) return false;
    this.set(key, payload, ttlMs);
    return true;
  }

  compareAndDelete(key: string, expected: Payload): boolean {
    if (!isSame(this.get(key), expected)) return false;
    this.records.delete(key);
    return true;
  }
}

/** What may go wrong between a node and the server, as probabilities. */
export interface Faults {
  /** The longest way of a command or an answer, in milliseconds. */
  readonly delay: number;
  /** A command that never arrives, or whose answer does not. */
  readonly drop: number;
  /** A command that arrives a second time, later. */
  readonly duplicate: number;
  /** A command that the server refuses. */
  readonly error: number;
}

/** The connection of one node. Commands may overtake each other. */
export class SimulatedBackend implements CompleteBackend {
  readonly name = 'simulated';
  readonly capabilities: BackendCapabilities = {
    atomicity: 'shared',
    shared: true,
    lists: false,
    holdsObjects: false,
    stores: true,
  };
  faults: Faults;
  isCut = false;

  constructor(
    private readonly world: World,
    protected readonly store: Store,
    faults: Faults,
  ) {
    this.faults = faults;
  }

  time = (): Promise<number> => this.call(() => this.store.time());
  get = (key: string): Promise<Payload | undefined> => this.call(() => this.store.get(key));
  ttl = (key: string): Promise<number | null | undefined> => this.call(() => this.store.ttl(key));
  getMany = (keys: readonly string[]): Promise<(Payload | undefined)[]> =>
    this.call(() => keys.map((key) => this.store.get(key)));
  // A stream does not repeat commands: a plain write that came twice could bring anything back, on any store.
  set = (key: string, payload: Payload, ttlMs: number | null): Promise<void> =>
    this.call(() => this.store.set(key, payload, ttlMs));
  setMany = (writes: readonly BackendWrite[]): Promise<string[]> =>
    this.call(() => {
      for (const { key, payload, ttlMs } of writes) this.store.set(key, payload, ttlMs);
      return [];
    });
  delete = (key: string): Promise<boolean> => this.call(() => this.store.delete(key), true);
  deleteMany = (keys: readonly string[]): Promise<number> =>
    this.call(() => keys.filter((key) => this.store.delete(key)).length, true);
  add = (key: string, payload: Payload, ttlMs: number | null): Promise<boolean> =>
    this.call(() => this.store.add(key, payload, ttlMs), true);
  touch = (key: string, ttlMs: number | null): Promise<boolean> =>
    this.call(() => this.store.touch(key, ttlMs), true);
  compareAndSet = (
    key: string,
    expected: Payload,
    payload: Payload,
    ttlMs: number | null,
  ): Promise<boolean> => this.call(() => this.store.compareAndSet(key, expected, payload, ttlMs), true);
  compareAndDelete = (key: string, expected: Payload): Promise<boolean> =>
    this.call(() => this.store.compareAndDelete(key, expected), true);
  increment = (): Promise<number | undefined> => Promise.reject(new NotANumberError());
  clear = (): void => undefined;
  close = (): void => undefined;

  private call<T>(command: () => T, isRepeatable = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const { delay, drop, duplicate, error } = this.faults;
      const way = (): number => this.world.between(0.1, delay);
      if (this.isCut || this.world.happens(drop)) return;
      if (isRepeatable && this.world.happens(duplicate)) {
        this.world.after(way() + way(), () => void (this.isCut || command()));
      }
      const isRefused = this.world.happens(error);
      const isAnswerLost = this.world.happens(drop);
      this.world.after(way(), () => {
        if (this.isCut) return;
        const answer = isRefused ? undefined : command();
        if (isAnswerLost) return;
        this.world.after(way(), () => {
          if (isRefused) reject(new Error('refused'));
          else resolve(answer as T);
        });
      });
    });
  }
}

function isSame(held: Payload | undefined, expected: Payload): boolean {
  if (held instanceof Uint8Array && expected instanceof Uint8Array)
    return Buffer.compare(held, expected) === 0;
  return held === expected;
}
