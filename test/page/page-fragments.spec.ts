import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Post, StreamableFile } from '@nestjs/common';
import { Readable } from 'node:stream';
import { CachePage, CacheService, CachingModule, type CachingOptions, FragmentCache } from 'nestjs-caching';
import { until } from '../support/scenarios.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

let version = 0;
let runs = 0;

@Controller()
class ShopController {
  constructor(
    private readonly fragments: FragmentCache,
    private readonly cache: CacheService,
  ) {}

  @Get('shop') @CachePage('1h') async shop(): Promise<string> {
    runs += 1;
    const menu = await this.fragments.render('menu', { tags: ['menu'] }, () => `menu ${version}`);
    const price = await this.cache.getOrSet('price', () => version, { tags: ['price'] });
    return `${menu}, price ${price}`;
  }
  @Get('streamed') @CachePage('1h') streamed(): StreamableFile {
    return new StreamableFile(this.parts());
  }
  @Get('about') @CachePage('1h') about(): string {
    return `about ${(runs += 1)}`;
  }
  @Post('menu') async menu(): Promise<void> {
    version += 1;
    await this.fragments.invalidateTags(['menu']);
  }
  /** The price is read when the client has taken what came before. */
  private parts(): Readable {
    const { cache } = this;
    const parts = async function* (): AsyncGenerator<string> {
      for (let part = 0; part < 20; part += 1) yield ' '.repeat(100_000);
      yield `run ${(runs += 1)}, price ${await cache.getOrSet('price', () => version, { tags: ['price'] })}`;
    };
    return Readable.from(parts());
  }
}

describe.each(PLATFORMS)('a page made of fragments and values on %s', (platform) => {
  it.each<[string, CachingOptions]>([
    ['in one cache', {}],
    ['with fragments in a cache of their own', { caches: { default: {}, fragments: {} } }],
  ])('has their tags, %s: what is around a leaf goes, and nothing else', async (_where, caching) => {
    [version, runs] = [0, 0];
    const app = await startApp(platform, {
      imports: [CachingModule.forRoot(caching)],
      controllers: [ShopController],
    });
    const text = async (path: string) => (await app.fetch(path)).text;
    expect([await text('/shop'), await text('/about')]).toEqual(['menu 0, price 0', 'about 2']);
    expect([await text('/shop'), await text('/about'), runs]).toEqual(['menu 0, price 0', 'about 2', 2]);

    await app.fetch('/menu', { method: 'POST' });
    expect([await text('/shop'), await text('/about')]).toEqual(['menu 1, price 0', 'about 2']);

    version += 1;
    await app.app.get(CacheService).invalidateTags(['price']);
    expect([await text('/shop'), await text('/about')]).toEqual(['menu 1, price 2', 'about 2']);
    await app.close();
  });

  it('has the tags of what its body reads while it streams', async () => {
    [version, runs] = [0, 0];
    const app = await startApp(platform, {
      imports: [CachingModule.forRoot()],
      controllers: [ShopController],
    });
    const text = async () => (await app.fetch('/streamed')).text.trim();
    const stored = async () => (await app.fetch('/streamed')).headers.has('age');
    expect(await text()).toBe('run 1, price 0');
    await until(stored);
    expect(await text()).toBe('run 1, price 0');
    version += 1;
    await app.app.get(CacheService).invalidateTags(['price']);
    expect(await text()).toBe('run 2, price 1');
    await app.close();
  });
});
