import type { Awaitable, CompleteBackend, Payload } from '../backends/cache-backend.js';
import type { Bodies } from './bodies.js';
import type { Counters } from './counters.js';
import { type Entry, freshnessAt, type Freshness, hasWindows, usableUntil } from './entry.js';
import { type FailurePolicy, isPromise } from './failure-policy.js';
import { FinalKeys, type KeyPair } from './final-keys.js';
import type { Journal } from './journal.js';
import type { KeyKind, KeySpace } from './keys.js';
import { type EntryCodec, type Found, Payloads } from './payloads.js';
import type { Stamps } from './stamps.js';
import type { StoreClock } from './store-clock.js';
import type { TagMemo } from './tag-memo.js';
import { TagReader } from './tag-reader.js';
import { judgeTags, NO_TAGS, type RecordOf, type TagTable } from './tags.js';

export type { Awaitable } from '../backends/cache-backend.js';
export type { Entry } from './entry.js';
export type { KeyPair } from './final-keys.js';
export type { EntryCodec, Found } from './payloads.js';

const LATER = Symbol('later');

/** What a key is, before the epoch makes a final key of it. */
export interface Address<T> {
  readonly codec: EntryCodec<T>;
  readonly segments: string;
  readonly version: number;
}

/** Everything that one look at a key shows. */
export interface Sight<T> {
  readonly pair: KeyPair;
  /** What lies under the key, present or not: what a compare-and-set expects. */
  readonly payload: Payload | undefined;
  /** What it says; `undefined` for what is not ours. May be stale, or a lease alone. */
  readonly held: Found<T>;
  readonly freshness: Freshness;
  /** The cache's invalidation stamp at the time of the look. */
  readonly stamp: number;
  /** The records of the tags that were asked for. */
  readonly recordOf: RecordOf;
}

/**
 * The entries of one cache: the only place where keys, the epoch, frames and the backend meet. Everything above speaks of
 * values, everything below of payloads.
 */
export class Entries {
  readonly payloads: Payloads;
  readonly finalKeys: FinalKeys;
  private readonly records: TagReader;
  /** Whether reads need no failure policy, as those of a backend in this process that has never done otherwise. */
  answersAtOnce: boolean;

  constructor(
    readonly keys: KeySpace,
    readonly backend: CompleteBackend,
    private readonly policy: FailurePolicy,
    readonly clock: StoreClock,
    readonly stamps: Stamps,
    readonly tags: TagTable,
    readonly journal: Journal,
    readonly counters: Counters,
    readonly memo: TagMemo,
    bodies: Bodies,
  ) {
    this.payloads = new Payloads(backend.capabilities.holdsObjects, counters, bodies);
    this.finalKeys = new FinalKeys(keys, stamps);
    this.records = new TagReader(tags, memo);
    this.answersAtOnce = !backend.capabilities.shared && backend.capabilities.holdsObjects;
  }

  /** What is present under a key; `undefined` for a miss, a payload that does not parse, or a failing backend. */
  read<T>(codec: EntryCodec<T>, segments: string, version: number): Awaitable<Found<T>> {
    const later = () => this.policy.read('get', () => this.readOne({ codec, segments, version }), undefined);
    if (!this.answersAtOnce) return later();
    const { key, fullKey } = this.finalKeys.of(codec.kind, segments, version);
    const payload = this.getAtOnce(key);
    if (payload === LATER) return later();
    const held = this.payloads.open(codec, payload, fullKey);
    if (
      held === undefined ||
      (this.journal.isEmpty && (typeof held === 'number' || held.guard === undefined))
    )
      return held;
    return this.sight({ key, fullKey }, payload, held, this.tags.peek).freshness === 'fresh'
      ? held
      : undefined;
  }

  /** Reads many, in the order of the keys, in one round trip; one more if any of them has tags. */
  readMany<T>(codec: EntryCodec<T>, segments: readonly string[], version: number): Awaitable<Found<T>[]> {
    if (segments.length === 0) return [];
    const absent = segments.map(() => undefined);
    const addresses = segments.map((each) => ({ codec, segments: each, version }));
    return this.policy.read(
      'getMany',
      async () => {
        const sights = await this.lookAtAll(addresses, NO_TAGS);
        return sights.map(({ held, freshness }) => (freshness === 'fresh' ? held : undefined));
      },
      absent,
    );
  }

  /** One look at a key and at the records of these tags, without failure policy. */
  look<T>(address: Address<T>, tags: readonly string[]): Awaitable<Sight<T>> {
    if (this.answersAtOnce) {
      const pair = this.finalKeys.of(address.codec.kind, address.segments, address.version);
      const payload = this.getAtOnce(pair.key);
      if (payload !== LATER) {
        const held = this.payloads.open(address.codec, payload, pair.fullKey);
        return this.sight(pair, payload, held, this.tags.peek);
      }
    }
    return this.lookAtAll([address], tags).then(([sight]) => sight as Sight<T>);
  }

  /**
   * Looks at many keys in one round trip, with the control record and the records of these tags; in one more if an entry
   * has other tags.
   */
  async lookAtAll<T>(addresses: readonly Address<T>[], tags: readonly string[]): Promise<Sight<T>[]> {
    const { shared } = this.backend.capabilities;
    const unknown = shared ? tags.filter((tag) => this.memo.find(tag) === undefined) : NO_TAGS;
    for (let isRepeated = false; ; isRepeated = true) {
      const { epoch } = this.stamps.current ?? (await this.stamps.load());
      const pairs = addresses.map(({ codec, segments, version }) =>
        this.finalKeys.of(codec.kind, segments, version),
      );
      const asked = [
        ...pairs.map(({ key }) => key),
        ...unknown.flatMap((tag) => this.tags.recordKey(tag) ?? []),
      ];
      const isControlAsked = shared && !this.memo.knowsControl;
      if (isControlAsked) asked.push(this.keys.controlKey);
      const payloads = await this.backend.getMany(asked);
      if (isControlAsked && !this.isStill(epoch, payloads.pop())) {
        if (!isRepeated) continue;
        // A cache that is cleared all the time is empty.
        payloads.length = 0;
      }
      const held = pairs.map(({ fullKey }, index) =>
        this.payloads.open(addresses[index]!.codec, payloads[index], fullKey),
      );
      const recordOf = shared
        ? await this.records.of(held, unknown, payloads.slice(pairs.length))
        : this.tags.peek;
      return pairs.map((pair, index) => this.sight(pair, payloads[index], held[index], recordOf));
    }
  }

  /** Stores a value for so long; a life of 0 or less removes the key instead. */
  async put<T>(
    codec: EntryCodec<T>,
    segments: string,
    version: number,
    value: T,
    size: number,
    ttlMs: number | null,
    createdAt: number,
  ): Promise<void> {
    await this.policy.write(
      'set',
      () =>
        this.onKey<unknown>(codec.kind, segments, version, ({ key, fullKey }) =>
          ttlMs === null || ttlMs > 0
            ? this.backend.set(
                key,
                this.payloads.of(codec, { value, size, createdAt, loadMs: 0, fullKey, guard: undefined }),
                ttlMs,
              )
            : this.backend.delete(key),
        ),
      undefined,
    );
  }

  /** The records of these tags and the control record, in one round trip. */
  async readTags(tags: readonly string[]): Promise<{ readonly stamp: number; readonly recordOf: RecordOf }> {
    if (this.backend.capabilities.shared) {
      const keys = tags.flatMap((tag) => this.tags.recordKey(tag) ?? []);
      const payloads = await this.backend.getMany([...keys, this.keys.controlKey]);
      this.stamps.accept(payloads.pop());
      const records = new Map(tags.map((tag, index) => [tag, this.tags.decode(payloads[index])]));
      const { stamp } = this.stamps.current ?? (await this.stamps.load());
      return { stamp, recordOf: (tag) => records.get(tag) };
    }
    return { stamp: this.stamps.current?.stamp ?? 0, recordOf: this.tags.peek };
  }

  /** Runs an operation on the key of the current epoch, in one round trip with the control record. */
  onKey<T>(
    kind: KeyKind,
    segments: string,
    version: number,
    operation: (pair: KeyPair) => Awaitable<T>,
  ): Promise<T> {
    return this.onEpoch(() => operation(this.finalKeys.of(kind, segments, version)));
  }

  /** Runs an operation on keys of the current epoch, and once more if the epoch had moved meanwhile. */
  async onEpoch<T>(operation: () => Awaitable<T>): Promise<T> {
    if (!this.backend.capabilities.shared) return operation();
    const { epoch } = this.stamps.current ?? (await this.stamps.load());
    const [record, answer] = await Promise.all([this.backend.get(this.keys.controlKey), operation()]);
    if (this.isStill(epoch, record)) return answer;
    if (this.stamps.current === undefined) await this.stamps.load();
    return operation();
  }

  /** Begins a new epoch and frees the old one's keys in the background, where the backend can list. */
  async clear(): Promise<void> {
    const ended = await this.stamps.advanceEpoch();
    this.memo.forget();
    if (!this.backend.capabilities.lists) return;
    const freed = this.policy.read(
      'clear',
      () => this.backend.clear(this.keys.epochPrefix(ended)),
      undefined,
    );
    if (isPromise(freed)) freed.then(undefined, () => undefined);
  }

  /** Milliseconds since 1970 by the store's clock, for the stamps of new entries. */
  now(): number {
    return this.clock.now();
  }

  private getAtOnce(key: string): Payload | undefined | typeof LATER {
    try {
      const answer = this.backend.get(key);
      if (!isPromise(answer)) return answer;
      answer.then(undefined, () => undefined);
    } catch {
      // The failure policy asks again.
    }
    this.answersAtOnce = false;
    return LATER;
  }

  private async readOne<T>(address: Address<T>): Promise<Found<T>> {
    const [sight] = await this.lookAtAll([address], NO_TAGS);
    return sight?.freshness === 'fresh' ? sight.held : undefined;
  }

  /** Takes over the control record; answers whether an operation on keys of this epoch was on the current one. */
  private isStill(epoch: number, record: Payload | undefined): boolean {
    const isAccepted = this.stamps.accept(record);
    if (isAccepted) this.memo.sawControl();
    // Another operation may have learned of a new epoch while this one was on its way.
    return isAccepted && this.stamps.current?.epoch === epoch;
  }

  /** Whether what lay under a key was present. */
  async wasPresent<T>(codec: EntryCodec<T>, payload: Payload | undefined, fullKey: string): Promise<boolean> {
    const held = this.payloads.open({ ...codec, decode: () => undefined as T }, payload, fullKey);
    const recordOf = this.backend.capabilities.shared
      ? await this.records.of([held], NO_TAGS, [])
      : this.tags.peek;
    return this.sight({ key: '', fullKey }, payload, held, recordOf).freshness === 'fresh';
  }

  private sight<T>(
    pair: KeyPair,
    payload: Payload | undefined,
    held: Found<T>,
    recordOf: RecordOf,
  ): Sight<T> {
    const stamp = this.stamps.current?.stamp ?? 0;
    const freshness =
      typeof held === 'object'
        ? this.freshnessOf(held, recordOf)
        : this.isPresentNumber(pair, held)
          ? 'fresh'
          : 'absent';
    return { pair, payload, held, freshness, stamp, recordOf };
  }

  /** A bare integer does not say when it was written: any pending change to its key is taken to be later. */
  private isPresentNumber({ fullKey }: KeyPair, held: number | undefined): boolean {
    if (held === undefined) return false;
    return this.journal.isEmpty || !this.journal.isPending(this.keys.pathOf(fullKey));
  }

  /** What an entry is worth now: its windows, its tags, and the changes that an outage has kept from the backend. */
  private freshnessOf<T>(entry: Entry<T>, recordOf: RecordOf): Freshness {
    const { guard } = entry;
    if (!this.journal.isEmpty && this.journal.hides(this.keys.pathOf(entry.fullKey), entry)) return 'absent';
    if (guard === undefined) return 'fresh';
    const now = guard.freshUntil === Infinity ? 0 : this.clock.now();
    const byTime = freshnessAt(guard, now);
    if (byTime === 'absent' || guard.tags.length === 0) return byTime;
    const state = judgeTags(guard.tags, recordOf);
    if (state === 'current') return byTime;
    return state === 'soft' && hasWindows(guard) && now < usableUntil(guard) ? 'stale' : 'absent';
  }
}
