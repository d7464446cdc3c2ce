import type { CompleteBackend, Payload } from '../backends/cache-backend.js';
import type { Counters } from './counters.js';
import type { KeySpace } from './keys.js';
import type { StoreClock } from './store-clock.js';

/** The record of a whole cache. */
export interface ControlRecord {
  /** The generation of the cache: part of every key. */
  readonly epoch: number;
  /** The last point in the order of the cache's invalidations. Never below the epoch. */
  readonly stamp: number;
}

const RECORD_BYTES = 16;
/** A look that has not ended after so many milliseconds may never end. */
const SHARED_LOOK_MS = 100;
/** So often a change is tried again when others were faster. */
const MAX_ATTEMPTS = 100;

/**
 * The epoch of a cache and its invalidation stamp, in one record that every operation reads in its own round trip.
 *
 * `clear()` begins a new epoch: one write, seen at once by everybody. Each invalidation of tags takes the next stamp,
 * `max(previous + 1, store time in µs)`, so that loads and invalidations have an order. Both only grow; a record that was
 * lost is made anew later than all before it. A record that is older than one seen before means that the store has lost
 * writes (a failover, an old dump): then a new epoch begins, since what was invalidated could be back.
 *
 * Where nobody else writes to the store (memory), the record lives in this object.
 */
export class Stamps {
  private control: ControlRecord | undefined;
  private record: Payload | undefined;
  private highest = 0;
  private loading: { readonly record: Promise<ControlRecord>; readonly since: number } | undefined;

  constructor(
    private readonly backend: CompleteBackend,
    private readonly keys: KeySpace,
    private readonly clock: StoreClock,
    private readonly counters: Counters,
  ) {
    if (!backend.capabilities.shared) {
      const stamp = this.next(0);
      this.control = { epoch: stamp, stamp };
    }
  }

  /** The record as it was last seen; `undefined` when it must be loaded first. */
  get current(): ControlRecord | undefined {
    return this.control;
  }

  /** The latest stamp that was seen: to be noted before an operation is sent, for {@link accept}. */
  get latest(): number {
    return this.highest;
  }

  /**
   * Takes over a record that came with an operation; answers the epoch that it tells, `undefined` for a record that was
   * lost, or is older than what was known when the operation was sent. What was learned while it was on its way says
   * nothing against it: others overtake it.
   */
  accept(record: Payload | undefined, latestBefore: number): number | undefined {
    if (this.control !== undefined && isSameRecord(record, this.record)) return this.control.epoch;
    const seen = decodeRecord(record);
    if (seen === undefined || seen.stamp < latestBefore) {
      this.control = undefined;
      return undefined;
    }
    if (seen.stamp >= this.highest) this.remember(seen, record);
    return seen.epoch;
  }

  /** Looks the record up, and makes one if there is none. Callers share a look, unless the store is slow to answer it. */
  load(): Promise<ControlRecord> {
    const now = this.clock.local.monotonic();
    if (this.loading !== undefined && now - this.loading.since < SHARED_LOOK_MS) return this.loading.record;
    const look = { record: this.lookUp(), since: now };
    const forget = (): void => {
      if (this.loading === look) this.loading = undefined;
    };
    look.record.then(forget, forget);
    this.loading = look;
    return look.record;
  }

  /** The next stamp, which is above every one before it. */
  async take(): Promise<number> {
    return (await this.advance((stamp, { epoch }) => ({ epoch, stamp }))).stamp;
  }

  /** Begins a new epoch; answers the one that ended. */
  async advanceEpoch(): Promise<number> {
    let ended = 0;
    await this.advance((stamp, control) => {
      ended = control.epoch;
      return { epoch: stamp, stamp };
    });
    return ended;
  }

  private async advance(
    change: (stamp: number, control: ControlRecord) => ControlRecord,
  ): Promise<ControlRecord> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      if (this.control === undefined) await this.load();
      // Both as they are now: what was loaded may have been overtaken on the way.
      const { control, record: held } = this;
      if (control === undefined) continue;
      const changed = change(this.next(control.stamp), control);
      if (!this.backend.capabilities.shared) return (this.control = changed);
      const payload = encodeRecord(changed);
      if (
        held !== undefined &&
        (await this.backend.compareAndSet(this.keys.controlKey, held, payload, null))
      ) {
        if (changed.stamp >= this.highest) this.remember(changed, payload);
        return changed;
      }
      this.control = undefined;
    }
    throw new Error('The record of the cache changed too often to be changed.');
  }

  private async lookUp(): Promise<ControlRecord> {
    await this.clock.measure();
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      // What is learned while the answer is on its way says nothing about it.
      const { highest } = this;
      const record = await this.backend.get(this.keys.controlKey);
      const seen = decodeRecord(record);
      if (seen !== undefined && seen.stamp >= highest) {
        if (seen.stamp >= this.highest) this.remember(seen, record);
        return seen;
      }
      if (seen !== undefined) this.counters.rewound += 1;
      const stamp = this.next(Math.max(highest, seen?.stamp ?? 0));
      const payload = encodeRecord({ epoch: stamp, stamp });
      const isOurs = await (record === undefined
        ? this.backend.add(this.keys.controlKey, payload, null)
        : this.backend.compareAndSet(this.keys.controlKey, record, payload, null));
      // The null backend takes everything and keeps nothing.
      if (!isOurs && this.backend.capabilities.stores) continue;
      this.remember({ epoch: stamp, stamp }, payload);
      return { epoch: stamp, stamp };
    }
    throw new Error('The record of the cache changed too often to be read.');
  }

  private remember(control: ControlRecord, record: Payload | undefined): void {
    this.control = control;
    this.record = record;
    this.highest = control.stamp;
  }

  private next(previous: number): number {
    return Math.max(previous + 1, this.clock.micros());
  }
}

function encodeRecord({ epoch, stamp }: ControlRecord): Uint8Array {
  const bytes = Buffer.allocUnsafe(RECORD_BYTES);
  bytes.writeDoubleBE(epoch, 0);
  bytes.writeDoubleBE(stamp, 8);
  return bytes;
}

function decodeRecord(payload: Payload | undefined): ControlRecord | undefined {
  if (!(payload instanceof Uint8Array) || payload.length !== RECORD_BYTES) return undefined;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, RECORD_BYTES);
  const epoch = bytes.readDoubleBE(0);
  const stamp = bytes.readDoubleBE(8);
  return Number.isSafeInteger(epoch) && Number.isSafeInteger(stamp) && epoch > 0 && stamp >= epoch
    ? { epoch, stamp }
    : undefined;
}

/** For every read of a shared backend: a call of `Buffer.compare` costs more than the sixteen bytes. */
function isSameRecord(one: Payload | undefined, other: Payload | undefined): boolean {
  if (!(one instanceof Uint8Array) || !(other instanceof Uint8Array)) return false;
  if (one.length !== RECORD_BYTES || other.length !== RECORD_BYTES) return false;
  for (let index = 0; index < RECORD_BYTES; index += 1) if (one[index] !== other[index]) return false;
  return true;
}
