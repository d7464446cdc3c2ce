import { expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { BackendError, CachePage, CacheService, CachingModule } from 'nestjs-caching';
import { describeWith, startService } from '../support/services.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

let run = 0;

@Controller()
class OutageController {
  constructor(private readonly cache: CacheService) {}
  @Get('page') @CachePage('1m') page(): object {
    return { run: (run += 1) };
  }
  @Get('value') value(): Promise<object> {
    return this.cache.getOrSet('value', () => ({ run: (run += 1) }));
  }
}

describeWith('redis').each(PLATFORMS)('an application on %s whose Redis fails', (platform) => {
  it('answers rightly while it is killed, frozen and back, and closes', async () => {
    const redis = await startService('redis', { own: true });
    const app = await startApp(platform, {
      imports: [
        CachingModule.forRoot({
          url: redis.url,
          keyPrefix: 'outage',
          readDeadline: 200,
          writeDeadline: 300,
          socketTimeout: 400,
        }),
      ],
      controllers: [OutageController],
    });
    const isServed = async (path: string): Promise<void> => {
      const { status, text } = await app.fetch(path);
      expect([status, text]).toEqual([200, expect.stringMatching(/^\{"run":\d+\}$/)]);
    };
    const both = () => Promise.all([isServed('/page'), isServed('/value')]);
    const isHit = async (): Promise<boolean> => (await app.fetch('/page')).headers.get('age') !== null;
    const untilHit = async (): Promise<void> => {
      for (const deadline = Date.now() + 10_000; !(await isHit());) {
        if (Date.now() > deadline) throw new Error('no hit within 10 s of the recovery');
      }
    };

    await both();
    await untilHit();
    await redis.kill();
    for (let i = 0; i < 5; i += 1) await both();
    await expect(app.app.get(CacheService).delete('value')).rejects.toThrow(BackendError);
    await redis.start();
    await untilHit();
    redis.freeze();
    for (let i = 0; i < 5; i += 1) await both();
    redis.thaw();
    await untilHit();
    redis.freeze();
    await app.close();
    redis.thaw();
    await redis.stop();
  }, 60_000);
});
