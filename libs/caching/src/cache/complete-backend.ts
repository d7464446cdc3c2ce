import type {
  AtomicOperations,
  BackendWrite,
  BulkOperations,
  CacheBackend,
  CompleteBackend,
  Payload,
} from '../backends/cache-backend.js';
import { NotANumberError, NumberOutOfRangeError, ValueTooLargeError } from '../errors.js';

/**
 * The backend with an honest fallback for each part that it leaves out: many keys one by one, and atomic operations one
 * after another in this process (`capabilities.atomicity: 'process'` says so).
 */
export function completeBackend(backend: CacheBackend): CompleteBackend {
  const fallback = { ...bulkFallback(backend), ...atomicFallback(backend) };
  return new Proxy(backend, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target);
      if (own === undefined) return Reflect.get(fallback, name) as unknown;
      return typeof own === 'function' ? (own.bind(target) as unknown) : own;
    },
  }) as CompleteBackend;
}

/** Whether nothing is left out. */
export function isComplete(backend: CacheBackend): backend is CompleteBackend {
  const parts: (keyof AtomicOperations | keyof BulkOperations)[] = [
    'add',
    'increment',
    'touch',
    'compareAndSet',
    'compareAndDelete',
    'getMany',
    'setMany',
    'deleteMany',
  ];
  return parts.every((part) => backend[part] !== undefined);
}

function bulkFallback(backend: CacheBackend): BulkOperations {
  return {
    getMany: (keys) => Promise.all(keys.map(async (key) => backend.get(key))),
    async setMany(writes: readonly BackendWrite[]) {
      const last = new Map(writes.map((write) => [write.key, write]));
      const refused = await Promise.all([...last.values()].map((write) => setOrRefuse(backend, write)));
      return refused.filter((key) => key !== undefined);
    },
    async deleteMany(keys) {
      const deleted = await Promise.all([...new Set(keys)].map(async (key) => backend.delete(key)));
      return deleted.filter(Boolean).length;
    },
  };
}

async function setOrRefuse(
  backend: CacheBackend,
  { key, payload, ttlMs }: BackendWrite,
): Promise<string | undefined> {
  try {
    await backend.set(key, payload, ttlMs);
    return undefined;
  } catch (error) {
    if (error instanceof ValueTooLargeError) return key;
    throw error;
  }
}

function atomicFallback(backend: CacheBackend): AtomicOperations {
  const turns = new Map<string, Promise<unknown>>();
  const inTurn = <T>(key: string, step: () => Promise<T>): Promise<T> => {
    const turn = (turns.get(key) ?? Promise.resolve()).then(step, step);
    turns.set(key, turn);
    const forget = () => void (turns.get(key) === turn && turns.delete(key));
    turn.then(forget, forget);
    return turn;
  };
  return {
    add: (key, payload, ttlMs) =>
      inTurn(key, async () => {
        if ((await backend.get(key)) !== undefined) return false;
        await backend.set(key, payload, ttlMs);
        return true;
      }),
    increment: (key, delta, initial, ttlMs) =>
      inTurn(key, () => increment(backend, key, delta, initial, ttlMs)),
    touch: (key, ttlMs) =>
      inTurn(key, async () => {
        const payload = await backend.get(key);
        if (payload === undefined) return false;
        await backend.set(key, payload, ttlMs);
        return true;
      }),
    compareAndSet: (key, expected, payload, ttlMs) =>
      inTurn(key, async () => {
        if (!isSamePayload(await backend.get(key), expected)) return false;
        await backend.set(key, payload, ttlMs);
        return true;
      }),
    compareAndDelete: (key, expected) =>
      inTurn(key, async () => isSamePayload(await backend.get(key), expected) && (await backend.delete(key))),
  };
}

async function increment(
  backend: CacheBackend,
  key: string,
  delta: number,
  initial: number | undefined,
  ttlMs: number | null,
): Promise<number | undefined> {
  const [held, life] = await Promise.all([backend.get(key), backend.ttl(key)]);
  if (held === undefined && initial === undefined) return undefined;
  if (held !== undefined && typeof held !== 'number') throw new NotANumberError();
  // Two times −0 would be −0, which is no payload.
  const sum = (held ?? initial ?? 0) + delta || 0;
  if (!Number.isSafeInteger(sum)) throw new NumberOutOfRangeError();
  await backend.set(key, sum, held === undefined || life === undefined ? ttlMs : life);
  return sum;
}

function isSamePayload(held: Payload | undefined, expected: Payload): boolean {
  if (held instanceof Uint8Array && expected instanceof Uint8Array)
    return Buffer.compare(held, expected) === 0;
  return held === expected;
}
