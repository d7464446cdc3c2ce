import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import {
  CacheControl,
  CachePage,
  CacheService,
  CachingModule,
  type CachingOptions,
  FragmentCache,
} from 'nestjs-caching';
import { gate } from '../support/gate.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

let version = 0;
let runs = 0;
let hold = gate();

@Controller()
class ShopController {
  constructor(
    private readonly fragments: FragmentCache,
    private readonly cache: CacheService,
  ) {}

  @Get('shop') @CachePage('1h') shop(): Promise<string> {
    return this.page(() => this.menu());
  }
  @Get('public') @CachePage('1h') @CacheControl({ public: true, maxAge: '1m' }) public(): Promise<string> {
    return this.page(() => this.menu());
  }
  @Get('draft') @CachePage('1h') draft(): Promise<string> {
    return this.page(() => this.fragments.preview(() => this.menu()));
  }
  @Get('value') @CachePage('1h') value(): Promise<string> {
    return this.page(() => this.cache.getOrSet('menu', () => this.menu()));
  }
  @Get('around') @CachePage('1h') around(): Promise<string> {
    return this.page(() =>
      this.fragments.render('around', {}, () => this.fragments.preview(() => this.menu())),
    );
  }
  @Get('about') @CachePage('1h') about(): Promise<string> {
    return this.page(async () => 'about');
  }

  private async page(body: () => Promise<string>): Promise<string> {
    const run = (runs += 1);
    // The preview is long under way, and so is everything that follows.
    await new Promise(setImmediate);
    await hold.opened;
    return `${await body()}, run ${run}`;
  }
  private menu(): Promise<string> {
    return this.fragments.render('menu', {}, () => `menu ${version}`);
  }
}

describe.each(PLATFORMS)('pages in a preview on %s', (platform) => {
  let app: TestApp;
  afterEach(() => app.close());

  async function open(caching: CachingOptions = {}): Promise<{
    reader(path: string): Promise<string>;
    author(path: string): Promise<string>;
  }> {
    [version, runs, hold] = [0, 0, gate()];
    hold.open();
    app = await startApp(
      platform,
      { imports: [CachingModule.forRoot(caching)], controllers: [ShopController] },
      (application) => {
        const fragments = application.get(FragmentCache);
        const isAuthor = (request: { headers: Record<string, unknown> }) => 'x-author' in request.headers;
        application.use(
          (request: { headers: Record<string, unknown> }, _response: unknown, next: () => void) =>
            isAuthor(request) ? fragments.preview(next) : next(),
        );
      },
    );
    return {
      reader: async (path) => (await app.fetch(path)).text,
      author: async (path) => (await app.fetch(path, { headers: { 'x-author': '1' } })).text,
    };
  }

  it('are made anew for an author, and stay what they are for readers', async () => {
    const { reader, author } = await open();
    expect(await reader('/shop')).toBe('menu 0, run 1');
    version = 1;
    expect([await author('/shop'), await author('/shop')]).toEqual(['menu 1, run 2', 'menu 1, run 3']);
    expect(await reader('/shop')).toBe('menu 0, run 1');
  });

  it('are not stored, so that the first reader makes the page', async () => {
    const { reader, author } = await open();
    expect(await author('/shop')).toBe('menu 0, run 1');
    version = 1;
    expect([await reader('/shop'), await reader('/shop')]).toEqual(['menu 1, run 2', 'menu 1, run 2']);
  });

  it.each(['/shop', '/public'])('are not for caches on the way: %s', async (path) => {
    await open();
    const { headers } = await app.fetch(path, { headers: { 'x-author': '1' } });
    expect(headers.get('cache-control')).toBe('private, no-store');
    expect((await app.fetch(path)).headers.get('cache-control') ?? '').not.toContain('no-store');
  });

  it.each(['/draft', '/around'])('are not stored if a handler has run a preview: %s', async (path) => {
    const { reader } = await open();
    expect([await reader(path), await reader(path)]).toEqual(['menu 0, run 1', 'menu 0, run 2']);
    version = 1;
    expect(await reader(path)).toBe('menu 1, run 3');
  });

  it('are for nobody who has waited for them', async () => {
    const { reader } = await open();
    hold = gate();
    const both = [reader('/draft'), reader('/draft')];
    while (app.app.get(CacheService).statistics.misses < 2) await new Promise(setImmediate);
    hold.open();
    expect((await Promise.all(both)).sort()).toEqual(['menu 0, run 1', 'menu 0, run 2']);
  });

  it('are stored in a module in preview only if they have no fragments', async () => {
    const { reader } = await open({ fragments: { preview: true } });
    expect([await reader('/shop'), await reader('/shop')]).toEqual(['menu 0, run 1', 'menu 0, run 2']);
    expect([await reader('/about'), await reader('/about')]).toEqual(['about, run 3', 'about, run 3']);
  });

  it('are not stored around a value that is made of a fragment, and neither is the value', async () => {
    const { reader } = await open({ fragments: { preview: true } });
    expect(await reader('/value')).toBe('menu 0, run 1');
    version = 1;
    expect(await reader('/value')).toBe('menu 1, run 2');
    expect(await app.app.get(CacheService).get('menu')).toBeUndefined();
  });
});
