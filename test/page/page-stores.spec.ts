import { afterEach, expect, it } from '@jest/globals';
import { Controller, Get, Header, Headers, Param, Post, StreamableFile } from '@nestjs/common';
import { CachePage, CachingModule, PageCache } from 'nestjs-caching';
import { describePagesEverywhere } from '../support/page-stores.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { visit, visitStored } from '../support/visit.js';

let runs = 0;
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

@Controller('pages')
class StoredController {
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
  @Get('bytes') @CachePage('1m') bytes(): StreamableFile {
    return new StreamableFile(BYTES, { type: 'application/x-test' });
  }
  @Get('mine')
  @CachePage('1m', { user: ({ headers }) => headers.authorization })
  mine(@Headers('authorization') who: string): string {
    return `${who} ${(runs += 1)}`;
  }
  @Get('items/:id')
  @CachePage('1m', { tags: ['items'], staleWhileRevalidate: '1h' })
  item(@Param('id') id: string): string {
    return `${id} ${(runs += 1)}`;
  }
  @Post('items/:id') change(): string {
    return 'changed';
  }
}

/** By the clocks of this machine and of the server, whose milliseconds may have fractions. */
describePagesEverywhere((platform, options) => {
  let app: TestApp;
  const start = async () => {
    runs = 0;
    app = await startApp(platform, {
      imports: [CachingModule.forRoot(options())],
      controllers: [StoredController],
    });
  };
  const text = async (path: string) => (await visit(app.url, path)).text;
  afterEach(() => app.close());

  it('keeps variants side by side', async () => {
    await start();
    const stored = (language: string) =>
      visitStored(app.url, '/pages/varying', { 'accept-language': language });
    const first = await Promise.all(['de', 'en', 'fr'].map(stored));
    const ran = runs;
    expect(await Promise.all(['de', 'en', 'fr'].map(stored))).toEqual(first);
    for (const [index, language] of ['de', 'en', 'fr'].entries())
      expect(first[index]).toMatch(new RegExp(`^${language} `));
    expect(runs).toBe(ran);
  });

  it('keeps what says itself how long it lives', async () => {
    await start();
    const first = await visitStored(app.url, '/pages/dated');
    expect(await text('/pages/dated')).toBe(first);
  });

  it('keeps every byte', async () => {
    await start();
    let answer = await app.fetch('/pages/bytes');
    while (!answer.headers.has('age')) answer = await app.fetch('/pages/bytes');
    const { body, headers } = answer;
    expect([body, headers.get('content-type')]).toEqual([BYTES, 'application/x-test']);
  });

  it('keeps the pages of one from another', async () => {
    await start();
    const stored = (authorization: string) => visitStored(app.url, '/pages/mine', { authorization });
    const [ann, bob] = [await stored('ann'), await stored('bob')];
    expect([await stored('ann'), await stored('bob')]).toEqual([ann, bob]);
    expect([ann, bob]).toEqual([expect.stringMatching(/^ann /), expect.stringMatching(/^bob /)]);
    expect((await visit(app.url, '/pages/mine', { authorization: 'eve' })).isHit).toBe(false);
  });

  it('forgets the page of a path that is written to, and pages by tag', async () => {
    await start();
    const [one, two] = [
      await visitStored(app.url, '/pages/items/1'),
      await visitStored(app.url, '/pages/items/2'),
    ];
    await visit(app.url, '/pages/items/1', { method: 'POST' });
    expect([(await text('/pages/items/1')) === one, await text('/pages/items/2')]).toEqual([false, two]);
    const again = await visitStored(app.url, '/pages/items/1');
    await app.app.get(PageCache).invalidate({ tags: ['items'] });
    const after = [await text('/pages/items/1'), await text('/pages/items/2')];
    expect([after[0] === again, after[1] === two]).toEqual([false, false]);
  });

  it('serves a page once more after a soft invalidation, and renews it', async () => {
    await start();
    const before = await visitStored(app.url, '/pages/items/1');
    await app.app.get(PageCache).invalidate({ tags: ['items'] }, { soft: true });
    expect(await text('/pages/items/1')).toBe(before);
    while ((await text('/pages/items/1')) === before);
    expect(runs).toBe(2);
  });
});
