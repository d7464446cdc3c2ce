import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createClient } from '@keyv/redis';
import type { CachingOptions } from 'nestjs-caching';
import { describeService, describeWith, startService } from '../../support/services.js';
import { PLATFORMS } from '../../support/test-app.js';
import { ENGINES, writeViews } from './engine-cases.js';
import { items, list, openSite, type Site } from './engine-site.js';

describeService(
  'redis',
  (service) => {
    const options = (): CachingOptions => ({ url: service().url, keyPrefix: randomUUID().slice(0, 8) });
    /** The commands that Redis gets meanwhile, but for those of the connection itself. */
    const commandsOf = async (work: () => Promise<unknown>): Promise<Record<string, number>> => {
      const client = createClient({ url: service().url });
      await client.connect();
      await client.sendCommand(['CONFIG', 'RESETSTAT']);
      await work();
      const stats = String(await client.sendCommand(['INFO', 'commandstats']));
      await client.close();
      const calls = [...stats.matchAll(/cmdstat_(\S+?):calls=(\d+)/g)];
      const own = calls.filter(([, name = '']) => !/^(config|info|hello|client|ping)/.test(name));
      return Object.fromEntries(own.map(([, name, count]) => [name, Number(count)]));
    };

    for (const engine of ENGINES) {
      describe.each(PLATFORMS)(`${engine.name} on %s`, (platform) => {
        let views: Awaited<ReturnType<typeof writeViews>>;
        let site: Site;

        beforeAll(async () => {
          views = await writeViews(engine);
          site = await openSite(engine, platform, views.folder, options(), true);
        });
        afterAll(async () => {
          await site.close();
          await views.remove();
        });

        const rows = items(20);
        const names = list(...rows.map(({ name }) => name));

        it(`reads 20 fragments in ${engine.readsTogether ? 'one command' : 'a command each, or in one by prefetch'}`, async () => {
          await site.page('prefetch', { items: rows, prefetched: await site.fragments.prefetch([]) });
          const draw = async () => {
            const prefetched = await site.fragments.prefetch([]);
            expect(await site.page('prefetch', { items: rows, prefetched })).toBe(names);
          };
          expect(await commandsOf(draw)).toEqual({ mget: engine.readsTogether ? 1 : 20 });
          const drawPrefetched = async () => {
            const prefetched = await site.fragments.prefetch(
              rows.map(({ id }) => ({ name: 'item', varyOn: [id] })),
            );
            expect(await site.page('prefetch', { items: rows, prefetched })).toBe(names);
          };
          expect(await commandsOf(drawPrefetched)).toEqual({ mget: 1 });
        });

        it('reads each level of missing blocks in one more', async () => {
          const draw = async () =>
            expect(await site.page('nested', { items: rows })).toBe(`<ol>${names}</ol>`);
          await draw();
          await site.fragments.delete('outer');
          // The page, the level below it if it is read together, and the versions of the tags before the outer one is stored.
          expect((await commandsOf(draw))['mget']).toBe(engine.readsTogether ? 3 : 22);
          // Once it is there: one for it, one for the tags that it has inherited.
          expect(await commandsOf(draw)).toEqual({ mget: 2 });
        });
      });
    }
  },
  { own: true },
);

describeWith('redis')('fragments whose Redis fails', () => {
  it.each(ENGINES)('are right on $name while it is away and when it is back', async (engine) => {
    const redis = await startService('redis', { own: true });
    const views = await writeViews(engine);
    const site = await openSite(
      engine,
      'fastify',
      views.folder,
      { url: redis.url, keyPrefix: 'outage', readDeadline: 200, writeDeadline: 300, socketTimeout: 400 },
      true,
    );
    let run = 0;
    const draw = async (): Promise<number> => {
      run += 1;
      const named = items(3).map((item) => ({ ...item, name: `${item.id} of run ${run}` }));
      const drawn = await site.page('nested', { items: named });
      expect(drawn).toMatch(/^<ol>(<li>\d of run \d+<\/li>){3}<\/ol>$/);
      return Number(/run (\d+)/.exec(drawn)?.[1]);
    };
    const isHit = async (): Promise<boolean> => (await draw()) < run;
    const untilHit = async (): Promise<void> => {
      for (const deadline = Date.now() + 10_000; !(await isHit());) {
        if (Date.now() > deadline) throw new Error('no hit within 10 s of the recovery');
      }
    };
    await untilHit();
    await redis.kill();
    for (let i = 0; i < 3; i += 1) expect(await isHit()).toBe(false);
    await redis.start();
    await untilHit();
    redis.freeze();
    for (let i = 0; i < 3; i += 1) expect(await isHit()).toBe(false);
    redis.thaw();
    await untilHit();
    await site.close();
    await redis.stop();
    await views.remove();
  });
});
