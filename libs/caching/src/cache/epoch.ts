import type { CompleteBackend, Payload } from '../backends/cache-backend.js';
import type { Clock } from '../clock.js';
import { isPromise } from './failure-policy.js';
import type { KeySpace } from './keys.js';

/**
 * The generation of a whole cache. It is part of every key, so that `clear()` costs one write and is seen at once by
 * everybody: each operation reads the record of the epoch in the same round trip, and is repeated when it has moved.
 *
 * An epoch is a stamp in microseconds that only grows, so one that was lost and made anew never repeats an old one. Where
 * nobody else writes to the backend (memory), it lives in this object alone.
 */
export class Epoch {
  private remembered: number | undefined;

  constructor(
    private readonly backend: CompleteBackend,
    private readonly keys: KeySpace,
    private readonly clock: Clock,
  ) {
    if (!backend.capabilities.shared) this.remembered = this.next(0);
  }

  /** The epoch as it was last seen. `undefined` before the first look at a shared backend. */
  get current(): number | undefined {
    return this.remembered;
  }

  /** Takes over the record that came with an operation; answers whether the operation was on the current epoch. */
  isCurrent(record: Payload | undefined): boolean {
    if (record === this.remembered && record !== undefined) return true;
    this.remembered = typeof record === 'number' ? record : undefined;
    return false;
  }

  /** Looks the epoch up, and begins one if there is none. */
  async load(): Promise<number> {
    const record = await this.backend.get(this.keys.epochKey);
    if (typeof record === 'number') return (this.remembered = record);
    const fresh = this.next(0);
    const isOurs = await this.backend.add(this.keys.epochKey, fresh, null);
    const winner = isOurs ? fresh : await this.backend.get(this.keys.epochKey);
    return (this.remembered = typeof winner === 'number' ? winner : fresh);
  }

  /** Begins a new epoch; answers the one that ended, if it is known. */
  async advance(): Promise<number | undefined> {
    const ended = this.remembered;
    const next = this.next(ended ?? 0);
    if (this.backend.capabilities.shared) {
      const written = this.backend.set(this.keys.epochKey, next, null);
      if (isPromise(written)) await written;
    }
    this.remembered = next;
    return ended;
  }

  private next(previous: number): number {
    return Math.max(previous + 1, Math.trunc(this.clock.now() * 1000));
  }
}
