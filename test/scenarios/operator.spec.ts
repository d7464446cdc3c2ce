import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { BackendError, type CacheService, CircuitOpenError, type CommonCacheOptions } from 'nestjs-caching';
import { connectPlain } from '../backends/redis-servers.js';
import { openCache } from '../support/caches.js';
import { until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';
import { systemClock } from '../../libs/caching/src/clock.js';

const KEY = 'customer:ada@example.com';
const VALUE = 'a secret value';
const PASSWORD = 'a-secret-password';

describe('what a server in trouble looks like to its operator', () => {
  describeService(
    'redis',
    (service) => {
      let plain: Awaited<ReturnType<typeof connectPlain>>;
      let lines: string[];
      let caches: CacheService[];
      let warn: { mockRestore(): void };

      const command = (...args: string[]) => plain.sendCommand(args);
      const open = async (options: CommonCacheOptions & { url?: string } = {}, clock = systemClock) => {
        const cache = await openCache({ url: service().url, keyPrefix: 'shop', ...options }, clock);
        caches.push(cache);
        return cache;
      };

      beforeEach(async () => {
        plain = await connectPlain(service().url);
        await command('FLUSHALL');
        lines = [];
        caches = [];
        warn = jest
          .spyOn(Logger.prototype, 'warn')
          .mockImplementation((line: unknown) => void lines.push(String(line)));
      });
      afterEach(async () => {
        warn.mockRestore();
        await Promise.all(caches.map((cache) => cache.close()));
        plain.destroy();
      });

      it('away: the log says why, once for each kind of operation, and nothing of what is cached', async () => {
        const cache = await open({ onError: 'ignore', breaker: { failures: 1000 } });
        await service().kill();
        for (let call = 0; call < 3; call += 1) {
          await cache.get(KEY);
          await cache.set(KEY, VALUE);
        }
        await service().start();
        expect(lines).toHaveLength(2);
        for (const line of lines) expect(line).toContain('(ECONNREFUSED)');
        expect(lines.join()).not.toContain(KEY);
        expect(lines.join()).not.toContain(VALUE);
      });

      it('with another password than before: the log says so without either', async () => {
        await command('ACL', 'SETUSER', 'app', 'on', `>${PASSWORD}`, '~*', '+@all');
        const url = service().url.replace('//', `//app:${PASSWORD}@`);
        const cache = await open({ url });
        await cache.set(KEY, VALUE);
        await command('ACL', 'SETUSER', 'app', 'resetpass', '>another');
        await command('CLIENT', 'KILL', 'USER', 'app');
        await until(async () => (await cache.get(KEY)) === undefined);
        expect(await (await open({ url })).get(KEY)).toBeUndefined();
        await command('ACL', 'SETUSER', 'app', `>${PASSWORD}`);
        expect(lines).toHaveLength(2);
        expect(lines[1]).toContain('(WRONGPASS)');
        expect(lines.join()).not.toContain(PASSWORD);
        await until(async () => (await cache.get(KEY)) === VALUE);
      });

      it('full: an application that does nothing but load is told as well', async () => {
        const cache = await open();
        expect(await cache.get(KEY)).toBeUndefined();
        await command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
        await command('CONFIG', 'SET', 'maxmemory', '1');
        for (let call = 0; call < 3; call += 1) expect(await cache.getOrSet(KEY, () => VALUE)).toBe(VALUE);
        for (let call = 0; call < 5; call += 1) await cache.add(KEY, VALUE).catch(() => undefined);
        const refused = await cache.add(KEY, VALUE).catch((error: unknown) => error);
        await command('CONFIG', 'SET', 'maxmemory', '0');
        expect(lines).toEqual([expect.stringContaining('lease (OOM)')]);
        expect(refused).toBeInstanceOf(CircuitOpenError);
        expect((refused as CircuitOpenError).message).toContain('(OOM)');
        expect((refused as CircuitOpenError).cause).toMatchObject({ message: expect.stringMatching(/^OOM/) });
        expect(cache.statistics.unleased).toBe(3);
      });

      it('a replica: no write is taken for done, and what was written is not read in its old form', async () => {
        const cache = await open();
        await cache.set(KEY, 'old');
        await command('REPLICAOF', '127.0.0.1', '1');
        const written = await cache.setMany({ [KEY]: 'new' }).catch((error: unknown) => error);
        const read = await cache.get(KEY);
        await command('REPLICAOF', 'NO', 'ONE');
        expect(written).toBeInstanceOf(BackendError);
        expect(read).toBeUndefined();
        await until(async () => (await cache.get(KEY)) === 'new');
      });

      it('silent: whoever holds a lock that cannot be extended is told when it has expired', async () => {
        const cache = await open();
        const held = await cache.lock('plain', { ttl: 500 });
        const run = cache.runExclusive(
          'job',
          async ({ signal }) => {
            service().freeze();
            if (!signal.aborted) await once(signal, 'abort');
            return 'told';
          },
          { ttl: 300 },
        );
        expect(await run).toBe('told');
        if (!held.signal.aborted) await once(held.signal, 'abort');
        expect(await held.release()).toBe(false);
        service().thaw();
      });

      it('with windows so long that moments lose precision: lives stay whole milliseconds', async () => {
        const cache = await open();
        for (let n = 0; n < 20; n += 1) {
          await cache.set(KEY, VALUE, { ttl: '1m', staleIfError: '7500d', tags: ['t'] });
          expect(await cache.touch(KEY, '1m')).toBe(true);
          expect(await cache.get(KEY)).toBe(VALUE);
        }
      });

      it('away when a process with another clock starts: afterwards the server’s clock is that of both', async () => {
        const ahead = { ...systemClock, now: () => systemClock.now() + 3_600_000 };
        const cache = await open();
        await cache.set('probe', 1);
        await service().kill();
        const late = await open({}, ahead);
        expect(await late.get('probe')).toBeUndefined();
        await service().start();
        await until(async () => (await late.get('probe')) === 1);
        await until(() => cache.set(KEY, VALUE, { ttl: '1m', staleIfError: '1d' }).then(...settled));
        expect(await late.get(KEY)).toBe(VALUE);
        expect(await late.ttl(KEY)).toBeGreaterThan(0);
      });

      it('away when what a process with another clock wrote first is deleted: it does not come back with the server', async () => {
        const late = await open({}, { ...systemClock, now: () => systemClock.now() + 3_600_000 });
        await late.set(KEY, VALUE);
        const cache = await open();
        expect(await cache.get(KEY)).toBe(VALUE);
        await service().kill();
        await expect(cache.delete(KEY)).rejects.toThrow(BackendError);
        await service().start();
        await until(() => late.set('probe', 1).then(...settled));
        expect(await cache.get(KEY)).toBeUndefined();
        await until(() => cache.statistics.replayed === 1);
        expect(await late.get(KEY)).toBeUndefined();
      });
    },
    { own: true },
  );
});

/** Whether a promise resolved. */
const settled = [() => true, () => false] as const;
