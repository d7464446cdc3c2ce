import type { Clock } from '../clock.js';
import { BackendError, BackendTimeoutError, CacheClosedError } from '../errors.js';
import type { Counters } from './counters.js';
import type { Entry } from './entry.js';
import type { FailurePolicy } from './failure-policy.js';

/** A change that failed in an outage. */
export interface PendingChange {
  /** Makes the change now if nothing newer has happened, without failure policy. */
  readonly redo: () => Promise<void>;
  /** Whether it only makes room, which a full server allows. */
  readonly isRemoval: boolean;
  /** Bytes that it holds on to. */
  readonly size: number;
  /** When it was meant to happen, in milliseconds since 1970 by the store's clock. */
  readonly at: number;
}

/** The names of changes: of one key, of a tag, of a lock that nobody holds, of the whole cache. */
export const changeOf = {
  key: (keyPath: string) => `key:${keyPath}`,
  tag: (tag: string) => `tag:${tag}`,
  /** Beside {@link tag}: it does less, so it never takes the place of one. */
  softTag: (tag: string) => `soft:${tag}`,
  lock: (owner: string) => `lock:${owner}`,
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
  /** The changes that are being made just now. */
  private readonly running = new WeakMap<PendingChange, Promise<void>>();
  private bytes = 0;
  private cancelTimer: (() => void) | undefined;
  private isClosed = false;

  constructor(
    private readonly options: JournalOptions,
    private readonly policy: Pick<FailurePolicy, 'demand'>,
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

  /**
   * Makes what is pending for a key at once, without failure policy: for whoever is about to store there what does not say
   * that it is newer.
   */
  async settle(keyPath: string): Promise<void> {
    for (const name of [changeOf.all, changeOf.key(keyPath)]) {
      const change = this.changes.get(name);
      if (change !== undefined) await this.make(name, change);
    }
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
   * Makes the changes in the order in which they were meant; stops at the first that the backend fails and comes back later,
   * with removals and with all else each by itself. One that fails otherwise would fail for ever, and hold up all that come
   * after it: it is dropped.
   */
  private async replay(): Promise<void> {
    const areOver = { removals: false, others: false };
    for (const [name, change] of this.changes) {
      const kind = change.isRemoval ? 'removals' : 'others';
      if (areOver[kind]) continue;
      try {
        await this.policy.demand('replay', () => this.make(name, change), change.isRemoval);
      } catch (error) {
        // It may never be answered.
        if (error instanceof BackendTimeoutError) this.running.delete(change);
        areOver[kind] = error instanceof BackendError || error instanceof CacheClosedError;
        if (!areOver[kind] && this.drop(name, change)) this.counters.forgotten += 1;
      }
    }
    if (!this.isEmpty && !this.isClosed) this.schedule();
  }

  /** Once for all who want it made: what the second would take away may be what the first has let in. */
  private async make(name: string, change: PendingChange): Promise<void> {
    let run = this.running.get(change);
    if (run === undefined) {
      run = change.redo();
      this.running.set(change, run);
    }
    try {
      await run;
    } finally {
      if (this.running.get(change) === run) this.running.delete(change);
    }
    if (this.drop(name, change)) this.counters.replayed += 1;
  }

  /** Answers whether it was still pending. */
  private drop(name: string, change: PendingChange): boolean {
    const isPending = this.changes.get(name) === change;
    if (isPending) this.forget(name);
    return isPending;
  }
}
