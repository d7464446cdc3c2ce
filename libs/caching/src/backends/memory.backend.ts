import { systemClock, type Clock } from '../clock.js';
import { NotANumberError, NumberOutOfRangeError, ValueTooLargeError } from '../errors.js';
import type {
  Awaitable,
  BackendCapabilities,
  BackendWrite,
  CompleteBackend,
  HeldObject,
  Payload,
} from './cache-backend.js';
import { Clearing } from './memory/clearing.js';
import { EntryTable } from './memory/entry-table.js';
import { entrySize } from './memory/payload-size.js';

/** Entries freed, or keys listed, in one go; a millisecond or two. */
const SLICE = 2_000;

/** Resolved options of the memory backend. */
export interface MemoryBackendOptions {
  /** The most entries that are kept, at least 1, at most 16,777,216. Suggested: 100,000. */
  readonly maxEntries: number;
  /**
   * The most bytes that all entries take together, at least 1,024; keys, payloads and a measured overhead per entry are
   * counted. Suggested: 67,108,864 (64 MiB).
   */
  readonly maxBytes: number;
  /** Milliseconds between two sweeps for expired entries; 0 for none. Suggested: 30,000. */
  readonly sweepInterval: number;
}

type Held = Payload | HeldObject;

/**
 * Keeps entries in this process, up to a number and a size. Room is made by dropping what has expired, then what was not
 * used for longest (by `get`, `set` and `increment`). Every operation answers at once, save a `clear` and a `prune` of
 * many entries. Lives go by the monotonic clock, so a correction of the system's time changes nothing.
 *
 * Bytes are copied on `set` and shared on `get`: do not write to what `get` gives. Held objects are kept by reference.
 */
export class MemoryBackend implements CompleteBackend<Held> {
  readonly name = 'memory';
  readonly capabilities: BackendCapabilities = {
    atomicity: 'process',
    shared: false,
    lists: true,
    holdsObjects: true,
    ordered: true,
    stores: true,
  };

  private table: EntryTable;
  private clearing: Clearing;
  private closed = false;
  private cancelSweep: (() => void) | undefined;

  constructor(
    private readonly options: MemoryBackendOptions,
    private readonly clock: Clock = systemClock,
  ) {
    this.table = new EntryTable(options.maxEntries);
    this.clearing = new Clearing(this.table);
  }

  get(key: string): Held | undefined {
    const slot = this.find(key);
    if (slot === 0) return undefined;
    this.table.recency.makeYoungest(slot);
    return this.table.payloads.get(slot);
  }

  /** @throws ValueTooLargeError if the entry alone passes `maxBytes` */
  set(key: string, payload: Held, ttlMs: number | null): void {
    this.assertOpen();
    // What has expired there may as well be overwritten in its place.
    this.put(this.table.slotOf(key) ?? 0, key, payload, ttlMs);
  }

  delete(key: string): boolean {
    const slot = this.find(key);
    if (slot === 0) return false;
    this.table.drop(slot);
    return true;
  }

  ttl(key: string): number | null | undefined {
    const slot = this.find(key);
    if (slot === 0) return undefined;
    const moment = this.table.queue.momentOf(slot);
    return moment === null ? null : Math.max(1, Math.ceil(moment - this.clock.monotonic()));
  }

  clear(prefix: string): Awaitable<void> {
    this.assertOpen();
    return this.clearing.clear(prefix);
  }

  close(): void {
    this.closed = true;
    this.cancelSweep?.();
    this.cancelSweep = undefined;
    this.clearing.stop();
    this.table = new EntryTable(1);
    this.clearing = new Clearing(this.table);
  }

  async *keys(prefix: string): AsyncGenerator<string> {
    this.assertOpen();
    const { table } = this;
    for (let slot = 1; slot < table.end; slot += 1) {
      if (slot % SLICE === 0) await nextTurn();
      // Whoever reads the list may have closed the backend since.
      this.assertOpen();
      const key = table.keyAt(slot);
      if (key !== undefined && key.startsWith(prefix) && this.isPresent(slot)) yield key;
    }
  }

  /** Answers at once unless there is a lot to free. */
  prune(): Awaitable<number> {
    this.assertOpen();
    const freed = this.freeExpired();
    return this.isDue() ? this.pruneOn(freed) : freed;
  }

  add(key: string, payload: Held, ttlMs: number | null): boolean {
    if (this.find(key) !== 0) return false;
    this.put(0, key, payload, ttlMs);
    return true;
  }

  increment(
    key: string,
    delta: number,
    initial: number | undefined,
    ttlMs: number | null,
  ): number | undefined {
    const slot = this.find(key);
    const from = slot === 0 ? initial : this.table.payloads.get(slot);
    if (from === undefined) return undefined;
    if (typeof from !== 'number') throw new NotANumberError();
    // Adding 0 turns −0 into 0.
    const sum = from + delta + 0;
    if (!Number.isSafeInteger(sum)) throw new NumberOutOfRangeError();
    if (slot === 0) {
      this.put(0, key, sum, ttlMs);
    } else {
      this.table.payloads.set(slot, sum);
      this.table.recency.makeYoungest(slot);
    }
    return sum;
  }

  touch(key: string, ttlMs: number | null): boolean {
    const slot = this.find(key);
    if (slot === 0) return false;
    this.table.queue.set(slot, this.momentAfter(ttlMs));
    if (ttlMs !== null) this.sweepLater();
    return true;
  }

  compareAndSet(key: string, expected: Held, payload: Held, ttlMs: number | null): boolean {
    const slot = this.find(key);
    if (slot === 0 || !isSame(this.table.payloads.get(slot)!, expected)) return false;
    this.put(slot, key, payload, ttlMs);
    return true;
  }

  compareAndDelete(key: string, expected: Held): boolean {
    const slot = this.find(key);
    if (slot === 0 || !isSame(this.table.payloads.get(slot)!, expected)) return false;
    this.table.drop(slot);
    return true;
  }

  getMany(keys: readonly string[]): (Held | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  /** A payload that is too large is refused by itself. */
  setMany(writes: readonly BackendWrite<Held>[]): string[] {
    const refused = new Set<string>();
    for (const { key, payload, ttlMs } of writes) {
      refused.delete(key);
      try {
        this.set(key, payload, ttlMs);
      } catch (error) {
        if (!(error instanceof ValueTooLargeError)) throw error;
        refused.add(key);
      }
    }
    return [...refused];
  }

  deleteMany(keys: readonly string[]): number {
    return keys.reduce((count, key) => count + (this.delete(key) ? 1 : 0), 0);
  }

  /** The slot of a present key, 0 if it is absent. What is found to have expired is freed. */
  private find(key: string): number {
    this.assertOpen();
    const slot = this.table.slotOf(key);
    if (slot === undefined) return 0;
    if (this.isPresent(slot)) return slot;
    this.table.drop(slot);
    return 0;
  }

  private isPresent(slot: number): boolean {
    const moment = this.table.queue.momentOf(slot);
    if (moment !== null && moment <= this.clock.monotonic()) return false;
    return !this.clearing.active || !this.clearing.covers(slot);
  }

  /** Stores in the slot that the key has, or in a new one if that is 0. */
  private put(taken: number, key: string, payload: Held, ttlMs: number | null): void {
    const { table, options } = this;
    const size = entrySize(key, payload);
    if (size > options.maxBytes) {
      if (taken !== 0) table.drop(taken);
      throw new ValueTooLargeError(size, options.maxBytes);
    }
    const kept = payload instanceof Uint8Array ? new Uint8Array(payload) : payload;
    if (taken === 0) this.makeRoom(options.maxEntries - 1, options.maxBytes - size);
    const slot = taken === 0 ? table.insert(key) : taken;
    table.recency.makeYoungest(slot);
    table.fill(slot, kept, size, this.momentAfter(ttlMs), this.clearing.begun);
    this.makeRoom(options.maxEntries, options.maxBytes);
    if (ttlMs !== null) this.sweepLater();
  }

  /** Drops entries, expired ones first, until no more than so much is there. */
  private makeRoom(maxEntries: number, maxBytes: number): void {
    const { table } = this;
    while (table.count > maxEntries || table.bytes > maxBytes) {
      const expired = table.queue.expired(this.clock.monotonic());
      table.drop(expired === 0 ? table.recency.oldest : expired);
    }
  }

  private momentAfter(ttlMs: number | null): number | null {
    return ttlMs === null ? null : this.clock.monotonic() + ttlMs;
  }

  private isDue(): boolean {
    return this.table.queue.isDue(this.clock.monotonic());
  }

  /** Frees what has expired, as far as one slice goes; answers how many entries went. */
  private freeExpired(): number {
    const { table } = this;
    const now = this.clock.monotonic();
    let freed = 0;
    for (let step = 0; step < SLICE && table.queue.isDue(now); step += 1) {
      const slot = table.queue.expired(now, 1);
      if (slot === 0) continue;
      table.drop(slot);
      freed += 1;
    }
    return freed;
  }

  private async pruneOn(freedSoFar: number): Promise<number> {
    let freed = freedSoFar;
    while (this.isDue()) {
      await nextTurn();
      this.assertOpen();
      freed += this.freeExpired();
    }
    return freed;
  }

  /** Sees to it that a sweep is due. There is one timer, and none once no entry has a life. */
  private sweepLater(): void {
    const { sweepInterval } = this.options;
    if (this.cancelSweep === undefined && sweepInterval !== 0) this.sweepAfter(sweepInterval);
  }

  private sweepAfter(ms: number): void {
    this.cancelSweep = this.clock.after(ms, () => {
      this.cancelSweep = undefined;
      this.freeExpired();
      if (this.table.queue.lives > 0) this.sweepAfter(this.isDue() ? 0 : this.options.sweepInterval);
    });
  }

  private assertOpen(): void {
    if (this.closed) throw new Error('The memory backend is closed: nothing was read or written.');
  }
}

/** Bytes by content, integers by value, held objects by identity. */
function isSame(held: Held, expected: Held): boolean {
  if (held === expected) return true;
  return held instanceof Uint8Array && expected instanceof Uint8Array && Buffer.compare(held, expected) === 0;
}

/** After whatever else waits to run. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
