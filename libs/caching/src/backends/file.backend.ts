import { isAbsolute } from 'node:path';
import type { Clock } from '../clock.js';
import { CacheClosedError, InvalidOptionsError, NotANumberError, NumberOutOfRangeError } from '../errors.js';
import type { BackendCapabilities, BackendWrite, CompleteBackend, Payload } from './cache-backend.js';
import { CacheFolder, type Place } from './file/cache-folder.js';
import { EntryBound } from './file/entry-bound.js';
import type { FoundEntry } from './file/entry-file.js';
import { EntryListing } from './file/entry-listing.js';
import { EntryStore, type Decision, type Victim } from './file/entry-store.js';
import { inParallel } from './file/in-parallel.js';
import { Sweep } from './file/sweep.js';

/** What the file backend needs, with nothing left to a default. */
export interface FileBackendOptions {
  /**
   * Absolute path of the folder that holds the cache. It and what is missing above it are made at the first write, with
   * mode 0700. May be a link that leads to a folder. Refused if it belongs to another user and everybody may write to it.
   */
  readonly directory: string;
  /**
   * How many entries are kept; at least 1. Suggested default 10,000. One process keeps to it exactly once it has made 16
   * new entries; several together may pass it by about 3 %, or 64 entries if that is more, for each further process.
   */
  readonly maxEntries: number;
  /** Milliseconds between two sweeps for expired entries, from the first write on; 0 never. Suggested default 300,000. */
  readonly sweepIntervalMs: number;
  /** The wall clock decides on expiry, because other processes and later ones go by it. */
  readonly clock: Clock;
}

/** Operations of a bulk call that run at the same time. */
const BULK_AT_ONCE = 16;
/** How long `close()` waits for what is under way, in milliseconds. */
const CLOSE_MS = 1000;

/**
 * Entries as files in a folder, shared by all processes of one user on one machine, and kept across restarts. Needs a
 * local file system with POSIX semantics (Linux, macOS); not made for network file systems or Windows.
 */
export class FileBackend implements CompleteBackend {
  readonly name = 'file';
  readonly capabilities: BackendCapabilities = {
    atomicity: 'shared',
    shared: true,
    lists: true,
    holdsObjects: false,
    stores: true,
  };

  private readonly clock: Clock;
  private readonly folder: CacheFolder;
  private readonly store: EntryStore;
  private readonly bound: EntryBound;
  private readonly listing: EntryListing;
  private readonly sweep: Sweep;
  private readonly running = new Set<Promise<unknown>>();
  private isClosed = false;
  private isCut = false;

  /** @throws InvalidOptionsError if `directory` is not an absolute path */
  constructor({ directory, maxEntries, sweepIntervalMs, clock }: FileBackendOptions) {
    if (!isAbsolute(directory)) {
      const message = `"${directory}" is relative, so it would change with the working folder. Give an absolute path.`;
      throw new InvalidOptionsError([{ path: 'directory', message }]);
    }
    this.clock = clock;
    this.folder = new CacheFolder(directory);
    const now = (): number => clock.now();
    this.store = new EntryStore(this.folder, () => this.checkNotCut());
    this.bound = new EntryBound(maxEntries, this.store, now);
    this.listing = new EntryListing(this.store, this.bound, now, () => this.checkOpen());
    this.sweep = new Sweep(clock, sweepIntervalMs, () => this.prune());
  }

  get(key: string): Promise<Payload | undefined> {
    return this.run(() => this.read(key));
  }

  set(key: string, payload: Payload, ttlMs: number | null): Promise<void> {
    return this.run(() => this.write(key, payload, ttlMs));
  }

  delete(key: string): Promise<boolean> {
    return this.run(() => this.take(key, () => true));
  }

  ttl(key: string): Promise<number | null | undefined> {
    return this.run(async () => {
      const found = await this.store.readHead(this.folder.place(key));
      if (found === undefined || found.damaged) return undefined;
      if (found.expiresAt === Infinity) return null;
      const leftMs = found.expiresAt - this.clock.now();
      return leftMs > 0 ? leftMs : undefined;
    });
  }

  clear(prefix: string): Promise<void> {
    return this.run(() => this.listing.clear(prefix));
  }

  add(key: string, payload: Payload, ttlMs: number | null): Promise<boolean> {
    return this.change(key, (found) => {
      if (found !== undefined) return { answer: false };
      return { answer: true, put: { payload, expiresAt: this.expiryOf(ttlMs) } };
    });
  }

  increment(
    key: string,
    delta: number,
    initial: number | undefined,
    ttlMs: number | null,
  ): Promise<number | undefined> {
    return this.change<number | undefined>(key, (found) => {
      const before = found === undefined ? initial : found.payload;
      if (before === undefined) return { answer: undefined };
      if (typeof before !== 'number') throw new NotANumberError();
      const sum = before + delta;
      if (!Number.isSafeInteger(sum)) throw new NumberOutOfRangeError();
      // −0 is no integer payload.
      const payload = sum === 0 ? 0 : sum;
      return { answer: payload, put: { payload, expiresAt: found?.expiresAt ?? this.expiryOf(ttlMs) } };
    });
  }

  touch(key: string, ttlMs: number | null): Promise<boolean> {
    return this.change(key, (found) => {
      if (found === undefined) return { answer: false };
      return { answer: true, put: { payload: found.payload, expiresAt: this.expiryOf(ttlMs) } };
    });
  }

  compareAndSet(key: string, expected: Payload, payload: Payload, ttlMs: number | null): Promise<boolean> {
    return this.change(key, (found) => {
      if (found === undefined || !isSamePayload(found.payload, expected)) return { answer: false };
      return { answer: true, put: { payload, expiresAt: this.expiryOf(ttlMs) } };
    });
  }

  compareAndDelete(key: string, expected: Payload): Promise<boolean> {
    return this.run(() => this.take(key, (found) => isSamePayload(found.payload, expected)));
  }

  getMany(keys: readonly string[]): Promise<(Payload | undefined)[]> {
    return this.run(() => inParallel(keys, BULK_AT_ONCE, (key) => this.read(key)));
  }

  /** Refuses no key by itself: it stores all of them or rejects. */
  setMany(writes: readonly BackendWrite[]): Promise<string[]> {
    return this.run(async () => {
      const lastOfEachKey = [...new Map(writes.map((write) => [write.key, write])).values()];
      await inParallel(lastOfEachKey, BULK_AT_ONCE, ({ key, payload, ttlMs }) =>
        this.set(key, payload, ttlMs),
      );
      return [];
    });
  }

  deleteMany(keys: readonly string[]): Promise<number> {
    return this.run(async () => {
      const answers = await inParallel(keys, BULK_AT_ONCE, (key) => this.take(key, () => true));
      return answers.filter((wasPresent) => wasPresent).length;
    });
  }

  keys(prefix: string): AsyncIterable<string> {
    return this.listing.keys(prefix);
  }

  /** Removes what is expired or damaged, and what killed processes left more than an hour ago. */
  prune(): Promise<number> {
    return this.run(() => this.listing.prune());
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.sweep.stop();
    await new Promise<void>((resolve) => {
      const cancel = this.clock.after(CLOSE_MS, () => {
        this.isCut = true;
        resolve();
      });
      const ended = (): void => {
        cancel();
        resolve();
      };
      Promise.allSettled(this.running).then(ended, ended);
    });
  }

  /** Every operation goes through here, so that `close()` can wait for it. */
  private run<T>(work: () => Promise<T>): Promise<T> {
    const task = this.isClosed ? Promise.reject<T>(new CacheClosedError(this.name)) : work();
    const ended = (): void => void this.running.delete(task);
    this.running.add(task);
    task.then(ended, ended);
    return task;
  }

  private checkOpen(): void {
    if (this.isClosed) throw new CacheClosedError(this.name);
  }

  /** What is under way at `close()` may still end well, within its limit. */
  private checkNotCut(): void {
    if (this.isCut) throw new CacheClosedError(this.name);
  }

  private isLive({ expiresAt }: { readonly expiresAt: number }): boolean {
    return this.clock.now() < expiresAt;
  }

  private expiryOf(ttlMs: number | null): number {
    return ttlMs === null ? Infinity : this.clock.now() + ttlMs;
  }

  private async read(key: string): Promise<Payload | undefined> {
    const place = this.folder.place(key);
    const found = await this.store.read(place);
    if (found === undefined) return undefined;
    if (!found.damaged && this.isLive(found)) return found.payload;
    await this.tidy(place, { path: place.path, identity: found.identity });
    return undefined;
  }

  private async write(key: string, payload: Payload, ttlMs: number | null): Promise<void> {
    const place = this.folder.place(key);
    this.sweep.start();
    const created = await this.store.put(place, { payload, expiresAt: this.expiryOf(ttlMs) });
    if (created) await this.bound.created(place);
  }

  private change<T>(key: string, decide: (found: FoundEntry | undefined) => Decision<T>): Promise<T> {
    return this.run(async () => {
      const place = this.folder.place(key);
      this.sweep.start();
      const { answer, created } = await this.store.change(place, (found) =>
        decide(found !== undefined && this.isLive(found) ? found : undefined),
      );
      if (created) await this.bound.created(place);
      return answer;
    });
  }

  private async take(key: string, isWanted: (found: FoundEntry) => boolean): Promise<boolean> {
    const place = this.folder.place(key);
    const taken = await this.store.take(
      place,
      (found) => found !== undefined && this.isLive(found) && isWanted(found),
    );
    this.bound.removed(place.folder, taken ? 1 : 0);
    return taken;
  }

  /** Removes what a read found useless. The read has its answer, and who may only read gets it as well. */
  private async tidy(place: Place, victim: Victim): Promise<void> {
    try {
      this.bound.removed(place.folder, await this.store.removeIfIdle(place.folder, victim));
    } catch {
      // A later sweep or write removes it, or reports why it cannot.
    }
  }
}

function isSamePayload(a: Payload, b: Payload): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return Buffer.compare(a, b) === 0;
}
