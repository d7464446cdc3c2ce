import { hash } from 'node:crypto';
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

  has(page: string): boolean {
    if (this.until.size === 0) return false;
    const id = shortId(page);
    const until = this.until.get(id);
    if (until === undefined) return false;
    if (this.clock.monotonic() < until) return true;
    this.until.delete(id);
    return false;
  }

  note(page: string): void {
    const id = shortId(page);
    // Anew at the end, so that the oldest is the first.
    this.until.delete(id);
    this.until.set(id, this.clock.monotonic() + REMEMBERED_MS);
    if (this.until.size <= MAX_REMEMBERED) return;
    const [oldest] = this.until.keys();
    if (oldest !== undefined) this.until.delete(oldest);
  }

  forget(page: string): void {
    if (this.until.size > 0) this.until.delete(shortId(page));
  }
}

/** Clients choose how long a target is; a longer one is remembered by a digest. */
const MAX_ID_LENGTH = 200;

/** A text of bounded length that keeps no longer one alive, as a slice of it would. */
function shortId(page: string): string {
  return page.length <= MAX_ID_LENGTH ? page : hash('sha256', page, 'base64url');
}
