import { regrow } from './regrow.js';

/** Slots from the least to the most recently used: a ring in two arrays, in which slot 0 is the fixed point. */
export class RecencyList {
  private newer: Uint32Array<ArrayBuffer>;
  private older: Uint32Array<ArrayBuffer>;

  constructor(capacity: number) {
    this.newer = new Uint32Array(capacity);
    this.older = new Uint32Array(capacity);
  }

  grow(capacity: number): void {
    this.newer = regrow(this.newer, new Uint32Array(capacity));
    this.older = regrow(this.older, new Uint32Array(capacity));
  }

  /** The least recently used slot, 0 if there is none. */
  get oldest(): number {
    return this.newer[0]!;
  }

  add(slot: number): void {
    const { newer, older } = this;
    const youngest = older[0]!;
    newer[youngest] = slot;
    older[slot] = youngest;
    newer[slot] = 0;
    older[0] = slot;
  }

  remove(slot: number): void {
    const { newer, older } = this;
    const before = older[slot]!;
    const after = newer[slot]!;
    newer[before] = after;
    older[after] = before;
  }

  makeYoungest(slot: number): void {
    if (this.older[0] === slot) return;
    this.remove(slot);
    this.add(slot);
  }
}
