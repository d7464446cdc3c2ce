import { describe, expect, it } from '@jest/globals';
import { BackendError, type CacheService, CircuitOpenError } from 'nestjs-caching';
import type { FailingBackend, FailingOperation } from 'nestjs-caching/testing';
import { connectPlain } from '../backends/redis-servers.js';
import { describeScenarios, until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';

const LIMITS = { readDeadline: 250, writeDeadline: '1s', breaker: { failures: 5, pause: '1s' } } as const;
/** For scenarios that ask a store that is away again and again, and are about something else. */
const NO_BREAKER = { breaker: { failures: 10_000 } } as const;
const own = { own: true };

describeScenarios(
  'C-D · faults of the backend',
  (world) => {
    it('44 · the port refuses → reads are misses, loads go on, writes reject; nothing hangs', async () => {
      const { cache } = await world.open(NO_BREAKER);
      const restore = await world.outage('refuses');
      expect(await cache.get('k')).toBeUndefined();
      expect(await cache.has('k')).toBe(false);
      expect(await cache.getMany(['k', 'l'])).toEqual(new Map());
      expect(await cache.ttl('k')).toBeUndefined();
      expect(await cache.getOrSet('k', () => 'v')).toBe('v');
      const load = (missing: readonly string[]) => new Map(missing.map((key) => [key, key]));
      expect(await cache.getOrSetMany(['k', 'l'], load)).toEqual(
        new Map([
          ['k', 'k'],
          ['l', 'l'],
        ]),
      );
      expect(cache.statistics.unleased).toBe(3);
      for (const write of [
        () => cache.set('k', 1),
        () => cache.add('k', 1),
        () => cache.delete('k'),
        () => cache.setMany({ k: 1 }),
        () => cache.deleteMany(['k']),
        () => cache.touch('k'),
        () => cache.increment('k', 1, { initial: 0 }),
        () => cache.incrementVersion('k'),
      ])
        await expect(write()).rejects.toThrow(BackendError);
      if (world.name === 'redis')
        for (const write of [() => cache.invalidateTags(['t']), () => cache.clear()])
          await expect(write()).rejects.toThrow(BackendError);
      await restore();
    });

    it.each(['silent', 'refuses'] as const)(
      '45 · the store goes away (%s) under a load of 1 000 req/s for 10 s → no error to callers, p99 within budget, breaker open after the threshold, one probe at a time',
      async (kind) => {
        const { cache, backend } = await world.open({ ...LIMITS, errorTtl: 0 });
        await cache.getOrSet('warm', () => 'v');
        const calls = () => [...backend.calls.values()].reduce((sum, count) => sum + count, 0);
        const latencies: number[] = [];
        const failures: unknown[] = [];
        const request = async (n: number): Promise<void> => {
          const began = world.clock.monotonic();
          const load = async () => {
            await world.after(20);
            return n;
          };
          await cache.getOrSet(`k${n % 50}`, load, '1h').catch((error: unknown) => void failures.push(error));
          latencies.push(world.clock.monotonic() - began);
        };
        const second = async (first: number): Promise<Promise<void>[]> => {
          const sent: Promise<void>[] = [];
          for (let n = first; n < first + 1000; n += 1) {
            sent.push(request(n));
            await new Promise(setImmediate);
            world.clock.advance(1);
          }
          return sent;
        };

        const restore = await world.outage(kind);
        const sent = await second(0);
        const atOnset = calls();
        for (let n = 1; n < 10; n += 1) sent.push(...(await second(n * 1000)));
        await world.pass(Promise.all(sent));
        expect(failures).toEqual([]);
        expect(latencies).toHaveLength(10_000);
        latencies.sort((a, b) => a - b);
        expect(latencies[9900]).toBeLessThanOrEqual(250 + 20);
        expect(latencies.at(-1)).toBeLessThanOrEqual(250 + 20);
        // A probe in each pause, of one look each.
        expect(calls() - atOnset).toBeLessThanOrEqual(10);
        expect(calls() - atOnset).toBeGreaterThanOrEqual(7);
        expect(cache.statistics.shortCircuited).toBeGreaterThan(9000);

        await restore();
        await until(async () => {
          world.clock.advance(1000);
          await world.pass(cache.getOrSet('after', () => 'v'));
          return (await cache.get('after')) === 'v';
        });
      },
    );

    it('45 · one probe at a time, also if a probe takes longer than the pause', async () => {
      const { cache, backend } = await world.open({ ...LIMITS, breaker: { failures: 1, pause: 10 } });
      await cache.set('k', 'v');
      backend.hang('all');
      const reads = [cache.get('k')];
      const asked = () => (backend.calls.get('getMany') ?? 0) + (backend.calls.get('get') ?? 0);
      world.clock.advance(250);
      await Promise.all(reads);
      world.clock.advance(10);
      const before = asked();
      for (let n = 0; n < 24; n += 1) {
        reads.push(cache.get('k'));
        world.clock.advance(10);
      }
      expect(asked() - before).toBe(1);
      backend.heal();
      await world.pass(Promise.all(reads));
      world.clock.advance(250);
      expect(await cache.get('k')).toBe('v');
    });

    it('47 · set while the store is down, then up → it gets the new value unless it already has a newer one', async () => {
      const { cache } = await world.open(NO_BREAKER);
      await cache.set('replaced', { v: 1 });
      const restore = await world.outage('refuses');
      world.clock.advance(5);
      await expect(cache.set('replaced', { v: 2 })).rejects.toThrow(BackendError);
      await expect(cache.set('new', { v: 2 })).rejects.toThrow(BackendError);
      await restore();
      await until(() => isUp(cache));
      // Until it is made up for, the old value is not served here.
      expect(await cache.get('replaced')).toBeUndefined();
      await replayed(cache, 2);
      expect(await cache.get('replaced')).toEqual({ v: 2 });
      // It may have been deleted by somebody meanwhile, and its caller has the error in hand.
      expect(await cache.get('new')).toBeUndefined();
    });

    it('47 · … also of several processes: what is newer, deleted or invalidated since stays so', async () => {
      const { cache, backend } = await world.open(NO_BREAKER);
      const { cache: other } = await world.openOther();
      if (cache === other) return;
      const keys = ['older', 'newer', 'deleted', 'counted', 'tagged'];
      for (const key of keys) await cache.set(key, { v: 1 }, { tags: ['t'] });
      backend.fail('all');
      world.clock.advance(5);
      for (const key of keys)
        await cache.set(key, { v: 2 }, key === 'tagged' ? { tags: ['u'] } : {}).catch(() => undefined);
      world.clock.advance(5);
      await other.set('newer', { v: 3 });
      await other.delete('deleted');
      await other.set('counted', 3);
      await other.invalidateTags(['u']);
      backend.heal();
      await replayed(cache, keys.length);
      expect(await other.get('older')).toEqual({ v: 2 });
      expect(await other.get('newer')).toEqual({ v: 3 });
      expect(await other.get('deleted')).toBeUndefined();
      expect(await other.get('counted')).toBeUndefined();
      expect(await other.get('tagged')).toBeUndefined();

      backend.fail('all');
      world.clock.advance(5);
      await cache.set('older', { v: 4 }).catch(() => undefined);
      world.clock.advance(5);
      await other.clear();
      backend.heal();
      await replayed(cache, keys.length + 1);
      expect(await other.get('older')).toBeUndefined();
    });

    it('47 · … a value that is too large leaves its key absent, as set would have, and does not hold up what comes after it', async () => {
      const { cache, backend } = await world.open({ ...NO_BREAKER, maxValueBytes: 2048 });
      const { cache: other } = await world.openOther();
      await cache.set('report', { rows: 'few' });
      await cache.set('deleted', { v: 1 });
      backend.fail('all');
      world.clock.advance(5);
      await expect(cache.set('report', { rows: 'x'.repeat(5000) })).rejects.toThrow(BackendError);
      await expect(cache.delete('deleted')).rejects.toThrow(BackendError);
      backend.heal();
      await replayed(cache, 2);
      expect(await other.getMany(['report', 'deleted'])).toEqual(new Map());
    });

    it('48 · delete while the store is down, then up → the old value is never served again on that node; after the replay on no node', async () => {
      const { cache } = await world.open(NO_BREAKER);
      const { cache: other } = await world.openOther();
      const life = { ttl: '1h', staleIfError: '1h', tags: ['t'] } as const;
      const keys = ['k', 'l', 'm', 'n'];
      for (const key of keys) await cache.set(key, 'old', life);
      const restore = await world.outage('refuses');
      world.clock.advance(5);
      await expect(cache.delete('k')).rejects.toThrow(BackendError);
      await expect(cache.deleteMany(['l'])).rejects.toThrow(BackendError);
      await expect(cache.set('m', 'gone', 0)).rejects.toThrow(BackendError);
      await restore();
      await until(() => isUp(cache));
      const deleted = ['k', 'l', 'm'];
      for (const key of deleted) {
        expect(await cache.get(key)).toBeUndefined();
        expect(await cache.has(key)).toBe(false);
        expect(await cache.ttl(key)).toBeUndefined();
        expect(await cache.touch(key)).toBe(false);
      }
      expect((await cache.getMany(keys)).get('n')).toBe('old');
      const down = () => Promise.reject(new Error('the source is down'));
      await expect(cache.getOrSet('k', down, life)).rejects.toThrow('the source');
      world.clock.advance(5);
      expect(await cache.getOrSet('l', () => 'new', life)).toBe('new');
      await replayed(cache, 3);
      for (const each of [cache, other])
        expect(await each.getMany(keys)).toEqual(
          new Map([
            ['l', 'new'],
            ['n', 'old'],
          ]),
        );
    });

    it.each([
      ['only its answer was lost', true],
      ['it did not reach the store', false],
    ])(
      '48 · … what add and increment store after a delete (%s) is seen at once, and stays',
      async (_how, takesEffect) => {
        const { cache, backend } = await world.open(NO_BREAKER);
        const { cache: other } = await world.openOther();
        await cache.add('job', 1);
        await cache.set('tries', 1);
        backend.fail('deleteMany', { takesEffect });
        await expect(cache.deleteMany(['job', 'tries'])).rejects.toThrow(BackendError);
        backend.heal();
        const bump = () => cache.increment('tries', 1, { initial: 0 });
        expect(await cache.add('job', 1)).toBe(true);
        expect(await cache.get('job')).toBe(1);
        expect((await Promise.all([bump(), bump()])).sort()).toEqual([1, 2]);
        expect(await cache.get('tries')).toBe(2);
        await replayed(cache, 2);
        expect(await cache.add('job', 1)).toBe(false);
        expect(await bump()).toBe(3);
        expect(await other.get('tries')).toBe(3);
      },
    );

    it('48 · … and what they store after a clear', async () => {
      const { cache, backend } = await world.open(NO_BREAKER);
      const { cache: other } = await world.openOther();
      // In memory a clear needs no backend.
      if (cache === other) return;
      await cache.add('job', 1);
      await cache.set('tries', 1);
      backend.fail('all');
      world.clock.advance(5);
      await expect(cache.clear()).rejects.toThrow(BackendError);
      backend.heal();
      expect(await cache.increment('tries', 1, { initial: 0 })).toBe(1);
      expect(await cache.add('job', 1)).toBe(true);
      await replayed(cache, 1);
      expect(await other.getMany(['job', 'tries'])).toEqual(
        new Map([
          ['job', 1],
          ['tries', 1],
        ]),
      );
    });

    it.each(['invalidateTags', 'clear'] as const)(
      '48 · the same for %s',
      async (change) => {
        const { cache } = await world.open(NO_BREAKER);
        const { cache: other } = await world.openOther();
        // In memory both need no backend.
        if (cache === other) return;
        await cache.set('k', 'old', { tags: ['t'] });
        const restore = await world.outage('refuses');
        world.clock.advance(5);
        await expect(change === 'clear' ? cache.clear() : cache.invalidateTags(['t'])).rejects.toThrow(
          BackendError,
        );
        await restore();
        await until(() => isUp(cache));
        expect(await cache.get('k')).toBeUndefined();
        await replayed(cache, 1);
        for (const each of [cache, other]) expect(await each.get('k')).toBeUndefined();
      },
      20_000,
    );

    it('48 · … after more changes than are remembered, clear() still is: it makes up for all of them', async () => {
      const { cache, backend } = await world.open();
      const { cache: other } = await world.openOther();
      // In memory a clear needs no backend.
      if (cache === other) return;
      await other.set('k', 'old');
      await cache.get('k');
      backend.fail('all');
      for (let n = 0; n <= 10_000; n += 1) await cache.delete(`k${n}`).catch(() => undefined);
      expect(cache.statistics.forgotten).toBe(1);
      world.clock.advance(5);
      await expect(cache.clear()).rejects.toThrow(BackendError);
      expect(cache.statistics.forgotten).toBe(1);
      backend.heal();
      await replayed(cache, 1);
      expect(await other.get('k')).toBeUndefined();
    });

    it.each<[string, FailingOperation, (backend: FailingBackend) => void]>([
      ['the look before is answered too late', 'getMany', (backend) => backend.hang('getMany')],
      ['its taking is answered too late', 'add', (backend) => backend.hang('add')],
      ['the answer to its taking is lost', 'add', (backend) => backend.fail('add', { takesEffect: true })],
      ['its token is written too late', 'set', (backend) => backend.hang('set')],
      ['its token cannot be written', 'set', (backend) => backend.fail('set')],
      [
        'it cannot be given back at first',
        'compareAndDelete',
        (backend) => {
          backend.fail('set');
          backend.fail('compareAndDelete');
        },
      ],
    ])('a lock is nobody’s after its caller was told of a failure: %s', async (_how, last, begin) => {
      const { cache, backend } = await world.open({ ...NO_BREAKER, writeDeadline: '1s' });
      const { cache: other } = await world.openOther();
      await cache.set('warm', 1);
      begin(backend);
      const before = backend.calls.get(last) ?? 0;
      const taking = cache.lock('import', { ttl: '1h', wait: 0 }).catch((error: unknown) => error);
      await until(() => (backend.calls.get(last) ?? 0) > before);
      world.clock.advance(1000);
      expect(await taking).toBeInstanceOf(BackendError);
      backend.heal();
      const lock = await world.pass(other.lock('import', { wait: '10s' }));
      await world.pass(cache.set('later', 1));
      expect(await lock.release()).toBe(true);
    });

    it('a lock that could not be given back can be given back again', async () => {
      const { cache, backend } = await world.open(NO_BREAKER);
      const { cache: other } = await world.openOther();
      const lock = await cache.lock('import', { ttl: '1h' });
      backend.fail('compareAndDelete', { times: 1 });
      await expect(lock.release()).rejects.toThrow(BackendError);
      expect(await lock.release()).toBe(true);
      expect(await lock.release()).toBe(false);
      await (await other.lock('import', { wait: 0 })).release();
    });

    it('clears that come fast are freed by one walk at a time, and by one more for all that came meanwhile', async () => {
      const { cache, backend } = await world.open();
      backend.hang('clear');
      for (let n = 0; n < 5; n += 1) {
        await cache.set('k', n);
        await cache.set(`${n}`, { n }, { tags: ['t'] });
        await cache.clear();
      }
      await cache.set('live', 1);
      expect(await world.keys()).toHaveLength(11);
      const listed = backend.calls.get('keys') ?? 0;
      backend.heal();
      await until(() => (backend.calls.get('keys') ?? 0) > listed);
      await until(async () => (await world.keys()).length === 1);
      expect(await cache.get('live')).toBe(1);
      expect(backend.calls.get('clear')).toBe(1);
      await cache.clear();
      await until(async () => (await world.keys()).length === 0);
    });

    it.each(['hang', 'fail'] as const)(
      'freeing what a clear has left is no failure of the backend (%s)',
      async (fault) => {
        const { cache, backend } = await world.open({
          readDeadline: 250,
          breaker: { failures: 1, pause: '1m' },
        });
        backend[fault]('clear');
        await cache.clear();
        await cache.set('k', 'v');
        world.clock.advance(1000);
        expect(await cache.get('k')).toBe('v');
        expect(cache.statistics).toMatchObject({ backendErrors: 0, shortCircuited: 0 });
        await cache.clear();
        await cache.close();
        expect(backend.calls.get('keys')).toBeUndefined();
      },
    );

    it('57 · two namespaces on one store → no cross-talk; clear of one does not touch the other', async () => {
      const on = world.backend();
      const names = ['', 'a', 'a:', 'a:b', 'a*', '[a]', 'a?', '\\a', 'A'];
      const caches = await Promise.all(
        names.map((name) => world.open({ keyPrefix: `${world.keyPrefix}${name}` }, on)),
      );
      for (const [n, { cache }] of caches.entries()) await cache.set('k', n, { tags: ['t'] });
      for (const [n, { cache }] of caches.entries()) expect(await cache.get('k')).toBe(n);
      for (const [cleared, { cache }] of caches.entries()) {
        await cache.clear();
        for (const [n, each] of caches.entries())
          expect(await each.cache.get('k')).toBe(n > cleared ? n : undefined);
      }
      for (const [n, { cache }] of caches.entries()) await cache.set('k', n, { tags: ['t'] });
      await caches[1]?.cache.invalidateTags(['t']);
      expect(await caches[1]?.cache.get('k')).toBeUndefined();
      expect(await caches[2]?.cache.get('k')).toBe(2);
    });

    it.each(['throw', 'ignore'] as const)(
      '59 · the store is full and refuses writes (onError %s) → reads go on, writes are counted, no error to callers in tolerant mode, an error in strict mode',
      async (onError) => {
        const { cache, backend } = await world.open({ onError });
        await cache.set('there', 'v');
        const restore = await fill(backend);
        for (let n = 0; n < 20; n += 1) {
          const write = cache.set(`k${n}`, 'v');
          await (onError === 'throw'
            ? expect(write).rejects.toThrow(BackendError)
            : expect(write).resolves.toBeUndefined());
        }
        expect(await cache.get('there')).toBe('v');
        expect(await cache.getOrSet('loaded', () => 'v')).toBe('v');
        expect(await cache.getOrSet('there', () => 'unused')).toBe('v');
        const { backendErrors, shortCircuited } = cache.statistics;
        expect(backendErrors + shortCircuited).toBeGreaterThanOrEqual(20);
        expect(backendErrors).toBeGreaterThanOrEqual(5);
        await restore();
        await until(async () => {
          world.clock.advance(100);
          return (await cache.get('k')) === 'v' || ((await isUp(cache)) && (await cache.add('k', 'v')));
        });
        expect(await cache.get('k')).toBe('v');
      },
    );

    it('59 · … but takes removals, also those that an outage has kept from it and that come after a write', async () => {
      const { cache, backend } = await world.open();
      const { cache: other } = await world.openOther();
      const lock = await cache.lock('job', { ttl: '1h' });
      for (const key of ['there', 'written', 'deleted']) await cache.set(key, { v: 1 });
      backend.fail('all');
      world.clock.advance(5);
      await expect(cache.set('written', { v: 2 })).rejects.toThrow(BackendError);
      await expect(cache.delete('deleted')).rejects.toThrow(BackendError);
      backend.heal();
      const restore = await fill(backend);
      while (!((await cache.set('k', 'v').catch((error: unknown) => error)) instanceof CircuitOpenError));
      expect(await cache.delete('there')).toBe(true);
      expect(await lock.release()).toBe(true);
      await replayed(cache, 1);
      expect(await other.getMany(['there', 'deleted'])).toEqual(new Map());
      await restore();
      await until(async () => {
        world.clock.advance(100);
        return (await cache.get('written')) !== undefined;
      });
      expect(await other.get('written')).toEqual({ v: 2 });
    });

    it('63 · latency 20 ms to the store, 100 keys → one round trip, not 100', async () => {
      const { cache, backend } = await world.open();
      const keys = Array.from({ length: 100 }, (_, n) => `k${n}`);
      const values = keys.map((key) => [key, { v: key }] as const);
      await cache.has('warm');
      const asked = async (action: () => Promise<unknown>): Promise<Record<string, number>> => {
        const before = new Map(backend.calls);
        await world.pass(action());
        const made = [...backend.calls].map(([name, count]) => [name, count - (before.get(name) ?? 0)]);
        return Object.fromEntries(made.filter(([, count]) => count !== 0)) as Record<string, number>;
      };
      backend.delay('all', 20);
      // The record of the cache is read beside the writes, in the same round trip.
      const beside = world.name === 'redis' ? { get: 1 } : {};
      expect(await asked(() => cache.setMany(values, { tags: ['t'] }))).toMatchObject({ setMany: 1 });
      const tags = world.name === 'redis' ? 2 : 1;
      expect(await asked(() => cache.getMany(keys))).toEqual({ getMany: tags });
      expect(await asked(() => cache.setMany(values))).toEqual({ setMany: 1, ...beside });
      expect(await asked(() => cache.getMany(keys))).toEqual({ getMany: 1 });
      expect(await asked(() => cache.getOrSetMany(keys, () => new Map()))).toEqual({ getMany: 1 });
      expect(await asked(() => cache.deleteMany(keys))).toEqual({ getMany: 1, deleteMany: 1, ...beside });

      // The leases and the stores of a batch go side by side.
      const loading = cache.getOrSetMany(keys, (missing) => new Map(missing.map((key) => [key, key])));
      world.clock.advance(20);
      const taken = backend.calls.get('add') ?? 0;
      await until(() => (backend.calls.get('add') ?? 0) === taken + 100);
      world.clock.advance(20);
      const stored = backend.calls.get('compareAndSet') ?? 0;
      await until(() => (backend.calls.get('compareAndSet') ?? 0) === stored + 100);
      world.clock.advance(20);
      expect((await world.pass(loading)).size).toBe(100);
    });

    async function isUp(cache: CacheService): Promise<boolean> {
      return cache.set('probe', 1).then(
        () => true,
        () => false,
      );
    }

    async function replayed(cache: CacheService, changes: number): Promise<void> {
      await until(() => {
        world.clock.advance(100);
        return cache.statistics.replayed >= changes;
      });
    }

    /** Makes the store refuse what takes space. */
    async function fill(backend: {
      fail(operation: 'set' | 'setMany' | 'add' | 'compareAndSet'): void;
      heal(): void;
    }): Promise<() => Promise<void>> {
      const url = world.url;
      if (url === undefined) {
        for (const operation of ['set', 'setMany', 'add', 'compareAndSet'] as const) backend.fail(operation);
        return async () => backend.heal();
      }
      const plain = await connectPlain(url);
      const limit = async (bytes: string) => plain.sendCommand(['CONFIG', 'SET', 'maxmemory', bytes]);
      await plain.sendCommand(['CONFIG', 'SET', 'maxmemory-policy', 'noeviction']);
      await limit('1');
      return async () => {
        await limit('0');
        plain.destroy();
      };
    }
  },
  own,
);

describe('C-D · faults of the backend', () => {
  describeService(
    'redis',
    (service) => {
      it('57 · a key of somebody else’s on the same server stays through clear()', async () => {
        const { openCache } = await import('../support/caches.js');
        const cache = await openCache({ url: service().url, keyPrefix: 'a' });
        const plain = await connectPlain(service().url);
        await plain.sendCommand(['SET', 'b', 'theirs']);
        await cache.set('k', 1);
        await cache.clear();
        await until(async () => !String(await plain.sendCommand(['KEYS', 'a:*'])).includes(':v:'));
        expect(String(await plain.sendCommand(['GET', 'b']))).toBe('theirs');
        plain.destroy();
        await cache.close();
      });
    },
    own,
  );
});
