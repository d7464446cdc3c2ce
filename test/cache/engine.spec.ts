import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type CacheOptions, type CacheService, LoadCycleError, MissingKeyError } from 'nestjs-caching';
import { openCache } from '../support/caches.js';
import { describeService } from '../support/services.js';

/** A promise with its handles outside. */
function gate<T = void>() {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => (open = resolve));
  return { open, opened };
}

function describeEngine(name: string, options: () => CacheOptions): void {
  describe(`the engine on ${name}`, () => {
    let cache: CacheService;
    let other: CacheService;
    let keyPrefix: string;

    beforeEach(async () => {
      keyPrefix = randomUUID();
      cache = await openCache({ ...options(), keyPrefix });
      other = name === 'memory' ? cache : await openCache({ ...options(), keyPrefix });
    });
    afterEach(async () => {
      await cache.close();
      await other.close();
    });

    /** Runs a load and changes something while it runs; answers what the loader got, and what is read afterwards. */
    async function during(
      change: () => Promise<unknown>,
      load = { tags: [] as string[], late: [] as string[] },
    ) {
      const started = gate();
      const finish = gate();
      const loading = cache.getOrSet<string>(
        'k',
        async ({ addTags }) => {
          started.open();
          await finish.opened;
          addTags(load.late);
          return 'old';
        },
        { tags: load.tags },
      );
      await started.opened;
      await change();
      finish.open();
      return { loaded: await loading, read: await other.get<string>('k') };
    }

    it.each([
      ['delete', () => other.delete('k')],
      ['clear', () => other.clear()],
      ['deleteMany', () => other.deleteMany(['k', 'l'])],
    ])('lets %s win over a running load', async (_name, change) => {
      expect(await during(change)).toEqual({ loaded: 'old', read: undefined });
      expect(cache.statistics.fenced).toBe(1);
      expect(await cache.getOrSet('k', () => 'new')).toBe('new');
      expect(await other.get('k')).toBe('new');
    });

    it.each([
      ['set', () => other.set('k', 'newer')],
      ['setMany', () => other.setMany({ k: 'newer' })],
      ['add', () => other.add('k', 'newer')],
    ])('lets %s win over a running load', async (_name, change) => {
      expect(await during(change)).toEqual({ loaded: 'old', read: 'newer' });
    });

    it('lets invalidateTags win, of tags known beforehand and of tags learned late', async () => {
      expect(await during(() => other.invalidateTags(['t']), { tags: ['t'], late: [] })).toEqual({
        loaded: 'old',
        read: undefined,
      });
      expect(await during(() => other.invalidateTags(['late']), { tags: [], late: ['late'] })).toEqual({
        loaded: 'old',
        read: undefined,
      });
      expect(await during(() => Promise.resolve(), { tags: ['t'], late: ['late', 'never-seen'] })).toEqual({
        loaded: 'old',
        read: 'old',
      });
      await other.invalidateTags(['never-seen']);
      expect(await cache.get('k')).toBeUndefined();
    });

    it('gives a reader after an invalidation a new load, not the one that began before', async () => {
      for (const invalidate of [() => other.delete('k'), () => other.invalidateTags(['t'])]) {
        const started = gate();
        const finish = gate();
        const old = cache.getOrSet(
          'k',
          async () => {
            started.open();
            await finish.opened;
            return 'old';
          },
          { tags: ['t'] },
        );
        await started.opened;
        await invalidate();
        expect(await cache.getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new');
        finish.open();
        expect(await old).toBe('old');
        expect(await other.get('k')).toBe('new');
        await cache.delete('k');
      }
    });

    it('counts leases and invalid entries as absent', async () => {
      const started = gate();
      const finish = gate();
      const loading = cache.getOrSet('k', async () => {
        started.open();
        await finish.opened;
        return 'v';
      });
      await started.opened;
      expect(await other.has('k')).toBe(false);
      expect(await other.ttl('k')).toBeUndefined();
      expect(await other.touch('k', '1m')).toBe(false);
      expect(await other.delete('k')).toBe(false);
      expect(await other.getMany(['k'])).toEqual(new Map());
      await expect(other.increment('k')).rejects.toThrow(MissingKeyError);
      finish.open();
      await loading;

      await cache.set('tagged', { a: 1 }, { tags: ['t', 'u'] });
      expect(await other.get('tagged')).toEqual({ a: 1 });
      expect(await other.ttl('tagged')).toBeGreaterThan(0);
      expect(await other.touch('tagged', '10s')).toBe(true);
      expect(await other.ttl('tagged')).toBeLessThanOrEqual(10_000);
      await other.invalidateTags(['u']);
      expect(await cache.get('tagged')).toBeUndefined();
      expect(await cache.touch('tagged', '1h')).toBe(false);
      expect(await cache.delete('tagged')).toBe(false);
      await cache.set('tagged', 5, { tags: ['t'] });
      expect(await cache.get('tagged')).toBe(5);
      await cache.invalidateTags(['t']);
      expect(await cache.increment('tagged', 1, { initial: 10 })).toBe(11);
      await cache.set('again', 'x', { tags: ['t'] });
      await cache.invalidateTags(['t']);
      expect(await cache.add('again', 'y')).toBe(true);
      expect(await cache.get('again')).toBe('y');
    });

    it('reports a ring of loads instead of hanging', async () => {
      const own: Promise<unknown> = cache.getOrSet('a', () => cache.getOrSet('a', () => 1));
      await expect(own).rejects.toThrow(LoadCycleError);
      await cache.deleteMany(['a', 'b']);
      const ready = gate();
      let inside = 0;
      const enter = () => {
        if ((inside += 1) === 2) ready.open();
        return ready.opened;
      };
      const ring = await Promise.allSettled([
        cache.getOrSet('a', async () => {
          await enter();
          return cache.getOrSet('b', () => 1);
        }),
        cache.getOrSet('b', async () => {
          await enter();
          return cache.getOrSet('a', () => 1);
        }),
      ]);
      const reasons = ring.map((outcome) => (outcome as PromiseRejectedResult).reason as Error);
      expect(reasons.some((reason) => reason instanceof LoadCycleError)).toBe(true);
      expect((reasons[0] as LoadCycleError).chain).toHaveLength(3);
    });

    it('loads many with one run for what is missing', async () => {
      await cache.set('b', 'B');
      const runs: string[][] = [];
      const load = (missing: readonly string[]) => {
        runs.push([...missing]);
        return new Map(missing.filter((key) => key !== 'd').map((key) => [key, key.toUpperCase()]));
      };
      expect(await cache.getOrSetMany(['c', 'a', 'b', 'd'], load)).toEqual(
        new Map([
          ['a', 'A'],
          ['b', 'B'],
          ['c', 'C'],
        ]),
      );
      expect(runs).toEqual([['a', 'c', 'd']]);
      expect(await other.getMany(['a', 'b', 'c', 'd'])).toEqual(
        new Map([
          ['a', 'A'],
          ['b', 'B'],
          ['c', 'C'],
        ]),
      );
    });

    it('takes what the factory of many says for one key, and refuses keys that are not being loaded', async () => {
      const all = ['a', 'b', 'c'];
      await cache.getOrSetMany(all, (missing, { addTags, setTtl }) => {
        addTags(['all']);
        for (const key of missing) addTags([`of:${key}`], key);
        setTtl(0, 'b');
        return new Map(missing.map((key) => [key, key]));
      });
      expect([...(await other.getMany(all)).keys()]).toEqual(['a', 'c']);
      await other.invalidateTags(['of:a']);
      expect([...(await cache.getMany(all)).keys()]).toEqual(['c']);
      await other.invalidateTags(['all']);
      expect((await cache.getMany(all)).size).toBe(0);
      const odd = cache.getOrSetMany(['d'], (_missing, { addTags }) => {
        addTags(['t'], 'e');
        return new Map();
      });
      await expect(odd).rejects.toMatchObject({ code: 'CACHING_INVALID_ARGUMENT' });
    });

    it('serves stale values while it refreshes, and on errors', async () => {
      const options = { ttl: 30, staleWhileRevalidate: '1m', staleIfError: '1m' } as const;
      await cache.set('k', 'first', options);
      await new Promise((resolve) => setTimeout(resolve, 40));
      expect(await cache.get('k')).toBeUndefined();
      const refreshed = gate();
      expect(
        await cache.getOrSet(
          'k',
          () => {
            refreshed.open();
            return 'second';
          },
          { ...options, ttl: '1h' },
        ),
      ).toBe('first');
      await refreshed.opened;
      while ((await cache.get('k')) === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await other.get('k')).toBe('second');
    });

    it('moves versions with the remaining life', async () => {
      await cache.set('v', { a: 1 }, '1h');
      expect(await cache.incrementVersion('v')).toBe(2);
      expect(await other.get('v')).toBeUndefined();
      expect(await other.get('v', { version: 2 })).toEqual({ a: 1 });
      expect(await other.ttl('v', { version: 2 })).toBeGreaterThan(3_500_000);
      expect(await cache.decrementVersion('v', 1, { version: 2 })).toBe(1);
      await expect(cache.incrementVersion('none')).rejects.toThrow(MissingKeyError);
    });
  });
}

describeEngine('memory', () => ({}));
describeService('redis', (service) => describeEngine('redis', () => ({ url: service().url })));
