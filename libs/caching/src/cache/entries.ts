import type { Awaitable, CompleteBackend, Payload } from '../backends/cache-backend.js';
import type { Bodies } from './bodies.js';
import { Cleaning } from './cleaning.js';
import type { Counters } from './counters.js';
import { type FailurePolicy, isPromise } from './failure-policy.js';
import { FinalKeys, type KeyPair } from './final-keys.js';
import type { Journal } from './journal.js';
import { escapeKey, type KeyKind, type KeySpace } from './keys.js';
import { type EntryCodec, type Found, Payloads } from './payloads.js';
import { itself, presentIn, type Sight, Sights } from './sights.js';
import type { Stamps } from './stamps.js';
import type { StoreClock } from './store-clock.js';
import type { TagMemo } from './tag-memo.js';
import { TagReader } from './tag-reader.js';
import { NO_TAGS, type RecordOf, type TagTable } from './tags.js';

export type { Awaitable } from '../backends/cache-backend.js';
export type { Entry } from './entry.js';
export type { KeyPair } from './final-keys.js';
export type { EntryCodec, Found } from './payloads.js';
export type { Sight } from './sights.js';

const LATER = Symbol('later');
const NO_RECORDS: RecordOf = () => undefined;

/** What a key is, before the epoch makes a final key of it. */
export interface Address<T> {
  readonly codec: EntryCodec<T>;
  readonly segments: string;
  readonly version: number;
}

/**
 * The entries of one cache: the only place where keys, the epoch, frames and the backend meet. Everything above speaks of
 * values, everything below of payloads.
 */
export class Entries {
  readonly payloads: Payloads;
  readonly finalKeys: FinalKeys;
  readonly cleaning: Cleaning;
  private readonly records: TagReader;
  private readonly sights: Sights;
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
    this.cleaning = new Cleaning(backend, keys);
    this.records = new TagReader(tags, memo);
    this.sights = new Sights(keys, clock, stamps, journal);
    this.answersAtOnce = !backend.capabilities.shared && backend.capabilities.holdsObjects;
  }

  /** What is present there; `undefined` for a miss, a payload that does not parse, or a failing backend. */
  read<T>(codec: EntryCodec<T>, segments: string, version: number): Awaitable<Found<T>> {
    const found = this.answersAtOnce
      ? this.readAtOnce(codec, this.finalKeys.of(codec.kind, segments, version))
      : LATER;
    return found === LATER ? this.readLater({ codec, segments, version }) : found;
  }

  /** {@link read} of a key of which nothing is escaped yet. */
  readKey<T>(codec: EntryCodec<T>, key: string, version: number): Awaitable<Found<T>> {
    const found = this.answersAtOnce
      ? this.readAtOnce(codec, this.finalKeys.ofKey(codec.kind, key, version))
      : LATER;
    return found === LATER ? this.readLater({ codec, segments: escapeKey(key), version }) : found;
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
        return this.sights.of(pair, payload, held, this.tags.peek);
      }
    }
    return this.lookLater(address, tags, itself);
  }

  /**
   * What `as` makes of a look that waits for the backend. Most are at one key, under the current epoch and without tags:
   * sparing these the lists and promises of {@link lookAtAll} makes a read from Redis a third shorter.
   */
  private lookLater<T, R>(
    address: Address<T>,
    tags: readonly string[],
    as: (sight: Sight<T>) => R,
  ): Awaitable<R> {
    const { current, latest } = this.stamps;
    const all = () => this.lookAtAll([address], tags).then(([sight]) => as(sight!));
    if (tags.length > 0 || current === undefined || !this.isControlAsked) return all();
    const pair = this.finalKeys.of(address.codec.kind, address.segments, address.version);
    const seen = ([payload, record]: readonly (Payload | undefined)[]): Awaitable<R> => {
      if (!this.isStill(current.epoch, record, latest)) return all();
      const held = this.payloads.open(address.codec, payload, pair.fullKey);
      if (typeof held !== 'object' || held.guard === undefined)
        return as(this.sights.of(pair, payload, held, NO_RECORDS));
      return this.records
        .of([held], NO_TAGS, [])
        .then((recordOf) => as(this.sights.of(pair, payload, held, recordOf)));
    };
    const payloads = this.backend.getMany([pair.key, this.keys.controlKey]);
    return isPromise(payloads) ? payloads.then(seen) : seen(payloads);
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
      const { isControlAsked } = this;
      const { latest } = this.stamps;
      if (isControlAsked) asked.push(this.keys.controlKey);
      const payloads = await this.backend.getMany(asked);
      if (isControlAsked && !this.isStill(epoch, payloads.pop(), latest)) {
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
      return pairs.map((pair, index) => this.sights.of(pair, payloads[index], held[index], recordOf));
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
      const { latest } = this.stamps;
      const payloads = await this.backend.getMany([...keys, this.keys.controlKey]);
      this.stamps.accept(payloads.pop(), latest);
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

  /** Runs an operation on keys of the current epoch, and once more, on other keys, if the epoch had moved meanwhile. */
  async onEpoch<T>(operation: () => Awaitable<T>): Promise<T> {
    if (!this.backend.capabilities.shared) return operation();
    const { epoch } = this.stamps.current ?? (await this.stamps.load());
    const { latest } = this.stamps;
    const [record, answer] = await Promise.all([this.backend.get(this.keys.controlKey), operation()]);
    this.takeOver(record, latest);
    const now = this.stamps.current ?? (await this.stamps.load());
    return now.epoch === epoch ? answer : operation();
  }

  /** Begins a new epoch and frees the old one's keys in the background, where the backend can list. */
  async clear(): Promise<void> {
    const ended = await this.stamps.advanceEpoch();
    this.memo.forget();
    this.cleaning.begin(ended);
  }

  /** Milliseconds since 1970 by the store's clock, for the stamps of new entries. */
  now(): number {
    return this.clock.now();
  }

  private readAtOnce<T>(codec: EntryCodec<T>, pair: KeyPair): Found<T> | typeof LATER {
    const payload = this.getAtOnce(pair.key);
    if (payload === LATER) return LATER;
    const held = this.payloads.open(codec, payload, pair.fullKey);
    if (
      held === undefined ||
      (this.journal.isEmpty && (typeof held === 'number' || held.guard === undefined))
    )
      return held;
    return presentIn(this.sights.of(pair, payload, held, this.tags.peek));
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

  private readLater<T>(address: Address<T>): Awaitable<Found<T>> {
    return this.policy.read<Found<T>>(
      'get',
      () => this.lookLater<T, Found<T>>(address, NO_TAGS, presentIn),
      undefined,
    );
  }

  /** Whether a look must read the control record along: others write to the backend, and no memo stands in for it. */
  private get isControlAsked(): boolean {
    return this.backend.capabilities.shared && !this.memo.knowsControl;
  }

  /** Takes over the control record that came with a look at keys of this epoch; answers whether they are the current ones. */
  private isStill(epoch: number, record: Payload | undefined, latestBefore: number): boolean {
    // Another operation may have learned of a new epoch while this one was on its way.
    return this.takeOver(record, latestBefore) === epoch && (this.stamps.current?.epoch ?? epoch) === epoch;
  }

  private takeOver(record: Payload | undefined, latestBefore: number): number | undefined {
    const told = this.stamps.accept(record, latestBefore);
    if (told !== undefined && told === this.stamps.current?.epoch) this.memo.sawControl();
    return told;
  }

  /** Whether what lay under a key was present. */
  async wasPresent<T>(codec: EntryCodec<T>, payload: Payload | undefined, fullKey: string): Promise<boolean> {
    const held = this.payloads.open({ ...codec, decode: () => undefined as T }, payload, fullKey);
    const recordOf = this.backend.capabilities.shared
      ? await this.records.of([held], NO_TAGS, [])
      : this.tags.peek;
    return this.sights.of({ key: '', fullKey }, payload, held, recordOf).freshness === 'fresh';
  }
}
