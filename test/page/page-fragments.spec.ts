import { describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  Post,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { defer, mergeMap, type Observable } from 'rxjs';
import { Readable } from 'node:stream';
import { CachePage, CacheService, CachingModule, type CachingOptions, FragmentCache } from 'nestjs-caching';
import { until } from '../support/scenarios.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

let version = 0;
let runs = 0;
let made: string[] = [];

/** Does the work of a handler that leaves it to others. */
@Injectable()
class PriceInterceptor implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler<() => Promise<string>>): Observable<string> {
    return next.handle().pipe(mergeMap((work) => work()));
  }
}

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
  /** A leaf in one cache, in a fragment of another, in one of the first, in a page. */
  @Get('levels') @CachePage('1h') levels(): Promise<string> {
    const leaf = (id: number) => this.made(`leaf${id}`, 'a', [`leaf:${id}`], async () => '');
    const middle = (id: number) => this.made(`middle${id}`, 'b', [], () => leaf(id));
    return this.made('page', undefined, [], () =>
      this.made('outer', 'a', [], async () => (await middle(1)) + (await middle(2))),
    );
  }
  @Get('streamed') @CachePage('1h') streamed(): StreamableFile {
    return new StreamableFile(Readable.from(this.parts()));
  }
  @Get('iterated') @CachePage('1h') iterated(): AsyncIterable<string> {
    return this.parts();
  }
  @Get('observed') @CachePage('1h') observed(): Observable<string> {
    return defer(() => this.priced());
  }
  @Get('intercepted')
  @CachePage('1h')
  @UseInterceptors(PriceInterceptor)
  intercepted(): () => Promise<string> {
    return () => this.priced();
  }
  @Get('about') @CachePage('1h') about(): string {
    return `about ${(runs += 1)}`;
  }
  /** Something that says what it is made of, and is noted when it is made. */
  private async made(
    name: string,
    cache: string | undefined,
    tags: string[],
    inside: () => Promise<string>,
  ): Promise<string> {
    const make = async () => {
      made.push(name);
      return `${name}[${await inside()}]`;
    };
    return cache === undefined ? make() : this.fragments.render(name, { cache, tags }, make);
  }
  @Post('menu') async menu(): Promise<void> {
    version += 1;
    await this.fragments.invalidateTags(['menu']);
  }
  private async priced(): Promise<string> {
    runs += 1;
    return `run ${runs}, price ${await this.cache.getOrSet('price', () => version, { tags: ['price'] })}`;
  }
  /** The price is read when the client has taken what came before. */
  private async *parts(): AsyncGenerator<string> {
    for (let part = 0; part < 20; part += 1) yield ' '.repeat(100_000);
    yield await this.priced();
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

  it('goes with its ancestors and nothing else, through levels in two caches in turns, after one invalidation', async () => {
    const app = await startApp(platform, {
      imports: [CachingModule.forRoot({ caches: { default: {}, a: {}, b: {} } })],
      controllers: [ShopController],
    });
    const fragments = app.app.get(FragmentCache);
    const show = async (): Promise<string[]> => {
      made = [];
      const { text } = await app.fetch('/levels');
      expect(text).toBe('page[outer[middle1[leaf1[]]middle2[leaf2[]]]]');
      return made;
    };
    expect(await show()).toEqual(['page', 'outer', 'middle1', 'leaf1', 'middle2', 'leaf2']);
    expect(await show()).toEqual([]);
    await fragments.invalidateTags(['leaf:1']);
    expect(await show()).toEqual(['page', 'outer', 'middle1', 'leaf1']);
    expect(await show()).toEqual([]);
    // Once more, of what was stored after an invalidation.
    await fragments.invalidateTags(['leaf:2']);
    expect(await show()).toEqual(['page', 'outer', 'middle2', 'leaf2']);
    await fragments.invalidateTags(['leaf:3']);
    expect(await show()).toEqual([]);
  });

  it.each(['streamed', 'iterated', 'observed', 'intercepted'])('has the tags of what is %s', async (path) => {
    [version, runs] = [0, 0];
    const app = await startApp(platform, {
      imports: [CachingModule.forRoot()],
      controllers: [ShopController],
    });
    const text = async () => (await app.fetch(`/${path}`)).text.trim();
    const stored = async () => (await app.fetch(`/${path}`)).headers.has('age');
    expect(await text()).toBe('run 1, price 0');
    await until(stored);
    expect(await text()).toBe('run 1, price 0');
    version += 1;
    await app.app.get(CacheService).invalidateTags(['price']);
    expect(await text()).toBe('run 2, price 1');
    await app.close();
  });
});
