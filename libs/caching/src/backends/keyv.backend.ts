import { setImmediate as nextTurn } from 'node:timers/promises';
import { isMap } from 'node:util/types';
import type { Clock } from '../clock.js';
import type { BackendCapabilities, CacheBackend, Payload } from './cache-backend.js';
import { type Held, unwrap, wrap } from './keyv/envelope.js';
import type { KeyvAdapter, KeyvEnvelope, KeyvInstance, KeyvStore } from './keyv/keyv-store.js';
import { recognise } from './keyv/recognise.js';
import { throwing } from './keyv/throwing.js';

/** Keys of a `Map` that are looked at in one go, well under 5 ms. */
const KEYS_PER_TURN = 500;

interface Emitter {
  on?(event: 'error', listener: () => void): unknown;
  off?(event: 'error', listener: () => void): unknown;
}

export interface KeyvBackendOptions {
  /** An instance of Keyv 5, or a store for one. It is the application's: never closed, and never changed. */
  readonly store: KeyvStore;
  readonly clock: Clock;
}

/**
 * Whatever Keyv 5 can keep entries in. Of an instance the store, the namespace, the serializer and the compression are
 * used; its default life, hooks and statistics are not, and the store is asked directly, because an instance hides
 * failures.
 *
 * Keyv has no operation that is atomic and none for keys by prefix. So the former hold in this process only, and
 * `clear` and `keys` work on a `Map` alone: the iterator of an adapter reads every value of the namespace, and that of
 * `KeyvRedis` leaves keys out.
 */
export class KeyvBackend implements CacheBackend {
  readonly name = 'keyv';
  readonly capabilities: BackendCapabilities;
  readonly getMany?: (keys: readonly string[]) => Promise<(Payload | undefined)[]>;
  readonly keys?: (prefix: string) => AsyncGenerator<string, void, undefined>;
  readonly prune?: () => Promise<number>;

  readonly #adapter: KeyvAdapter & Emitter;
  readonly #instance: KeyvInstance | undefined;
  readonly #map: ReadonlyMap<unknown, unknown> | undefined;
  /** What Keyv puts before each key of its namespace. */
  readonly #namespace: string;
  readonly #clock: Clock;
  #isClosed = false;

  /** @throws InvalidOptionsError if the store is none that Keyv 5 takes */
  constructor({ store, clock }: KeyvBackendOptions) {
    const { adapter, instance } = recognise(store);
    this.#adapter = throwing(adapter);
    this.#instance = instance;
    this.#namespace = instance?.useKeyPrefix && instance.namespace ? `${instance.namespace}:` : '';
    this.#map = isMap(adapter) ? adapter : undefined;
    this.#clock = clock;
    const isMapped = this.#map !== undefined;
    this.capabilities = {
      atomicity: 'process',
      shared: !isMapped,
      lists: isMapped,
      holdsObjects: false,
      stores: true,
    };
    if (typeof adapter.getMany === 'function') this.getMany = (keys) => this.#readMany(keys);
    if (isMapped) {
      this.keys = (prefix) => this.#list(prefix);
      this.prune = () => this.#prune();
    }
    // An emitter without a listener for its errors ends the process.
    this.#adapter.on?.('error', ignore);
  }

  async get(key: string): Promise<Payload | undefined> {
    return (await this.#read(key))?.payload;
  }

  async set(key: string, payload: Payload, ttlMs: number | null): Promise<void> {
    const expiresAt = ttlMs === null ? null : this.#clock.now() + ttlMs;
    try {
      const stored = await this.#serialize(wrap({ payload, expiresAt }));
      const answer = await this.#opened().set(this.#namespace + key, stored, ttlMs ?? undefined);
      if (answer === false) throw new Error('The Keyv store has not taken the entry.');
    } catch (error) {
      // What was there before must not outlive the write that was to replace it.
      await this.#remove(this.#namespace + key).catch(ignore);
      throw error;
    }
  }

  async delete(key: string): Promise<boolean> {
    const held = await this.#read(key);
    return (await this.#remove(this.#namespace + key)) && held !== undefined;
  }

  async ttl(key: string): Promise<number | null | undefined> {
    const held = await this.#read(key);
    if (held === undefined || held.expiresAt === null) return held && null;
    const left = held.expiresAt - this.#clock.now();
    return left > 0 ? left : undefined;
  }

  async clear(prefix: string): Promise<void> {
    this.#opened();
    for await (const [name] of this.#under(prefix)) await this.#remove(name);
  }

  /** Leaves the store open: whoever made it closes it. */
  async close(): Promise<void> {
    if (!this.#isClosed) this.#adapter.off?.('error', ignore);
    this.#isClosed = true;
  }

  async #read(key: string): Promise<Held | undefined> {
    const stored = await this.#opened().get(this.#namespace + key);
    return this.#present(await this.#deserialize(stored));
  }

  async #readMany(keys: readonly string[]): Promise<(Payload | undefined)[]> {
    const adapter = this.#opened();
    if (keys.length === 0) return [];
    const stored = await adapter.getMany!(keys.map((key) => this.#namespace + key));
    if (!Array.isArray(stored) || stored.length !== keys.length)
      throw new Error('The Keyv store has not answered every key of getMany().');
    const held = await Promise.all(stored.map((each) => this.#deserialize(each)));
    return held.map((each) => this.#present(each)?.payload);
  }

  async #remove(name: string): Promise<boolean> {
    return (await this.#opened().delete(name)) !== false;
  }

  async *#list(prefix: string): AsyncGenerator<string, void, undefined> {
    this.#opened();
    for await (const [name, stored] of this.#under(prefix)) {
      const held = this.#present(await this.#deserialize(stored));
      if (held !== undefined) yield name.slice(this.#namespace.length);
    }
  }

  async #prune(): Promise<number> {
    this.#opened();
    let freed = 0;
    for await (const [name, stored] of this.#under('')) {
      const held = await this.#deserialize(stored);
      // Others may keep entries in the map as well, and this one may have been replaced by now.
      if (held === undefined || this.#present(held) !== undefined) continue;
      if (this.#map?.get(name) === stored && (await this.#remove(name))) freed++;
    }
    return freed;
  }

  /** What a `Map` has under keys of the namespace that begin so, in steps that leave room for others. */
  async *#under(prefix: string): AsyncGenerator<readonly [name: string, stored: unknown]> {
    let looked = 0;
    for (const [name, stored] of this.#map ?? []) {
      if (typeof name === 'string' && name.startsWith(this.#namespace + prefix)) yield [name, stored];
      if (++looked % KEYS_PER_TURN === 0) await nextTurn();
    }
  }

  #present(held: Held | undefined): Held | undefined {
    if (held === undefined || held.expiresAt === null) return held;
    return this.#clock.now() >= held.expiresAt ? undefined : held;
  }

  #serialize(envelope: KeyvEnvelope): unknown {
    return this.#instance === undefined ? JSON.stringify(envelope) : this.#instance.serializeData(envelope);
  }

  /** Some adapters give the envelope itself. What cannot be read is another program's, and absent. */
  async #deserialize(stored: unknown): Promise<Held | undefined> {
    if (typeof stored !== 'string') return unwrap(stored);
    try {
      const parsed: unknown =
        this.#instance === undefined ? JSON.parse(stored) : await this.#instance.deserializeData(stored);
      return unwrap(parsed);
    } catch {
      return undefined;
    }
  }

  /** Every call goes through here: one to a store that the application has closed meanwhile would connect it anew. */
  #opened(): KeyvAdapter {
    if (this.#isClosed) throw new Error('The keyv backend is closed.');
    return this.#adapter;
  }
}

function ignore(): void {}
