import type { Awaitable, CompleteBackend, HeldObject, Payload } from '../backends/cache-backend.js';
import type { Clock } from '../clock.js';
import { decodeFrame, encodeFrame } from './frame.js';
import { Epoch } from './epoch.js';
import { isPromise, type FailurePolicy } from './failure-policy.js';
import { boundedKey, type KeyKind, type KeySpace } from './keys.js';

/** A value with its stamps, as it is held. In memory this object itself is what the backend keeps. */
export interface Entry<T> extends HeldObject {
  readonly value: T;
  /** Milliseconds since 1970 at the start of the load. */
  readonly createdAt: number;
  /** The full key; compared on read when the final key is a digest. */
  readonly fullKey: string;
}

/** How a layer turns what it keeps into bytes and back. */
export interface EntryCodec<T> {
  readonly kind: KeyKind;
  encode(value: T): { readonly codec: number; readonly body: Uint8Array };
  /** @throws whatever it likes for a body that it cannot read: that is a miss */
  decode(codec: number, body: Uint8Array): T;
}

/** What a key holds: an entry of a layer, or a bare integer. */
export type Found<T> = Entry<T> | number | undefined;

/** Where an operation goes: the final key, and the full one before it was bounded. */
export interface KeyPair {
  readonly key: string;
  readonly fullKey: string;
}

/**
 * The entries of one cache: the only place where keys, the epoch, frames and the backend meet. Everything above speaks of
 * values, everything below of payloads.
 */
export class Entries {
  private readonly epoch: Epoch;
  private readonly bases = new Map<string, { readonly epoch: number; readonly base: string }>();

  constructor(
    readonly keys: KeySpace,
    private readonly backend: CompleteBackend,
    private readonly policy: FailurePolicy,
    private readonly clock: Clock,
  ) {
    this.epoch = new Epoch(backend, keys, clock);
  }

  /** Reads an entry; `undefined` for a miss, a payload that does not parse, or a failing backend. */
  read<T>(codec: EntryCodec<T>, segments: string, version: number): Awaitable<Found<T>> {
    if (this.backend.capabilities.shared) {
      return this.policy.read('get', () => this.readShared(codec, segments, version), undefined);
    }
    const { key, fullKey } = this.keyOf(codec.kind, segments, version);
    const payload = this.backend.get(key);
    if (!isPromise(payload)) return this.open(codec, payload, fullKey);
    const opened = Promise.resolve(payload).then((held) => this.open(codec, held, fullKey));
    // A closed cache refuses the read without a look at the answer.
    opened.catch(() => undefined);
    return this.policy.read('get', () => opened, undefined);
  }

  /** Reads many, in the order of the keys, in one round trip. */
  readMany<T>(codec: EntryCodec<T>, segments: readonly string[], version: number): Awaitable<Found<T>[]> {
    if (segments.length === 0) return [];
    const absent = segments.map(() => undefined);
    return this.policy.read('getMany', () => this.readManyShared(codec, segments, version), absent);
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
            ? this.backend.set(key, this.payload(codec, value, size, fullKey, createdAt), ttlMs)
            : this.backend.delete(key),
        ),
      undefined,
    );
  }

  /** The payload that keeps a value: the value itself where the backend holds objects, else a frame. */
  payload<T>(codec: EntryCodec<T>, value: T, size: number, fullKey: string, createdAt: number): Payload {
    if (this.backend.capabilities.holdsObjects) {
      return { value, size, createdAt, fullKey } satisfies Entry<T> as unknown as Payload;
    }
    return encodeFrame({ ...codec.encode(value), createdAt, fullKey });
  }

  /** Runs an operation on the key of the current epoch, in one round trip with the epoch's record. */
  async onKey<T>(
    kind: KeyKind,
    segments: string,
    version: number,
    operation: (pair: KeyPair) => Awaitable<T>,
  ): Promise<T> {
    return this.onEpoch(() => operation(this.keyOf(kind, segments, version)));
  }

  /** Runs an operation on keys of the current epoch, and once more if the epoch had moved meanwhile. */
  async onEpoch<T>(operation: () => Awaitable<T>): Promise<T> {
    if (!this.backend.capabilities.shared) return operation();
    if (this.epoch.current === undefined) await this.epoch.load();
    const [record, answer] = await Promise.all([this.backend.get(this.keys.epochKey), operation()]);
    if (this.epoch.isCurrent(record)) return answer;
    if (this.epoch.current === undefined) await this.epoch.load();
    return operation();
  }

  /** Begins a new epoch and frees the old one's keys in the background, where the backend can list. */
  async clear(): Promise<void> {
    const ended = await this.epoch.advance();
    if (ended === undefined || !this.backend.capabilities.lists) return;
    const freed = this.policy.read(
      'clear',
      () => this.backend.clear(this.keys.epochPrefix(ended)),
      undefined,
    );
    if (isPromise(freed)) freed.then(undefined, () => undefined);
  }

  /** The final key of the epoch that was last seen. */
  keyOf(kind: KeyKind, segments: string, version: number): KeyPair {
    const fullKey = this.base(kind, version) + segments;
    return { fullKey, key: boundedKey(fullKey) };
  }

  private async readShared<T>(codec: EntryCodec<T>, segments: string, version: number): Promise<Found<T>> {
    const [found] = await this.readManyShared(codec, [segments], version);
    return found;
  }

  private async readManyShared<T>(
    codec: EntryCodec<T>,
    segments: readonly string[],
    version: number,
  ): Promise<Found<T>[]> {
    if (this.epoch.current === undefined) await this.epoch.load();
    for (let isRepeated = false; ; isRepeated = true) {
      const pairs = segments.map((each) => this.keyOf(codec.kind, each, version));
      const asked = pairs.map(({ key }) => key);
      if (this.backend.capabilities.shared) asked.push(this.keys.epochKey);
      const payloads = await this.backend.getMany(asked);
      const record = this.backend.capabilities.shared ? payloads.pop() : this.epoch.current;
      if (this.epoch.isCurrent(record)) {
        return pairs.map(({ fullKey }, index) => this.open(codec, payloads[index], fullKey));
      }
      if (isRepeated) return pairs.map(() => undefined);
      if (this.epoch.current === undefined) await this.epoch.load();
    }
  }

  private open<T>(codec: EntryCodec<T>, payload: Payload | undefined, fullKey: string): Found<T> {
    if (payload === undefined || typeof payload === 'number') return payload;
    if (!(payload instanceof Uint8Array)) {
      const entry = payload as unknown as Entry<T>;
      return fullKey.length <= 250 || entry.fullKey === fullKey ? entry : undefined;
    }
    const frame = decodeFrame(payload, fullKey);
    if (frame === undefined) return undefined;
    try {
      const value = codec.decode(frame.codec, frame.body);
      return { value, size: payload.length, createdAt: frame.createdAt, fullKey };
    } catch {
      return undefined;
    }
  }

  /** What the keys of a kind and version begin with, made once for each epoch. */
  private base(kind: KeyKind, version: number): string {
    const epoch = this.epoch.current ?? 0;
    const name = version === 1 ? kind : `${kind}${version}`;
    const made = this.bases.get(name);
    if (made?.epoch === epoch) return made.base;
    if (this.bases.size > MAX_BASES) this.bases.clear();
    const base = this.keys.base(epoch, version, kind);
    this.bases.set(name, { epoch, base });
    return base;
  }

  /** Milliseconds since 1970, for the stamps of new entries. */
  now(): number {
    return this.clock.now();
  }
}

/** Versions come from callers, so what is remembered of them is bounded. */
const MAX_BASES = 100;
