import type { CacheService } from '../cache/cache.service.js';
import { CachingError } from '../errors.js';
import { range } from './compliance/trial.js';
import { bytesAt, createHostileSuite, type HostileScene, type HostileSuite } from './hostile/scene.js';
import type { HostileContentOptions } from './hostile/subject.js';
import { flipped, TAMPERINGS } from './hostile/tampering.js';
import { outcomeOf } from './outage/operations.js';

/**
 * Declares the tests of what a cache makes of entries that it did not write: truncated, altered, of another program, of a
 * future version, copied from another key. Each is a miss, no verb fails in a way that is not documented, none gives
 * anything that was forged, and the next write heals the key. Bare digits are a counter, on purpose.
 *
 * ```ts
 * describeHostileContent('my backend', {
 *   create: () => new MyBackend(url),
 *   runner: { describe, it, expect, beforeEach, afterEach },
 * });
 * ```
 */
export function describeHostileContent(name: string, options: HostileContentOptions): void {
  options.runner.describe(`${name}: hostile content`, () => {
    const suite = createHostileSuite(options);
    for (const what of Object.keys(TAMPERINGS)) describePayload(what, suite);
    describeBits(suite);
    describeIntegers(suite);
    if (suite.hasStorage) describeStorage(suite);
  });
}

const KEY = 'tampered';
/** As long as the other one, so that only the key itself tells their entries apart. */
const OTHER = 'pristine';
const VALUE = { text: 'what the cache wrote', list: [1, 2, 3] };

function describePayload(what: string, { describe, test }: HostileSuite): void {
  describe(`${what} in the place of an entry`, () => {
    const tampered = async (scene: HostileScene): Promise<void> => {
      await fill(scene);
      const [key, other] = [scene.finalKeyOf(KEY), scene.finalKeyOf(OTHER)];
      const payload = TAMPERINGS[what]!(
        await bytesAt(scene.backend, key),
        await bytesAt(scene.backend, other),
      );
      await scene.backend.set(key, payload, null);
    };
    describeMiss(tampered, test);
  });
}

/** What every reader and every writer makes of an entry that is none. */
function describeMiss(tamper: (scene: HostileScene) => Promise<void>, test: HostileSuite['test']): void {
  test('is a miss for every reader', async (scene) => {
    await tamper(scene);
    await expectMiss(scene);
    scene.expect(await scene.cache.get(OTHER)).toEqual('other value');
  });

  test('is healed by the next write', async (scene) => {
    for (const [heal, value] of HEALING) {
      await tamper(scene);
      await heal(scene.cache);
      scene.expect(await scene.cache.get(KEY)).toEqual(value);
    }
  });

  test('fails no verb in a way that is not documented, and is never given out', async (scene) => {
    for (const [verb, leaves] of VERBS) {
      await tamper(scene);
      const outcome = await outcomeOf(() => verb(scene.cache));
      if (outcome.status === 'rejected') scene.expect(outcome.reason instanceof CachingError).toBe(true);
      const found = await scene.cache.get(KEY);
      scene.expect(found === undefined || found === leaves).toBe(true);
    }
  });
}

/** What heals a key, and what is read after that. */
const HEALING: readonly (readonly [(cache: CacheService) => Promise<unknown>, unknown])[] = [
  [(cache) => cache.set(KEY, 'new'), 'new'],
  [(cache) => cache.getOrSet(KEY, () => ({ loaded: true })), { loaded: true }],
  [(cache) => cache.setMany({ [KEY]: 'of many' }), 'of many'],
  [(cache) => cache.delete(KEY).then(() => cache.add(KEY, 'added')), 'added'],
];

/** Every other verb, and the value that it may leave. */
const VERBS: readonly (readonly [(cache: CacheService) => Promise<unknown>, unknown])[] = [
  [(cache) => cache.add(KEY, 'added'), 'added'],
  [(cache) => cache.delete(KEY), undefined],
  [(cache) => cache.deleteMany([KEY]), undefined],
  [(cache) => cache.touch(KEY, '1h'), undefined],
  [(cache) => cache.persist(KEY), undefined],
  [(cache) => cache.ttl(KEY), undefined],
  [(cache) => cache.increment(KEY), undefined],
  [(cache) => cache.increment(KEY, 1, { initial: 6 }), 7],
  [(cache) => cache.decrement(KEY, 1, { initial: 6 }), 5],
];

function describeBits({ test }: HostileSuite): void {
  test('one bit turned in an entry, whichever it is, is a miss', async (scene) => {
    await fill(scene);
    const key = scene.finalKeyOf(KEY);
    const written = await bytesAt(scene.backend, key);
    for (const bit of range(written.length * 8)) {
      await scene.backend.set(key, flipped(written, bit), null);
      const found = await scene.cache.get(KEY);
      if (found !== undefined)
        throw new Error(`With bit ${bit} of ${written.length * 8} turned it is a hit.`);
    }
    await scene.backend.set(key, written, null);
    scene.expect(await scene.cache.get(KEY)).toEqual(VALUE);
  });

  test('an entry that is cut off, wherever it is, is a miss', async (scene) => {
    await fill(scene);
    const key = scene.finalKeyOf(KEY);
    const written = await bytesAt(scene.backend, key);
    for (const length of range(written.length)) {
      await scene.backend.set(key, written.subarray(0, length), null);
      scene.expect(await scene.cache.get(KEY)).toBe(undefined);
    }
  });
}

function describeIntegers({ test }: HostileSuite): void {
  test('a bare integer is a counter, whoever wrote it', async (scene) => {
    await fill(scene);
    await scene.backend.set(scene.finalKeyOf(KEY), 41, null);
    scene.expect(await scene.cache.get(KEY)).toBe(41);
    scene.expect(await scene.cache.increment(KEY)).toBe(42);
  });
}

function describeStorage({ describe, test }: HostileSuite): void {
  describe('in the storage itself', () => {
    const rewrite = async (
      scene: HostileScene,
      change: (stored: Uint8Array) => Uint8Array,
    ): Promise<void> => {
      const key = scene.finalKeyOf(KEY);
      await scene.storage().write(key, change(await scene.storage().read(key)));
    };

    for (const what of Object.keys(TAMPERINGS)) {
      describe(`${what} in the place of an entry`, () => {
        const tampered = async (scene: HostileScene): Promise<void> => {
          await fill(scene);
          const other = Buffer.from(await scene.storage().read(scene.finalKeyOf(OTHER)));
          await rewrite(scene, (stored) => TAMPERINGS[what]!(Buffer.from(stored), other) as Uint8Array);
        };
        describeMiss(tampered, test);
      });
    }

    test('one bit turned, whichever it is, never gives a value that was not written', async (scene) => {
      await fill(scene);
      const key = scene.finalKeyOf(KEY);
      const stored = Uint8Array.from(await scene.storage().read(key));
      for (const bit of range(stored.length * 8)) {
        await scene.storage().write(key, flipped(stored, bit));
        const found = await scene.cache.get(KEY);
        if (found !== undefined) scene.expect(found).toEqual(VALUE);
      }
    });
  });
}

async function fill({ cache }: HostileScene): Promise<void> {
  await cache.set(KEY, VALUE);
  await cache.set(OTHER, 'other value');
}

async function expectMiss({ cache, expect }: HostileScene): Promise<void> {
  expect(await cache.get(KEY)).toBe(undefined);
  expect(await cache.get(KEY, { default: 'instead' })).toBe('instead');
  expect(await cache.has(KEY)).toBe(false);
  expect([...(await cache.getMany([KEY, OTHER])).keys()]).toEqual([OTHER]);
}
