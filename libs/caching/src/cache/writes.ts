import type { Awaitable, BackendWrite, Payload } from '../backends/cache-backend.js';
import { ValueTooLargeError } from '../errors.js';
import type { Address, Entries, EntryCodec, KeyPair } from './entries.js';
import { type Entry, guardFor, keptFor, type Life } from './entry.js';
import type { FailurePolicy } from './failure-policy.js';
import { changeOf } from './journal.js';
import type { Made } from './load-plan.js';
import type { Loader } from './loader.js';
import type { TagVersion } from './tags.js';

/** One value on its way into the cache. */
export interface Write<T> {
  readonly segments: string;
  readonly made: Made<T>;
}

/** A failed compare-and-set is tried again so often. */
const MAX_ATTEMPTS = 10;

/**
 * The verbs that write and delete entries of one layer. Each of them ends the flight of the key in this process, cancels
 * leases on it by writing in their place, and is remembered if an outage keeps it from the backend.
 */
export class Writes<T> {
  private readonly unread: EntryCodec<T>;

  constructor(
    private readonly codec: EntryCodec<T>,
    private readonly entries: Entries,
    private readonly policy: FailurePolicy,
    private readonly loader: Loader,
    /** Runs each change. */
    private readonly around: <R>(change: () => Awaitable<R>) => Awaitable<R> = (change) => change(),
  ) {
    this.unread = { ...codec, decode: () => undefined as T };
  }

  /** Stores over whatever was there; a life of 0 or less removes instead. */
  async set({ segments, made }: Write<T>, version: number, life: Life): Promise<void> {
    if (!isKept(life)) {
      await this.delete(segments, version);
      return;
    }
    const at = this.entries.now();
    const write = async (): Promise<void> => {
      const tags = await this.versionsOf(life.tags);
      await this.entries.onKey(this.codec.kind, segments, version, (pair) => {
        const payload = this.payloadIfSmall(pair, made, life, tags, at);
        return payload instanceof ValueTooLargeError
          ? this.refuse(pair, payload)
          : this.entries.backend.set(pair.key, payload, keptFor(life));
      });
    };
    this.changed(segments, version);
    const missed = () => this.rememberSet(segments, version, made, life, at);
    await this.around(() => this.policy.write('set', write, undefined, missed));
    this.made(segments, version);
  }

  /** Stores many with one life; answers the segments that the backend refused. */
  async setMany(writes: readonly Write<T>[], version: number, life: Life): Promise<string[]> {
    const at = this.entries.now();
    for (const { segments } of writes) this.changed(segments, version);
    const write = async (): Promise<string[]> => {
      const tags = await this.versionsOf(life.tags);
      return this.entries.onEpoch(async () => {
        const bySegments = new Map<string, string>();
        const payloads: BackendWrite[] = [];
        const tooLarge: string[] = [];
        for (const { segments, made } of writes) {
          const pair = this.entries.finalKeys.of(this.codec.kind, segments, version);
          bySegments.set(pair.key, segments);
          const payload = this.payloadIfSmall(pair, made, life, tags, at);
          if (payload instanceof ValueTooLargeError) tooLarge.push(pair.key);
          else payloads.push({ key: pair.key, payload, ttlMs: keptFor(life) });
        }
        if (tooLarge.length > 0) await this.entries.backend.deleteMany(tooLarge);
        const refused = payloads.length === 0 ? [] : await this.entries.backend.setMany(payloads);
        return [...tooLarge, ...refused].map((key) => bySegments.get(key) ?? key);
      });
    };
    const missed = (): void => {
      for (const { segments, made } of writes) this.rememberSet(segments, version, made, life, at);
    };
    const refused = await this.around(() => this.policy.write('setMany', write, [], missed));
    for (const { segments } of writes) this.made(segments, version);
    return refused;
  }

  /** Stores if the key is absent; answers whether it was. */
  async add({ segments, made }: Write<T>, version: number, life: Life): Promise<boolean> {
    const at = this.entries.now();
    const { backend, journal } = this.entries;
    const address = this.address(segments, version);
    const write = async (): Promise<boolean> => {
      if (!journal.isEmpty) await journal.settle(this.pathOf(segments, version));
      const tags = await this.versionsOf(life.tags);
      const payloadAt = (pair: KeyPair) => this.payload(pair, made, life, tags, at);
      const isAdded = await this.entries.onKey(this.codec.kind, segments, version, (pair) =>
        backend.add(pair.key, payloadAt(pair), keptFor(life)),
      );
      for (let attempt = 0; !isAdded && attempt < MAX_ATTEMPTS; attempt += 1) {
        const { pair, payload, freshness } = await this.entries.look(address, []);
        if (freshness === 'fresh') return false;
        // A lease, or an entry that is no longer current.
        const isWritten = await (payload === undefined
          ? backend.add(pair.key, payloadAt(pair), keptFor(life))
          : backend.compareAndSet(pair.key, payload, payloadAt(pair), keptFor(life)));
        if (isWritten) return true;
      }
      return isAdded;
    };
    const isAdded = await this.around(() => this.policy.write('add', write, false));
    if (isAdded) this.changed(segments, version);
    return isAdded;
  }

  /** Removes; answers whether the key was present. */
  async delete(segments: string, version: number): Promise<boolean> {
    return (await this.deleteMany([segments], version)) > 0;
  }

  /** Removes many; answers how many were present. */
  async deleteMany(segments: readonly string[], version: number): Promise<number> {
    const at = this.entries.now();
    for (const each of segments) this.changed(each, version);
    const remove = () => this.entries.onEpoch(() => this.removeAll(segments, version));
    const missed = (): void => {
      for (const each of segments) this.rememberDelete(each, version, at);
    };
    const operation = segments.length === 1 ? 'delete' : 'deleteMany';
    const removed = await this.around(() => this.policy.remove(operation, remove, 0, missed));
    for (const each of segments) this.made(each, version);
    return removed;
  }

  /** The versions that these tags have now; a tag without a record gets one. */
  async versionsOf(tags: readonly string[]): Promise<readonly TagVersion[]> {
    if (tags.length === 0) return [];
    const { stamp, recordOf } = await this.entries.readTags(tags);
    const missing = tags.filter((tag) => recordOf(tag) === undefined);
    const created = missing.length === 0 ? [] : await this.entries.tags.create(missing, stamp);
    return tags.map((tag): TagVersion => {
      const record = recordOf(tag) ?? created[missing.indexOf(tag)];
      return { tag, hard: record?.hard ?? 0, soft: record?.soft ?? 0 };
    });
  }

  private async removeAll(segments: readonly string[], version: number): Promise<number> {
    const { backend } = this.entries;
    const pairs = segments.map((each) => this.entries.finalKeys.of(this.codec.kind, each, version));
    const keys = pairs.map(({ key }) => key);
    // What the backend calls present may be a lease, or an entry that is no longer current.
    const [looked, removed] =
      backend.capabilities.ordered === true
        ? await Promise.all([backend.getMany(keys), backend.deleteMany(keys)])
        : [await backend.getMany(keys), await backend.deleteMany(keys)];
    if (removed === 0) return 0;
    const present = await Promise.all(
      pairs.map(({ fullKey }, index) => this.entries.wasPresent(this.codec, looked[index], fullKey)),
    );
    return Math.min(removed, present.filter(Boolean).length);
  }

  private payload(
    { fullKey }: KeyPair,
    { value, counter, size }: Made<T>,
    life: Life,
    tags: readonly TagVersion[],
    at: number,
  ): Payload {
    const now = this.entries.now();
    const guard = guardFor(life, tags, now);
    if (counter !== undefined && guard === undefined) return counter;
    // The moment of the first write of all is by our own clock, the store's being unknown until then.
    const createdAt = Math.min(at, now);
    const entry: Entry<T> = { value, size, createdAt, loadMs: 0, fullKey, guard };
    return this.entries.payloads.of(this.codec, entry);
  }

  /** As backends do: what was there is outdated, and goes. */
  private async refuse({ key }: KeyPair, error: ValueTooLargeError): Promise<never> {
    await this.entries.backend.delete(key);
    throw error;
  }

  private payloadIfSmall(...args: Parameters<typeof this.payload>): Payload | ValueTooLargeError {
    try {
      return this.payload(...args);
    } catch (error) {
      if (error instanceof ValueTooLargeError) return error;
      throw error;
    }
  }

  /** The key is about to be written: whoever asks from now on must not share a load that began before. */
  private changed(segments: string, version: number): void {
    const address = this.address(segments, version);
    this.loader.detach(address);
    this.loader.forgetError(address);
  }

  /** The key was written: what an outage kept from it is outdated. */
  private made(segments: string, version: number): void {
    const { journal } = this.entries;
    if (!journal.isEmpty) journal.forget(this.changeOf(segments, version));
  }

  /**
   * A set is made up for over what is older. Where the key is absent it is not: it may have been deleted since. An integer
   * does not say when it was written, a tag may have been invalidated since, and the value may be too large: then the key is
   * emptied.
   */
  private rememberSet(segments: string, version: number, made: Made<T>, life: Life, at: number): void {
    const redo = () =>
      this.redo(segments, version, at, async (pair, held) => {
        if (held === undefined) return;
        const ttlMs = life.ttlMs === null ? null : Math.ceil(life.ttlMs - (this.entries.now() - at));
        const left = { ...life, ttlMs };
        const remaining = keptFor(left);
        const tags = await this.versionsOf(life.tags);
        const isOutdated = tags.some(({ hard, soft }) => Math.max(hard, soft) > at * 1000);
        const isOver = remaining !== null && remaining <= 0;
        if (isOutdated || isOver || typeof held === 'number') return this.removeHeld(pair, held);
        try {
          const payload = this.payload(pair, made, left, tags, at);
          await this.entries.backend.compareAndSet(pair.key, held, payload, remaining);
        } catch (error) {
          if (!(error instanceof ValueTooLargeError)) throw error;
          await this.removeHeld(pair, held);
        }
      });
    const change = { redo, isRemoval: false, size: made.size, at };
    this.entries.journal.remember(this.changeOf(segments, version), change);
  }

  private rememberDelete(segments: string, version: number, at: number): void {
    const redo = () => this.redo(segments, version, at, (pair, held) => this.removeHeld(pair, held));
    const change = { redo, isRemoval: true, size: segments.length, at };
    this.entries.journal.remember(this.changeOf(segments, version), change);
  }

  private async removeHeld({ key }: KeyPair, held: Payload | undefined): Promise<void> {
    if (held !== undefined) await this.entries.backend.compareAndDelete(key, held);
  }

  /** Makes up for a change unless what is there is newer. */
  private async redo(
    segments: string,
    version: number,
    at: number,
    change: (pair: KeyPair, held: Payload | undefined) => Promise<void>,
  ): Promise<void> {
    await this.entries.onKey(this.codec.kind, segments, version, async (pair) => {
      const payload = await this.entries.backend.get(pair.key);
      const held = this.entries.payloads.open(this.unread, payload, pair.fullKey);
      if (typeof held !== 'object' || held.createdAt <= at) await change(pair, payload);
    });
  }

  private changeOf(segments: string, version: number): string {
    return changeOf.key(this.pathOf(segments, version));
  }

  private pathOf(segments: string, version: number): string {
    return this.entries.keys.path(version, this.codec.kind, segments);
  }

  private address(segments: string, version: number): Address<T> {
    return { codec: this.codec, segments, version };
  }
}

function isKept({ ttlMs }: Life): boolean {
  return ttlMs === null || ttlMs > 0;
}
