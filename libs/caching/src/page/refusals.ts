import type { Clock } from '../clock.js';

/** How long a refusal is remembered, in milliseconds. */
const REMEMBERED_MS = 10_000;
const MAX_REMEMBERED = 10_000;

/**
 * Pages whose last response could not be stored. Requests for them do not wait for one another: nobody could use what
 * another one gets. The first response that can be stored ends it.
 */
export class Refusals {
  private readonly until = new Map<string, number>();

  constructor(private readonly clock: Clock) {}

  has(id: string): boolean {
    const until = this.until.get(id);
    if (until === undefined) return false;
    if (this.clock.monotonic() < until) return true;
    this.until.delete(id);
    return false;
  }

  note(id: string): void {
    // Anew at the end, so that the oldest is the first.
    this.until.delete(id);
    this.until.set(id, this.clock.monotonic() + REMEMBERED_MS);
    if (this.until.size <= MAX_REMEMBERED) return;
    const [oldest] = this.until.keys();
    if (oldest !== undefined) this.until.delete(oldest);
  }

  forget(id: string): void {
    if (this.until.size > 0) this.until.delete(id);
  }
}
