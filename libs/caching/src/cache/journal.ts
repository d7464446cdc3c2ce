import type { Clock } from '../clock.js';
import { BackendError, CacheClosedError } from '../errors.js';
import type { Counters } from './counters.js';
import type { Entry } from './entry.js';

/** A change that failed in an outage. */
export interface PendingChange {
  /** Makes the change now if nothing newer has happened. Rejects while the backend is away. */
  readonly redo: () => Promise<void>;
  /** Bytes that it holds on to. */
  readonly size: number;
  /** When it was meant to happen, in milliseconds since 1970 by the store's clock. */
  readonly at: number;
}

/** The names of changes: of one key, of a tag, of the whole cache. */
export const changeOf = {
  key: (keyPath: string) => `key:${keyPath}`,
  tag: (tag: string) => `tag:${tag}`,
  /** Beside {@link tag}: it does less, so it never takes the place of one. */
  softTag: (tag: string) => `soft:${tag}`,
  all: 'all',
};

export interface JournalOptions {
  /** The most changes that are remembered. */
  readonly maxChanges: number;
  /** The most bytes that they may hold. */
  readonly maxBytes: number;
  /** How long to wait between two attempts, in milliseconds. */
  readonly pauseMs: number;
}

/**
 * The changes that an outage has kept from the backend: remembered, hidden from the readers of this process meanwhile, and
 * made up for when the backend is back. So a value that was deleted does not come back to life. Bounded: when it is
 * full, the change is counted as forgotten, and its caller has the error in hand.
 */
export class Journal {
  private readonly changes = new Map<string, PendingChange>();
  private bytes = 0;
  private cancelTimer: (() => void) | undefined;
  private isClosed = false;

  constructor(
    private readonly options: JournalOptions,
    private readonly clock: Clock,
    private readonly counters: Counters,
  ) {}

  /** Whether nothing is pending, as nearly always. */
  get isEmpty(): boolean {
    return this.changes.size === 0;
  }

  /** Whether a pending change makes the entry of this key absent: one that came after its load had begun. */
  hides(keyPath: string, { createdAt, guard }: Entry<unknown>): boolean {
    const isLater = (name: string) => (this.changes.get(name)?.at ?? -Infinity) >= createdAt;
    if (isLater(changeOf.all) || isLater(changeOf.key(keyPath))) return true;
    return (
      guard?.tags.some(({ tag }) => isLater(changeOf.tag(tag)) || isLater(changeOf.softTag(tag))) ?? false
    );
  }

  /** Whether a change to the key, or to everything, is pending. */
  isPending(keyPath: string): boolean {
    return this.changes.has(changeOf.all) || this.changes.has(changeOf.key(keyPath));
  }

  /** Remembers a change; a later one of the same name takes its place, and one of everything that of all before it. */
  remember(name: string, change: PendingChange): void {
    if (this.isClosed) return;
    if (name === changeOf.all) this.forgetAll();
    else this.forget(name);
    const { maxChanges, maxBytes } = this.options;
    if (this.changes.size >= maxChanges || this.bytes + change.size > maxBytes) {
      this.counters.forgotten += 1;
      return;
    }
    this.changes.set(name, change);
    this.bytes += change.size;
    this.schedule();
  }

  /** Drops a pending change, because the same was done since. */
  forget(name: string): void {
    const change = this.changes.get(name);
    if (change === undefined) return;
    this.changes.delete(name);
    this.bytes -= change.size;
  }

  close(): void {
    this.isClosed = true;
    this.cancelTimer?.();
    this.forgetAll();
  }

  private forgetAll(): void {
    this.changes.clear();
    this.bytes = 0;
  }

  private schedule(): void {
    this.cancelTimer ??= this.clock.after(this.options.pauseMs, () => {
      this.cancelTimer = undefined;
      void this.replay();
    });
  }

  /**
   * Makes the changes in the order in which they were meant; stops at the first that the backend fails and comes back later.
   * One that fails otherwise would fail for ever, and hold up all that come after it: it is dropped.
   */
  private async replay(): Promise<void> {
    for (const [name, change] of this.changes) {
      try {
        await change.redo();
        this.counters.replayed += 1;
      } catch (error) {
        if (error instanceof BackendError || error instanceof CacheClosedError) break;
        this.counters.forgotten += 1;
      }
      if (this.changes.get(name) === change) this.forget(name);
    }
    if (!this.isEmpty && !this.isClosed) this.schedule();
  }
}
