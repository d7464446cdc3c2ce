import type { CacheService } from '../../cache/cache.service.js';
import type { CacheOptions } from '../../caching.options.js';
import type { CacheBackend } from '../../backends/cache-backend.js';
import { BackendError } from '../../errors.js';
import { atOnce, codeOf, range } from '../compliance/trial.js';
import { openCache } from '../open-cache.js';
import { linesOf } from '../log.js';
import { eventually, outcomeOf, reasonOf } from './operations.js';
import { LIMIT_MS, type OutageSuite, type Scene } from './scene.js';

/** Far below the limits of the backend, so that these are what ends a call. */
const DEADLINE_MS = LIMIT_MS / 4;

/** How a server can be away. Each resolves when a cache notices. */
const OUTAGES: Readonly<Record<string, (scene: Scene, cache: CacheService) => Promise<void>>> = {
  'is down': (scene) => scene.kill(),
  'refuses connections': (scene) => scene.proxy.refuse(),
  'is frozen': (scene, cache) => scene.freeze().then(() => untilAway(cache)),
  'is slow': async (scene) => scene.proxy.delay(LIMIT_MS * 3),
  'is out of reach': async (scene) => scene.proxy.mute(),
};

/** What must reject while the backend is away, whatever it would have answered. */
const WRITES: Readonly<Record<string, (cache: CacheService) => Promise<unknown>>> = {
  set: (cache) => cache.set('key', 1),
  add: (cache) => cache.add('key', 1),
  delete: (cache) => cache.delete('key'),
  touch: (cache) => cache.touch('key', '1m'),
  persist: (cache) => cache.persist('key'),
  setMany: (cache) => cache.setMany({ a: 1, b: 2 }),
  deleteMany: (cache) => cache.deleteMany(['a', 'b']),
  clear: (cache) => cache.clear(),
  increment: (cache) => cache.increment('count', 1, { initial: 0 }),
  decrement: (cache) => cache.decrement('count', 1, { initial: 0 }),
};

/** What `onError: 'ignore'` answers instead. What is missing here rejects all the same. */
const IGNORED: Readonly<Record<string, unknown>> = {
  set: undefined,
  add: false,
  delete: false,
  touch: false,
  persist: false,
  setMany: [],
  deleteMany: 0,
  clear: undefined,
};

/** What the engine makes of an outage. */
export function describeCacheOutages(suite: OutageSuite): void {
  for (const [what, begin] of Object.entries(OUTAGES)) describeOutageThat(what, begin, suite);
  describeLog(suite);
  describeEnds(suite);
}

function describeOutageThat(
  what: string,
  begin: (scene: Scene, cache: CacheService) => Promise<void>,
  { describe, test }: OutageSuite,
): void {
  describe(`whose server ${what}`, () => {
    test('reads as if it were empty, and loads', async (scene) => {
      const cache = await opened(scene);
      await cache.set('key', 'kept', null);
      await begin(scene, cache);
      await expectEmptyReads(scene, cache);
    });

    test('rejects every write with a BackendError', async (scene) => {
      const cache = await opened(scene);
      await begin(scene, cache);
      const names = Object.keys(WRITES);
      const reasons = await Promise.all(names.map((name) => reasonOf(() => WRITES[name]!(cache))));
      scene.expect(names.filter((_, index) => !(reasons[index] instanceof BackendError))).toEqual([]);
    });

    test('answers writes as if nothing had been there if it is to ignore errors', async (scene) => {
      const cache = await opened(scene, { onError: 'ignore' });
      await begin(scene, cache);
      await linesOf(async () => {
        for (const [name, write] of Object.entries(WRITES)) {
          const outcome = await outcomeOf(() => write(cache));
          if (name in IGNORED) scene.expect(outcome).toEqual({ status: 'fulfilled', value: IGNORED[name] });
          else
            scene.expect(outcome.status === 'rejected' && outcome.reason instanceof BackendError).toBe(true);
        }
      });
    });

    test('hits again when that is over, without a restart', async (scene) => {
      const cache = await opened(scene);
      await begin(scene, cache);
      await linesOf(async () => void (await cache.get('key')));
      if (what === 'is down') await scene.start();
      await scene.proxy.listen();
      await scene.thaw();
      scene.proxy.heal();
      await eventually(() => hits(cache));
      await cache.set('key', 'new', null);
      scene.expect(await cache.get('key')).toBe('new');
    });
  });
}

async function expectEmptyReads(scene: Scene, cache: CacheService): Promise<void> {
  await linesOf(async () => {
    scene.expect(await cache.get('key')).toBe(undefined);
    scene.expect(await cache.get('key', { default: 'instead' })).toBe('instead');
    scene.expect(await cache.has('key')).toBe(false);
    scene.expect(await cache.ttl('key')).toBe(undefined);
    scene.expect((await cache.getMany(['key', 'other'])).size).toBe(0);
    scene.expect(await cache.getOrSet('key', () => 'loaded')).toBe('loaded');
    const loads = atOnce(20, () => cache.getOrSet('shared', async () => ({ from: 'the load' })));
    for (const value of await loads) scene.expect(value).toEqual({ from: 'the load' });
  });
}

function describeLog({ describe, test }: OutageSuite): void {
  describe('whose server stays away', () => {
    test('logs a few lines, which hold no value and no key', async (scene) => {
      const cache = await opened(scene, { onError: 'ignore' });
      await scene.proxy.refuse();
      const lines = await linesOf(async () => {
        for (const n of range(50)) {
          await cache.get(`personal-key-${n}`);
          await cache.getMany([`personal-key-${n}`]);
          await cache.set(`personal-key-${n}`, 'personal value');
          await cache.getOrSet(`personal-key-${n}`, () => 'personal value');
        }
      });
      scene.expect(lines.length).toBeGreaterThan(0);
      // A line for each kind of operation, and not one for each operation.
      scene.expect(lines.length).toBeLessThanOrEqual(10);
      scene.expect(lines.filter((line) => line.includes('personal'))).toEqual([]);
    });

    test('says that a deadline has passed, where that is what happened', async (scene) => {
      const cache = await opened(scene);
      scene.proxy.mute();
      scene.expect(codeOf(await reasonOf(() => cache.set('key', 1)))).toBe('CACHING_BACKEND_TIMEOUT');
    });
  });
}

function describeEnds({ describe, test }: OutageSuite): void {
  describe('close()', () => {
    for (const [what, begin] of Object.entries(OUTAGES)) {
      test(`ends while the server ${what}`, async (scene) => {
        const cache = await opened(scene);
        await begin(scene, cache);
        await linesOf(async () => {
          const underWay = outcomeOf(() => cache.getOrSet('key', () => 'loaded'));
          scene.expect((await outcomeOf(() => cache.close())).status).toBe('fulfilled');
          await underWay;
        });
        scene.expect(codeOf(await reasonOf(() => cache.get('key')))).toBe('CACHING_CLOSED');
        await eventually(() => scene.connections() === 0);
      });
    }
  });
}

/** A cache that is connected. */
async function opened(scene: Scene, options: Pick<CacheOptions, 'onError'> = {}): Promise<CacheService> {
  const cache = await openCache({
    backend: (await scene.open()) as CacheBackend,
    keyPrefix: 'outage',
    readDeadline: DEADLINE_MS,
    writeDeadline: DEADLINE_MS,
    ...options,
  });
  await linesOf(() => eventually(() => hits(cache)));
  return cache;
}

/** Whether what is written is there. */
async function hits(cache: CacheService): Promise<boolean> {
  const written = await outcomeOf(() => cache.set('probe', 'there', null));
  return written.status === 'fulfilled' && (await cache.get('probe')) === 'there';
}

async function untilAway(cache: CacheService): Promise<void> {
  await linesOf(() => eventually(async () => (await cache.get('probe')) === undefined));
}
