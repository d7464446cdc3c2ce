/** A place where Keyv 5 keeps its entries: an adapter such as `new KeyvRedis(url)`, or a `Map`. */
export interface KeyvAdapter {
  get(key: string): unknown;
  /** The life is in milliseconds; without one the entry lasts. `false` is a refusal. */
  set(key: string, stored: unknown, ttlMs?: number): unknown;
  /** `false` if the key was absent. */
  delete(key: string): unknown;
  /** What is stored, in the order of the keys. */
  getMany?(keys: string[]): unknown;
}

/** What Keyv stores for a value. */
export interface KeyvEnvelope {
  readonly value: string;
  /** Milliseconds since 1970; `undefined` never expires. */
  readonly expires: number | undefined;
}

/** What is needed of an instance of Keyv 5, as `new Keyv(…)` and `createKeyv(…)` make it. */
export interface KeyvInstance {
  readonly opts: object;
  readonly store: object;
  readonly namespace: string | undefined;
  readonly useKeyPrefix: boolean;
  serializeData(envelope: KeyvEnvelope): Promise<unknown>;
  deserializeData(stored: string): Promise<unknown>;
}

/** An instance of Keyv 5, or a store for one. */
export type KeyvStore = KeyvAdapter | KeyvInstance;
