import type { CacheBackend, Payload } from '../../backends/cache-backend.js';
import type { CacheService } from '../../cache/cache.service.js';
import type { ComplianceAssertion } from '../compliance/subject.js';
import { TEST_TIMEOUT_MS } from '../compliance/trial.js';
import { openCache } from '../open-cache.js';
import type { HostileContentOptions, HostileStorage } from './subject.js';

/** What a test works with. */
export interface HostileScene {
  readonly cache: CacheService;
  /** The backend under the cache; it is given bytes, also if it could hold objects. */
  readonly backend: CacheBackend;
  storage(): HostileStorage;
  /** The final key that the cache uses for a key of the caller's, which must be safe as it is. */
  finalKeyOf(key: string): string;
  expect(actual: unknown): ComplianceAssertion;
}

export interface HostileSuite {
  readonly hasStorage: boolean;
  describe(subject: string, body: () => void): void;
  test(promise: string, body: (scene: HostileScene) => Promise<void>): void;
}

export function createHostileSuite(options: HostileContentOptions): HostileSuite {
  const { runner } = options;
  let scene: HostileScene | undefined;
  runner.beforeEach(async () => {
    const seen = new Set<string>();
    const backend = listening((await options.create()) as CacheBackend, seen);
    // No outage is tested here, so that a busy machine must not look like one.
    const deadlines = { readDeadline: TEST_TIMEOUT_MS, writeDeadline: TEST_TIMEOUT_MS };
    scene = {
      cache: await openCache({ backend, keyPrefix: 'hostile', ttl: null, ...deadlines }),
      backend,
      storage: () => options.storage!(),
      finalKeyOf(key) {
        const found = [...seen].find((final) => final.endsWith(`:${key}`));
        if (found === undefined) throw new Error('The cache has asked the backend for no such key.');
        return found;
      },
      expect: (actual) => runner.expect(actual),
    };
  }, TEST_TIMEOUT_MS);
  runner.afterEach(async () => {
    try {
      await scene?.cache.close();
      await scene?.backend.close();
      scene = undefined;
    } finally {
      await options.destroy?.();
    }
  }, TEST_TIMEOUT_MS);
  return {
    hasStorage: options.storage !== undefined,
    describe: (subject, body) => void runner.describe(subject, body),
    test: (promise, body) =>
      void runner.it(
        promise,
        async () => {
          if (scene === undefined) throw new Error('create() gave no backend');
          await body(scene);
        },
        TEST_TIMEOUT_MS,
      ),
  };
}

/** The backend, which notes the keys that it is asked for and takes bytes where it could hold objects. */
function listening(backend: CacheBackend, seen: Set<string>): CacheBackend {
  return new Proxy(backend, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target);
      if (name === 'capabilities') return { ...target.capabilities, holdsObjects: false };
      if (typeof own !== 'function') return own;
      return (...args: unknown[]): unknown => {
        if (typeof args[0] === 'string') seen.add(args[0]);
        return (own as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

/** The bytes that a backend gives for a key. */
export async function bytesAt(backend: CacheBackend, key: string): Promise<Buffer> {
  const payload: Payload | undefined = await backend.get(key);
  if (!(payload instanceof Uint8Array)) throw new Error('There are no bytes under the key.');
  return Buffer.from(payload);
}
