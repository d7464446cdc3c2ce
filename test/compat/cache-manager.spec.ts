import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type Cache, createCache, type Events } from 'cache-manager';
import { BackendError, InvalidKeyError, UnserializableValueError } from 'nestjs-caching';
import { FailingBackend, FakeClock } from 'nestjs-caching/testing';
import { MemoryBackend } from '../../libs/caching/src/backends/memory.backend.js';
import { CacheRegistry } from '../../libs/caching/src/cache/cache-registry.js';
import { CacheManager } from '../../libs/caching/src/compat/cache-manager.js';
import type { CacheOptions } from '../../libs/caching/src/caching.options.js';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';

async function open(options: CacheOptions = {}, clock = new FakeClock(), refreshThreshold?: number) {
  const cache = (await CacheRegistry.open(resolveOptions(options), clock)).get();
  // The annotation is a test too: whoever injects a `Cache` of cache-manager gets all of it.
  const manager: Cache = new CacheManager(cache, refreshThreshold);
  return { manager, service: cache.service, clock };
}

/** The next event of a kind. */
function next(manager: Cache, event: keyof Events): Promise<unknown> {
  return new Promise((resolve) => manager.on(event, resolve));
}

/** What both answer alike, step by step. */
const STEPS: Record<string, (cache: Cache) => Promise<unknown>> = {
  'a missing key': (cache) => cache.get('a'),
  'what set answers': (cache) => cache.set('a', { n: 1 }, 60_000),
  'a stored object': (cache) => cache.get('a'),
  null: async (cache) => [await cache.set('n', null), await cache.get('n')],
  undefined: async (cache) => [
    await cache.set('u', 1),
    await cache.set('u', undefined),
    await cache.get('u'),
  ],
  'falsy values': async (cache) => {
    await cache.mset<unknown>([
      { key: 'f0', value: 0 },
      { key: 'f1', value: '' },
      { key: 'f2', value: false },
    ]);
    return cache.mget(['f0', 'f1', 'f2']);
  },
  'what mset answers': (cache) => cache.mset([{ key: 'm', value: 1, ttl: 60_000 }]),
  'an mset with one key twice': async (cache) => {
    await cache.mset([
      { key: 'once', value: 0, ttl: 60_000 },
      { key: 'twice', value: 1, ttl: 50_000 },
      { key: 'twice', value: 2, ttl: 60_000 },
    ]);
    return cache.get('twice');
  },
  'an empty mset': (cache) => cache.mset([]),
  'mget in order, with a gap and a repetition': (cache) => cache.mget(['m', 'none', 'a', 'm']),
  'an empty mget': (cache) => cache.mget([]),
  'del of a missing key': (cache) => cache.del('none'),
  'del of a present key': async (cache) => [await cache.del('m'), await cache.get('m')],
  mdel: async (cache) => [await cache.mdel(['f0', 'f1', 'none']), await cache.mget(['f0', 'f1', 'f2'])],
  'ttl of what never ends': async (cache) => [await cache.set('ever', 1, 0), await cache.ttl('ever')],
  'ttl of a missing key': (cache) => cache.ttl('none'),
  'a life in the past': async (cache) => [await cache.set('past', 1, -1), await cache.get('past')],
  wrap: async (cache) => {
    let run = 0;
    const wrap = () => cache.wrap('w', () => ({ run: (run += 1) }), 60_000);
    return [await wrap(), await wrap(), await cache.get('w')];
  },
  'wrap of null and of undefined': async (cache) => {
    let runs = 0;
    const count = (value: null | undefined) => () => ((runs += 1), value);
    for (const value of [null, null, undefined, undefined]) {
      await cache.wrap(`wrap ${String(value)}`, count(value), 60_000);
    }
    return runs;
  },
  'wrap of a failure': async (cache) => {
    const fail = () => cache.wrap('wf', () => Promise.reject(new Error('no source')));
    return [await fail().catch(String), await cache.wrap('wf', () => 'back')];
  },
  'wrap with a ttl that depends on the value': async (cache) => {
    await cache.wrap('wt', () => 60_000, (value) => value); // prettier-ignore
    return Math.round(((await cache.ttl('wt')) ?? 0) / 60_000) === Math.round((Date.now() + 60_000) / 60_000);
  },
  'wrap with options': (cache) => cache.wrap('wo', () => 1, { ttl: 60_000 }),
  'a raw wrap': async (cache) => {
    const raw = () => cache.wrap('raw', () => 1, { ttl: 60_000, raw: true });
    const [miss, hit] = [await raw(), await raw()];
    const isInAMinute = (expires = 0) => Math.abs(expires - Date.now() - 60_000) < 30_000;
    return [miss?.value, hit?.value, isInAMinute(miss?.expires), isInAMinute(hit?.expires)];
  },
  '50 concurrent wraps': async (cache) => {
    let runs = 0;
    const load = async () => ((runs += 1), Promise.resolve('one'));
    const values = await Promise.all(Array.from({ length: 50 }, () => cache.wrap('50', load)));
    return [runs, new Set(values).size];
  },
  'methods without their object': async ({ set, mget, del }) => {
    await set('x', 1);
    await Promise.all(['x', 'y'].map(del));
    return mget(['x', 'y']);
  },
  clear: async (cache) => [await cache.clear(), await cache.get('a')],
  disconnect: (cache) => cache.disconnect(),
};

describe('a cache of ours as one of cache-manager', () => {
  it('answers what cache-manager answers, and tells the same', async () => {
    const theirs = createCache({ ttl: 900_000 });
    const { manager: ours } = await open({ ttl: '15m' }, new FakeClock(Date.now()));
    for (const [name, step] of Object.entries(STEPS)) {
      expect([name, await step(ours)]).toEqual([name, await step(theirs)]);
    }
  });

  it('tells what cache-manager tells', async () => {
    const EVENTS = ['get', 'mget', 'set', 'mset', 'del', 'mdel', 'clear', 'refresh'] as const;
    const told = async (cache: Cache) => {
      const events: unknown[] = [];
      for (const event of EVENTS) {
        cache.on(event as 'set', (data: object | undefined) => {
          // cache-manager tells of a set twice: for the store, and for itself.
          if (event === 'set' && data && 'store' in data) return;
          events.push([event, data && { ...data, store: undefined }]);
        });
      }
      await cache.set('a', 1);
      await cache.get('a');
      await cache.get('none');
      await cache.mget(['a', 'none']);
      await cache.mset([{ key: 'b', value: 2, ttl: 60_000 }]);
      await cache.del('a');
      await cache.mdel(['a', 'b']);
      await cache.clear();
      await cache.wrap('w', () => 3);
      await cache.wrap('w', () => 4);
      return events;
    };
    expect(await told((await open()).manager)).toEqual(await told(createCache()));
  });

  it('stops telling after off', async () => {
    const { manager } = await open();
    let events = 0;
    const listener = () => void (events += 1);
    manager.on('set', listener);
    await manager.set('a', 1);
    manager.off('set', listener);
    await manager.set('a', 1);
    expect(events).toBe(1);
  });

  it('shares its entries with the CacheService', async () => {
    const { manager, service } = await open();
    await manager.set('a', { n: 1 });
    expect(await service.get('a')).toEqual({ n: 1 });
    await service.set('b', 2);
    expect(await manager.get('b')).toBe(2);
    let runs = 0;
    const load = () => (runs += 1);
    const loads = [
      manager.wrap('c', load),
      service.getOrSet('c', load),
      manager.wrap('c', load, { raw: true }),
    ];
    expect(await Promise.all(loads)).toEqual([1, 1, { value: 1, expires: expect.any(Number) }]);
    expect([manager.cacheId(), manager.stores]).toEqual(['default', []]);
    await manager.disconnect();
    expect(await service.get('b')).toBe(2);
  });

  it('hands out what may be changed, and keeps its own', async () => {
    const { manager } = await open();
    const load = () => ({ tags: ['one'] });
    await manager.set('a', load());
    const readers: (() => Promise<{ tags: string[] } | undefined>)[] = [
      () => manager.get('a'),
      async () => (await manager.mget<{ tags: string[] }>(['a']))[0],
      () => manager.wrap('a', load),
      () => manager.wrap('cold', load),
      async () => (await manager.wrap('a', load, { raw: true }))?.value,
    ];
    for (const read of [...readers, ...readers]) {
      const value = await read();
      expect(value?.tags).toEqual(['one']);
      value?.tags.push('two');
    }
  });

  it('takes lives in milliseconds, 0 for ever, and the ttl of the cache where none is given', async () => {
    const { manager, clock } = await open({ ttl: 1000 });
    await manager.set('short', 1, 10);
    await manager.set('default', 1);
    await manager.set('ever', 1, 0);
    await manager.set('null', 1, null as never);
    await manager.mset([
      { key: 'many', value: 1 },
      { key: 'many ever', value: 1, ttl: 0 },
      { key: 'many short', value: 1, ttl: 10 },
    ]);
    await manager.wrap('wrapped', () => 1);
    await manager.wrap('wrapped ever', () => 1, 0);
    expect(await manager.ttl('default')).toBe(clock.now() + 1000);
    expect(await manager.ttl('many short')).toBe(clock.now() + 10);

    const left = async () => {
      const keys = ['short', 'default', 'ever', 'null', 'many', 'many ever', 'many short'];
      keys.push('wrapped', 'wrapped ever');
      const values = await manager.mget(keys);
      return keys.filter((_, index) => values[index] !== undefined);
    };
    clock.advance(10);
    expect(await left()).toEqual([
      'default', 'ever', 'null', 'many', 'many ever', 'wrapped', 'wrapped ever',
    ]); // prettier-ignore
    clock.advance(990);
    expect(await left()).toEqual(['ever', 'many ever', 'wrapped ever']);
  });

  it('answers mset with the lives it gave, and none where there is no end', async () => {
    const list = [{ key: 'a', value: 1 }];
    expect(await (await open({ ttl: 1000 })).manager.mset(list)).toEqual([{ key: 'a', value: 1, ttl: 1000 }]);
    expect(await (await open({ ttl: null })).manager.mset(list)).toEqual(list);
  });

  it('removes what mset stores as undefined', async () => {
    const { manager } = await open();
    await manager.set('a', 1);
    await manager.mset<number | undefined>([
      { key: 'a', value: undefined },
      { key: 'b', value: 2 },
    ]);
    expect(await manager.mget(['a', 'b'])).toEqual([undefined, 2]);
  });

  it('rejects an mset of which the backend refused a part', async () => {
    const { manager } = await open({ maxBytes: 2000 });
    const large = { key: 'secret', value: 'x'.repeat(4000) };
    const failure = manager.mset([{ key: 'a', value: 'small' }, large]);
    await expect(failure).rejects.toThrow(/refused 1 of 2 values/);
    await expect(failure).rejects.not.toThrow(/secret/);
    expect(await manager.get('a')).toBe('small');
  });

  it('refuses keys and values that cannot be, and tells so', async () => {
    const { manager } = await open();
    const failed = next(manager, 'set');
    await expect(manager.set('a', () => 1)).rejects.toThrow(UnserializableValueError);
    expect(await failed).toEqual(expect.objectContaining({ error: expect.any(UnserializableValueError) }));
    await expect(manager.get(7 as never)).rejects.toThrow(InvalidKeyError);
  });

  describe('with a refreshThreshold', () => {
    let manager: Cache;
    let clock: FakeClock;
    let runs: number;
    beforeEach(async () => {
      ({ manager, clock } = await open({}, new FakeClock(), 400));
      runs = 0;
    });
    const load = () => (runs += 1);

    it('answers the old value below it, and loads once in the background', async () => {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      let started = 0;
      const slow = () => {
        started += 1;
        return released.then(load);
      };
      await manager.wrap('k', load, 1000);
      clock.advance(600);
      expect([await manager.wrap('k', slow, 1000), started]).toEqual([1, 0]);
      clock.advance(1);
      const refreshed = next(manager, 'refresh');
      expect(await Promise.all([1, 2, 3].map(() => manager.wrap('k', slow, 1000)))).toEqual([1, 1, 1]);
      release();
      expect(await refreshed).toEqual({ key: 'k', value: 2 });
      expect([await manager.get('k'), await manager.ttl('k')]).toEqual([2, clock.now() + 1000]);
      expect(started).toBe(1);
    });

    it('tells of a load that fails, keeps the old value, and tries again', async () => {
      await manager.wrap('k', load, 1000);
      clock.advance(700);
      const error = new Error('no source');
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const refreshed = next(manager, 'refresh');
        expect(await manager.wrap('k', () => Promise.reject(error), 1000)).toBe(1);
        expect(await refreshed).toEqual({ key: 'k', value: 1, error });
      }
      expect(await manager.get('k')).toBe(1);
    });

    it('leaves alone what never ends', async () => {
      await manager.wrap('k', load, 0);
      clock.advance(10_000);
      expect(await manager.wrap('k', load, 0)).toBe(1);
      expect(runs).toBe(1);
    });

    it('goes by the threshold of the call, which may depend on the value', async () => {
      await manager.wrap('k', load, 1000);
      clock.advance(500);
      const refreshed = next(manager, 'refresh');
      await manager.wrap('k', load, { ttl: 1000, refreshThreshold: (value) => value * 501 });
      expect(await refreshed).toEqual({ key: 'k', value: 2 });
      clock.advance(700);
      await manager.wrap('k', load, 1000, 100);
      expect(runs).toBe(2);
    });
  });

  describe('when the backend fails', () => {
    let warn: { mockRestore(): void };
    beforeEach(() => {
      warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue();
    });
    afterEach(() => warn.mockRestore());

    const failing = async () => {
      const memory = new MemoryBackend({ maxEntries: 100, maxBytes: 1_000_000, sweepInterval: 0 });
      const backend = new FailingBackend(memory);
      Object.assign(backend, { capabilities: { ...memory.capabilities, shared: true, holdsObjects: false } });
      const { manager } = await open({ backend: backend as never, keyPrefix: 'test' });
      await manager.set('a', 1);
      backend.fail('all');
      return manager;
    };

    it('reads nothing, loads, and rejects the rest', async () => {
      const manager = await failing();
      expect(await manager.get('a')).toBeUndefined();
      expect(await manager.mget(['a'])).toEqual([undefined]);
      expect(await manager.ttl('a')).toBeUndefined();
      expect(await manager.wrap('b', () => 'loaded')).toBe('loaded');
      for (const run of [
        () => manager.set('a', 1),
        () => manager.mset([{ key: 'a', value: 1 }]),
        () => manager.del('a'),
        () => manager.mdel(['a']),
        () => manager.clear(),
      ]) {
        await expect(run()).rejects.toThrow(BackendError);
      }
    });
  });
});
