import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import KeyvRedis, { createKeyv } from '@keyv/redis';
import { Keyv } from 'keyv';
import { BackendError, type CacheService } from 'nestjs-caching';
import { describeOutage } from 'nestjs-caching/testing';
import { KeyvBackend } from '../../libs/caching/src/backends/keyv.backend.js';
import type { KeyvStore } from '../../libs/caching/src/backends/keyv/keyv-store.js';
import { systemClock } from '../../libs/caching/src/clock.js';
import { openCache } from '../support/caches.js';
import { describeService } from '../support/services.js';
import { eventually, settled } from './redis-servers.js';

/** With the settings that docs/backends.md asks for in production. */
const withLimits = (url: string, limitMs: number) =>
  new KeyvRedis<unknown>(
    {
      url,
      disableOfflineQueue: true,
      pingInterval: limitMs / 2,
      socket: { connectTimeout: limitMs, socketTimeout: limitMs },
    },
    { connectionTimeout: limitMs },
  );

/** Closes the store, too, as its application does: the suite looks for connections that are left. */
class OwningBackend extends KeyvBackend {
  constructor(private readonly own: KeyvRedis<unknown>) {
    super({ store: own, clock: systemClock });
  }

  override async close(): Promise<void> {
    await super.close();
    await settled(this.own.disconnect(true));
  }
}

/** The first three stay pending for as long as the server is away. */
const STORES = {
  'a KeyvRedis': (url: string) => new KeyvRedis<unknown>(url),
  'an instance over a KeyvRedis': (url: string) => new Keyv(new KeyvRedis<unknown>(url)),
  createKeyv: (url: string) => createKeyv(url),
  'a KeyvRedis with the settings for production': (url: string) => withLimits(url, 400),
} satisfies Record<string, (url: string) => KeyvStore>;

describeService(
  'redis',
  (service) => {
    describeOutage('keyv, KeyvRedis as a store', {
      server: service,
      open: ({ host, port }, limitMs) => new OwningBackend(withLimits(`redis://${host}:${port}`, limitMs)),
      runner: { describe, it, expect, beforeEach, afterEach },
    });

    describe.each(Object.entries(STORES))('keyv, %s', (_name, make) => {
      const complaints: unknown[] = [];
      const note = (complaint: unknown) => complaints.push(complaint);
      let store: ReturnType<typeof make>;
      let cache: CacheService;

      const connect = async () => {
        store = make(service().url);
        const deadlines = { readDeadline: 200, writeDeadline: 300, closeDeadline: 500 };
        cache = await openCache({ backend: 'keyv', store, keyPrefix: 'app', ...deadlines });
      };
      /** Reads go on as misses, and everything else rejects with the documented error. */
      const expectOutage = async () => {
        const answers = [cache.get('k'), cache.has('k'), cache.ttl('k'), cache.getMany(['k'])];
        const loaded = cache.getOrSet('k', () => 'made');
        const writes: Promise<unknown>[] = [
          cache.set('k', 1),
          cache.add('k', 1),
          cache.delete('k'),
          cache.touch('k'),
          cache.increment('n', 1, { initial: 0 }),
          cache.clear(),
        ];
        const refusals = writes.map((write) => settled(write));
        expect(await Promise.all(answers)).toEqual([undefined, false, undefined, new Map()]);
        expect(await loaded).toBe('made');
        for (const refusal of await Promise.all(refusals))
          expect(refusal).toMatchObject({ status: 'rejected', reason: expect.any(BackendError) });
      };
      const expectService = async () => {
        // What KeyvRedis has queued, a clear() among it, may still be carried out after a first write.
        await eventually(async () => {
          await cache.set('k', 'again');
          return (await cache.get('k')) === 'again';
        });
      };

      beforeEach(() => {
        process.on('unhandledRejection', note);
        process.on('uncaughtException', note);
      });
      afterEach(async () => {
        service().thaw();
        await cache.close();
        const adapter = (store instanceof Keyv ? store.store : store) as KeyvRedis<unknown>;
        await adapter.disconnect(true);
        process.off('unhandledRejection', note);
        process.off('uncaughtException', note);
        expect(complaints.splice(0)).toEqual([]);
      });

      it('on a server that is killed: settles everything, and serves when it is back', async () => {
        await connect();
        await cache.set('k', 1);
        await service().kill();
        await expectOutage();
        await service().start();
        await expectService();
      });

      it('on a server that is down at the start: settles everything, and serves when it is there', async () => {
        await service().kill();
        await connect();
        await expectOutage();
        await service().start();
        await expectService();
      });

      it('on a frozen server: settles everything, close() included', async () => {
        await connect();
        await cache.set('k', 1);
        service().freeze();
        await expectOutage();
        expect((await settled(cache.close())).status).toBe('fulfilled');
      });
    });
  },
  { own: true },
);
