import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CacheBackend, CacheOptions, CacheService, Payload } from 'nestjs-caching';
import { openCache } from '../support/caches.js';
import { connectPlain } from '../backends/redis-servers.js';
import { redisAt } from '../support/scenarios.js';
import { describeService } from '../support/services.js';

describeService(
  'redis',
  (service) => {
    let keyPrefix: string;
    let backend: CacheBackend;
    let open: CacheService[];

    beforeEach(() => {
      keyPrefix = randomUUID();
      backend = redisAt(service().url);
      open = [];
    });
    afterEach(async () => {
      await Promise.all(open.map((cache) => cache.close()));
      await backend.close();
    });

    async function start(options: Partial<CacheOptions> = {}): Promise<CacheService> {
      const deadlines = { readDeadline: '10m', writeDeadline: '10m' } as const;
      const cache = await openCache({
        url: service().url,
        keyPrefix,
        ...deadlines,
        ...options,
      } as CacheOptions);
      open.push(cache);
      return cache;
    }

    /** Everything of the cache that lies in the server. */
    async function dump(): Promise<Map<string, Payload>> {
      const found = new Map<string, Payload>();
      for await (const key of backend.keys?.(`${keyPrefix}:`) ?? []) {
        const payload = await backend.get(key);
        if (payload !== undefined) found.set(key, payload);
      }
      return found;
    }

    /** As a server does that comes back with the data of then. */
    async function restore(then: ReadonlyMap<string, Payload>): Promise<void> {
      for (const key of (await dump()).keys()) if (!then.has(key)) await backend.delete(key);
      for (const [key, payload] of then) await backend.set(key, payload, null);
    }

    const place = (keys: Iterable<string>, part: string) => [...keys].find((key) => key.includes(part)) ?? '';

    describe('a record that is lost, or older than it was, never brings an entry back', () => {
      it('the record of a tag was evicted → its entries are absent, and new ones are not', async () => {
        const [one, other] = [await start(), await start()];
        await one.set('k', 'v', { tags: ['t', 'u'] });
        await one.set('l', 'v', { tags: ['u'] });
        await backend.delete(place((await dump()).keys(), '@tag:t'));
        expect([await one.get('k'), await other.get('k')]).toEqual([undefined, undefined]);
        expect(await other.get('l')).toBe('v');
        expect(await other.getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new');
        expect([await one.get('k'), await other.get('k')]).toEqual(['new', 'new']);
        await one.invalidateTags(['t']);
        expect(await other.get('k')).toBeUndefined();
      });

      it('the record of a tag was evicted after an invalidation → what was invalidated stays absent', async () => {
        const [one, other] = [await start(), await start()];
        await one.set('k', 'old', { tags: ['t'] });
        await one.invalidateTags(['t']);
        await backend.delete(place((await dump()).keys(), '@tag:t'));
        await other.set('l', 'new', { tags: ['t'] });
        expect([await one.get('k'), await one.get('l')]).toEqual([undefined, 'new']);
      });

      it('the record of the cache was evicted → a newer epoch, and everything before it is absent', async () => {
        const [one, other] = [await start(), await start()];
        await one.set('k', 'old');
        await other.get('k');
        await one.clear();
        await backend.delete(place((await dump()).keys(), '@control'));
        expect([await one.get('k'), await other.get('k')]).toEqual([undefined, undefined]);
        await one.set('k', 'new');
        expect(await other.get('k')).toBe('new');
      });

      it.each<[string, (cache: CacheService) => Promise<unknown>]>([
        ['invalidateTags', (cache) => cache.invalidateTags(['t'])],
        ['clear', (cache) => cache.clear()],
      ])(
        'the server is restored from a dump before %s → absent for every process that has seen it',
        async (_verb, change) => {
          const [one, other] = [await start(), await start()];
          await one.set('k', 'old', { tags: ['t'] });
          const then = await dump();
          await change(one);
          expect(await other.get('k')).toBeUndefined();
          await restore(then);
          expect([await other.get('k'), await one.get('k')]).toEqual([undefined, undefined]);
          expect(other.statistics.rewound + one.statistics.rewound).toBeGreaterThanOrEqual(1);
          // A process that begins afterwards sees what they have decided.
          expect(await (await start()).get('k')).toBeUndefined();
          await other.set('k', 'new', { tags: ['t'] });
          expect(await one.get('k')).toBe('new');
        },
      );

      it('the server is restored from a dump in the middle of invalidateTags → absent for every process that has seen the end', async () => {
        const store = redisAt(service().url);
        const one = await start({ backend: store, url: undefined } as never);
        const other = await start();
        await one.set('k', 'old', { tags: ['t'] });
        const { compareAndSet } = store;
        let then: ReadonlyMap<string, Payload> | undefined;
        store.compareAndSet = async (...write) => {
          const isDone = await compareAndSet?.apply(store, write);
          then ??= await dump();
          return isDone === true;
        };
        await one.invalidateTags(['t']);
        expect(await other.get('k')).toBeUndefined();
        await restore(then ?? new Map());
        expect([await other.get('k'), await one.get('k')]).toEqual([undefined, undefined]);
      });
    });

    describe('commands on the server', () => {
      /** How many commands the server has run for an action, by its own count. */
      async function commandsOf(action: () => Promise<unknown>): Promise<number> {
        const plain = await connectPlain(service().url);
        const count = async (): Promise<number> => {
          const stats = String(await plain.sendCommand(['INFO', 'stats']));
          return Number(/total_commands_processed:(\d+)/.exec(stats)?.[1]);
        };
        const before = await count();
        await action();
        const made = (await count()) - before - 1;
        plain.destroy();
        return made;
      }

      it('invalidateTags, soft and hard, costs the same for one entry and for 2,000', async () => {
        const cache = await start();
        const fill = async (from: number, to: number): Promise<void> => {
          const entries = Array.from({ length: to - from }, (_, n) => [`k${from + n}`, n] as const);
          await cache.setMany(entries, { tags: ['t'] });
        };
        await fill(0, 1);
        const costs: number[][] = [];
        for (const entries of [1, 2000]) {
          await fill(0, entries);
          const soft = await commandsOf(() => cache.invalidateTags(['t'], { soft: true }));
          await fill(0, entries);
          costs.push([soft, await commandsOf(() => cache.invalidateTags(['t']))]);
        }
        expect(costs[1]).toEqual(costs[0]);
        expect(Math.max(...costs.flat())).toBeLessThanOrEqual(10);
      });

      it('a read without tags is one command; with five tags, one more', async () => {
        const cache = await start();
        await cache.set('plain', 1);
        await cache.set('tagged', { v: 1 }, { tags: ['a', 'b', 'c', 'd', 'e'] });
        await cache.get('plain');
        expect(await commandsOf(() => cache.get('plain'))).toBe(1);
        expect(await commandsOf(() => cache.get('tagged'))).toBe(2);
        expect(await commandsOf(() => cache.getOrSet('tagged', () => 2))).toBe(2);
      });
    });
  },
  { own: true },
);
