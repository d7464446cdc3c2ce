import { afterEach, expect, it } from '@jest/globals';
import { Controller, Get, Header, Headers } from '@nestjs/common';
import { CachePage, CachingModule } from 'nestjs-caching';
import { describePages } from '../support/page-stores.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { visit, visitStored } from '../support/visit.js';

let runs = 0;

@Controller()
class ClockedController {
  @Get('varying') @CachePage('1m') varying(@Headers('accept-language') language: string): string {
    return `${language} ${(runs += 1)}`;
  }
  @Get('dated')
  @CachePage()
  @Header('cache-control', 'max-age=60')
  @Header('date', new Date(Date.now() - 1000).toUTCString())
  dated(): string {
    return `run ${(runs += 1)}`;
  }
}

/** By the clocks of this machine and of the server, whose milliseconds have fractions. */
describePages((platform, options) => {
  let app: TestApp;
  const start = async () => {
    runs = 0;
    app = await startApp(platform, {
      imports: [CachingModule.forRoot(options())],
      controllers: [ClockedController],
    });
  };
  afterEach(() => app.close());

  it('keeps variants side by side', async () => {
    await start();
    const stored = (language: string) => visitStored(app.url, '/varying', { 'accept-language': language });
    const first = await Promise.all(['de', 'en', 'fr'].map(stored));
    const ran = runs;
    expect(await Promise.all(['de', 'en', 'fr'].map(stored))).toEqual(first);
    for (const [index, language] of ['de', 'en', 'fr'].entries())
      expect(first[index]).toMatch(new RegExp(`^${language} `));
    expect(runs).toBe(ran);
  });

  it('keeps what says itself how long it lives', async () => {
    await start();
    const first = await visitStored(app.url, '/dated');
    expect((await visit(app.url, '/dated')).text).toBe(first);
  });
});
