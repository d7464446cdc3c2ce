import type { HeldObject, Payload } from '../cache-backend.js';
import { ExpiryQueue } from './expiry-queue.js';
import { KeyIndex } from './key-index.js';
import { PagedList } from './paged-list.js';
import { RecencyList } from './recency-list.js';
import { regrow } from './regrow.js';

/** So many slots are reserved at once, as far as they are allowed. Memory that was never written costs nothing. */
const RESERVED_SLOTS = 1 << 20;

/**
 * The entries, one slot each, spread over flat arrays instead of an object per entry: a million of them give the garbage
 * collector next to nothing to do. Slot 0 is never used.
 */
export class EntryTable {
  readonly queue: ExpiryQueue;
  readonly recency: RecencyList;
  /** How many entries there are. */
  count = 0;
  /** The sum of their sizes. */
  bytes = 0;
  /** Slots from here on were never used. */
  end = 1;
  readonly payloads = new PagedList<Payload | HeldObject>();
  private readonly keys = new PagedList<string>();
  private readonly index = new KeyIndex();
  private readonly free: number[] = [];
  private sizes: Float64Array<ArrayBuffer>;
  /** How many clears had begun when the entry was written. */
  private written: Uint32Array<ArrayBuffer>;

  constructor(maxEntries: number) {
    const capacity = Math.min(maxEntries, RESERVED_SLOTS) + 1;
    this.queue = new ExpiryQueue(capacity);
    this.recency = new RecencyList(capacity);
    this.sizes = new Float64Array(capacity);
    this.written = new Uint32Array(capacity);
  }

  slotOf(key: string): number | undefined {
    return this.index.get(key);
  }

  /** The key in a slot; `undefined` if the slot is free. */
  keyAt(slot: number): string | undefined {
    return this.keys.get(slot);
  }

  sizeAt(slot: number): number {
    return this.sizes[slot]!;
  }

  writtenAt(slot: number): number {
    return this.written[slot]!;
  }

  /** Takes a slot for a key that has none. */
  insert(key: string): number {
    const slot = this.free.pop() ?? this.end++;
    if (slot === this.sizes.length) this.grow();
    this.keys.set(slot, key);
    this.index.set(key, slot);
    this.recency.add(slot);
    this.count += 1;
    return slot;
  }

  /** Fills a slot that has a key, over whatever it held. The moment is when it expires, `null` for never. */
  fill(
    slot: number,
    payload: Payload | HeldObject,
    size: number,
    moment: number | null,
    clears: number,
  ): void {
    this.payloads.set(slot, payload);
    this.bytes += size - this.sizes[slot]!;
    this.sizes[slot] = size;
    this.written[slot] = clears;
    this.queue.set(slot, moment);
  }

  drop(slot: number): void {
    this.index.delete(this.keys.get(slot)!);
    this.keys.set(slot, undefined);
    this.payloads.set(slot, undefined);
    this.bytes -= this.sizes[slot]!;
    this.sizes[slot] = 0;
    this.recency.remove(slot);
    this.queue.remove(slot);
    this.free.push(slot);
    this.count -= 1;
  }

  private grow(): void {
    const capacity = this.sizes.length * 2;
    this.queue.grow(capacity);
    this.recency.grow(capacity);
    this.sizes = regrow(this.sizes, new Float64Array(capacity));
    this.written = regrow(this.written, new Uint32Array(capacity));
  }
}
