import { NumberOutOfRangeError } from '../errors.js';
import type { BackendCapabilities, CompleteBackend, HeldObject, Payload } from './cache-backend.js';

/**
 * Keeps nothing: every write succeeds and every key is absent. For tests and for development with caching switched off.
 * `close()` changes nothing either, so it answers afterwards as before.
 */
export class NullBackend implements CompleteBackend<Payload | HeldObject> {
  readonly name = 'null';
  readonly capabilities: BackendCapabilities = {
    atomicity: 'process',
    shared: false,
    lists: true,
    holdsObjects: true,
    stores: false,
  };

  get(_key: string): undefined {
    return undefined;
  }

  set(_key: string, _payload: Payload | HeldObject, _ttlMs: number | null): void {}

  delete(_key: string): boolean {
    return false;
  }

  ttl(_key: string): undefined {
    return undefined;
  }

  clear(_prefix: string): void {}

  close(): void {}

  async *keys(_prefix: string): AsyncGenerator<string> {}

  add(_key: string, _payload: Payload | HeldObject, _ttlMs: number | null): boolean {
    return true;
  }

  /** @throws NumberOutOfRangeError if `initial + delta` passes the safe integers */
  increment(
    _key: string,
    delta: number,
    initial: number | undefined,
    _ttlMs: number | null,
  ): number | undefined {
    if (initial === undefined) return undefined;
    const sum = initial + delta;
    if (!Number.isSafeInteger(sum)) throw new NumberOutOfRangeError();
    return sum === 0 ? 0 : sum;
  }

  touch(_key: string, _ttlMs: number | null): boolean {
    return false;
  }

  compareAndSet(
    _key: string,
    _expected: Payload | HeldObject,
    _payload: Payload | HeldObject,
    _ttlMs: number | null,
  ): boolean {
    return false;
  }

  compareAndDelete(_key: string, _expected: Payload | HeldObject): boolean {
    return false;
  }

  getMany(keys: readonly string[]): undefined[] {
    return keys.map(() => undefined);
  }

  setMany(_writes: readonly unknown[]): string[] {
    return [];
  }

  deleteMany(_keys: readonly string[]): number {
    return 0;
  }
}
