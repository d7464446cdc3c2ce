import { regrow } from './regrow.js';

/** The moment of a slot that never expires. */
const NEVER = 0;

/** How many slots {@link ExpiryQueue.expired} puts right before it gives up. */
const PATIENCE = 64;

/**
 * Slots with a life, the first to expire at the head of a binary heap. A slot whose life was lengthened or taken away
 * stays where it is and is put right when it comes to the head, so that writing a key again and again, and deleting it,
 * costs no more than noting the moment.
 */
export class ExpiryQueue {
  /** How many slots have a life. */
  lives = 0;
  private length = 0;
  /** Milliseconds of the monotonic clock by slot, or {@link NEVER}. */
  private moments: Float64Array<ArrayBuffer>;
  /** By slot: the moment by which the heap is ordered, never after that of `moments`. */
  private queuedFor: Float64Array<ArrayBuffer>;
  /** The heap: slots, from index 1. */
  private heap: Uint32Array<ArrayBuffer>;
  /** The index in the heap by slot; 0 if it is not there. */
  private places: Uint32Array<ArrayBuffer>;

  constructor(capacity: number) {
    this.moments = new Float64Array(capacity);
    this.queuedFor = new Float64Array(capacity);
    this.heap = new Uint32Array(capacity + 1);
    this.places = new Uint32Array(capacity);
  }

  grow(capacity: number): void {
    this.moments = regrow(this.moments, new Float64Array(capacity));
    this.queuedFor = regrow(this.queuedFor, new Float64Array(capacity));
    this.heap = regrow(this.heap, new Uint32Array(capacity + 1));
    this.places = regrow(this.places, new Uint32Array(capacity));
  }

  /** When a slot expires, `null` for never. */
  momentOf(slot: number): number | null {
    const moment = this.moments[slot]!;
    return moment === NEVER ? null : moment;
  }

  /** Whether {@link expired} has something to look at. */
  isDue(now: number): boolean {
    return this.length > 0 && this.queuedFor[this.heap[1]!]! <= now;
  }

  /** A slot that has expired; 0 if there is none, or none was found with so much patience. */
  expired(now: number, patience = PATIENCE): number {
    for (let step = 0; step < patience && this.isDue(now); step += 1) {
      const first = this.heap[1]!;
      const moment = this.moments[first]!;
      if (moment === NEVER) {
        this.removeHead();
      } else if (moment > now) {
        this.queuedFor[first] = moment;
        this.sinkHead(first);
      } else {
        return first;
      }
    }
    return 0;
  }

  /** Gives a slot its moment, `null` for never. */
  set(slot: number, moment: number | null): void {
    if (moment === null) {
      this.remove(slot);
      return;
    }
    if (this.moments[slot] === NEVER) this.lives += 1;
    this.moments[slot] = moment;
    const place = this.places[slot]!;
    if (place !== 0 && moment >= this.queuedFor[slot]!) return;
    this.queuedFor[slot] = moment;
    this.rise(slot, place === 0 ? ++this.length : place);
  }

  /** Takes the life of a slot away. */
  remove(slot: number): void {
    if (this.moments[slot] === NEVER) return;
    this.moments[slot] = NEVER;
    this.lives -= 1;
  }

  private removeHead(): void {
    this.places[this.heap[1]!] = 0;
    const last = this.heap[this.length]!;
    this.length -= 1;
    if (this.length > 0) this.sinkHead(last);
  }

  /** Moves a slot towards the head from a free place. */
  private rise(slot: number, from: number): void {
    const { heap, places, queuedFor } = this;
    const moment = queuedFor[slot]!;
    let place = from;
    for (let above = place >> 1; above > 0; above = place >> 1) {
      const parent = heap[above]!;
      if (queuedFor[parent]! <= moment) break;
      heap[place] = parent;
      places[parent] = place;
      place = above;
    }
    heap[place] = slot;
    places[slot] = place;
  }

  /** Moves a slot away from the head, which is free. */
  private sinkHead(slot: number): void {
    const { heap, places, queuedFor, length } = this;
    const moment = queuedFor[slot]!;
    let place = 1;
    for (let below = 2; below <= length; below = place * 2) {
      if (below < length && queuedFor[heap[below + 1]!]! < queuedFor[heap[below]!]!) below += 1;
      const child = heap[below]!;
      if (queuedFor[child]! >= moment) break;
      heap[place] = child;
      places[child] = place;
      place = below;
    }
    heap[place] = slot;
    places[slot] = place;
  }
}
