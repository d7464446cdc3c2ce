import { hash } from 'node:crypto';
import type { Clock } from '../clock.js';

/** How long a refusal is remembered, in milliseconds. */
const REMEMBERED_MS = 10_000;
const MAX_REMEMBERED = 10_000;

/** Until when a refusal is remembered, by the monotonic clock, and why it was. */
interface Refusal {
  readonly until: number;
  readonly because: string;
}

/**
 * Pages whose last response could not be stored. Requests for them do not wait for one another: nobody could use what
 * another one gets. The first response that can be stored ends it.
 */
export class Refusals {
  private readonly remembered = new Map<string, Refusal>();

  constructor(private readonly clock: Clock) {}

  has(page: string): boolean {
    return this.reasonOf(page) !== undefined;
  }

  /** Why the last response could not be stored; `undefined` if there was no such thing lately. */
  reasonOf(page: string): string | undefined {
    if (this.remembered.size === 0) return undefined;
    const id = shortId(page);
    const refusal = this.remembered.get(id);
    if (refusal === undefined || this.clock.monotonic() < refusal.until) return refusal?.because;
    this.remembered.delete(id);
    return undefined;
  }

  note(page: string, because: string): void {
    const id = shortId(page);
    // Anew at the end, so that the oldest is the first.
    this.remembered.delete(id);
    this.remembered.set(id, { until: this.clock.monotonic() + REMEMBERED_MS, because });
    if (this.remembered.size <= MAX_REMEMBERED) return;
    const [oldest] = this.remembered.keys();
    if (oldest !== undefined) this.remembered.delete(oldest);
  }

  forget(page: string): void {
    if (this.remembered.size > 0) this.remembered.delete(shortId(page));
  }
}

/** Clients choose how long a target is; a longer one is remembered by a digest. */
const MAX_ID_LENGTH = 200;

/** A text of bounded length that keeps no longer one alive, as a slice of it would. */
function shortId(page: string): string {
  return page.length <= MAX_ID_LENGTH ? page : hash('sha256', page, 'base64url');
}
