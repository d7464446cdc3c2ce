import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  AlreadyConfiguredError,
  CacheClosedError,
  CachePage,
  CacheService,
  CachingModule,
  type CachingOptions,
  type CachingOptionsFactory,
  InjectCache,
  InvalidDecorationError,
  InvalidDurationError,
  InvalidOptionsError,
  UnknownCacheError,
  getCacheToken,
} from 'nestjs-caching';
import { linesOf } from '../../libs/caching/src/testing/log.js';

@Injectable()
class Reader {
  constructor(
    readonly cache: CacheService,
    @InjectCache('reports') readonly reports: CacheService,
  ) {}
}

@Injectable()
class Options implements CachingOptionsFactory {
  createCachingOptions(): CachingOptions {
    return { caches: { default: { ttl: '1m' }, reports: {} } };
  }
}

@Module({ providers: [Options], exports: [Options] })
class OptionsModule {}

@Module({ providers: [Reader], exports: [Reader] })
class FeatureModule {}

describe('CachingModule', () => {
  let close: () => Promise<void> = () => Promise.resolve();
  afterEach(() => close());

  const compile = async (caching: ReturnType<typeof CachingModule.forRoot>) => {
    const module = await Test.createTestingModule({ imports: [caching, FeatureModule] }).compile();
    const app = await module.init();
    close = () => app.close();
    return app;
  };

  it.each([
    ['forRoot', CachingModule.forRoot({ caches: { default: {}, reports: {} } })],
    [
      'useFactory',
      CachingModule.forRootAsync({
        caches: ['reports'],
        useFactory: () => new Options().createCachingOptions(),
      }),
    ],
    ['useClass', CachingModule.forRootAsync({ caches: ['reports'], useClass: Options })],
    [
      'useExisting',
      CachingModule.forRootAsync({ caches: ['reports'], imports: [OptionsModule], useExisting: Options }),
    ],
  ])('gives every module its named caches by %s', async (_name, caching) => {
    const app = await compile(caching);
    const { cache, reports } = app.get(Reader, { strict: false });
    expect([cache.name, reports.name]).toEqual(['default', 'reports']);
    await cache.set('k', 1);
    expect([await cache.get('k'), await reports.get('k')]).toEqual([1, undefined]);
    expect(app.get(getCacheToken(), { strict: false })).toBe(cache);
  });

  it('takes what the environment does not have for nothing', async () => {
    const app = await compile(
      CachingModule.forRoot({
        isGlobal: undefined,
        caches: {
          default: { url: process.env['NO_SUCH_URL'], keyPrefix: undefined },
          reports: { ttl: undefined },
        },
        pages: { cache: undefined },
      }),
    );
    expect(app.get(Reader, { strict: false }).cache.name).toBe('default');
  });

  it('stays with its importers when it is not global', async () => {
    const caching = CachingModule.forRoot({ isGlobal: false });
    await expect(Test.createTestingModule({ imports: [caching, FeatureModule] }).compile()).rejects.toThrow(
      /CacheService/,
    );
  });

  it('is one where several modules import the same const', async () => {
    const caching = CachingModule.forRoot({ isGlobal: false, caches: { default: {}, reports: {} } });
    @Module({ imports: [caching], providers: [Reader], exports: [Reader] })
    class Importer {}
    const module = await Test.createTestingModule({ imports: [caching, Importer] }).compile();
    const app = await module.init();
    close = () => app.close();
    expect(app.get(Reader, { strict: false }).cache).toBe(app.get(CacheService));
  });

  it.each([
    ['beside a global one', [CachingModule.forRoot()]],
    ['beside one that is not global', [CachingModule.forRoot({ isGlobal: false })]],
    ['alone', []],
  ])('refuses to be imported without options, %s', async (_where, imports) => {
    @Injectable()
    class Feature {
      constructor(readonly cache: CacheService) {}
    }
    @Module({ imports: [CachingModule], providers: [Feature] })
    class BareModule {}
    const start = Test.createTestingModule({ imports: [...imports, BareModule] }).compile();
    await expect(start).rejects.toThrow(InvalidOptionsError);
    await expect(start).rejects.toThrow(
      /imports of BareModule: .* import CachingModule\.forRoot\(\) in the root/,
    );
  });

  it('refuses a second forRoot', async () => {
    for (const isGlobal of [true, false]) {
      const twice = Test.createTestingModule({
        imports: [CachingModule.forRoot({ isGlobal }), CachingModule.forRoot({ isGlobal, ttl: '1m' })],
      }).compile();
      await expect(twice).rejects.toThrow(AlreadyConfiguredError);
      await expect(twice).rejects.toThrow(/with `isGlobal: false` keep what forRoot\(\) answers in a const/);
    }
  });

  it('refuses bad options at once, and those of a factory at start', async () => {
    expect(() => CachingModule.forRoot({ ttl: 'soon' as never })).toThrow(InvalidOptionsError);
    const late = CachingModule.forRootAsync({ useFactory: () => ({ ttl: 'soon' as never }) });
    await expect(Test.createTestingModule({ imports: [late] }).compile()).rejects.toThrow(
      InvalidOptionsError,
    );
    const unnamed = CachingModule.forRootAsync({ useClass: Options });
    await expect(Test.createTestingModule({ imports: [unnamed] }).compile()).rejects.toThrow(
      /caches: \['default', 'reports'\]/,
    );
    expect(() => CachingModule.forRootAsync({})).toThrow(/useFactory, useClass or useExisting/);
  });

  it.each([
    ['answers nothing', { useFactory: () => undefined as never }, /\(options\): use an object with options/],
    [
      'is a class without the method',
      { useClass: OptionsModule as never },
      /no method createCachingOptions\(\)/,
    ],
    ['is something else', { useExisting: 'text' }, /no method createCachingOptions\(\)/],
  ])('refuses a source of options that %s', async (_what, source, message) => {
    @Module({ providers: [{ provide: 'text', useValue: 'none' }], exports: ['text'] })
    class TextModule {}
    const late = CachingModule.forRootAsync({ imports: [TextModule], ...source });
    const start = Test.createTestingModule({ imports: [late] }).compile();
    await expect(start).rejects.toThrow(InvalidOptionsError);
    await expect(start).rejects.toThrow(message);
  });

  it('refuses a page in a cache that is not there, and a ttl that is none', async () => {
    @Controller()
    class Wrong {
      @Get() @CachePage('1m', { cache: 'nope' }) get() {}
    }
    const module = Test.createTestingModule({ imports: [CachingModule.forRoot()], controllers: [Wrong] });
    await expect(module.compile()).rejects.toThrow(UnknownCacheError);
    expect(() => CachePage('15 minutes' as never)).toThrow(InvalidDurationError);
  });

  it.each<[object, RegExp]>([
    [{ taags: ['a'] }, /- taags: unknown option, did you mean "tags"\?; allowed here: ttl, cache, user/],
    [
      { query: { onyl: ['page'] } },
      /- query\.onyl: unknown option, did you mean "only"\?; allowed here: only, ig/,
    ],
    [{ query: { only: ['filter[]'] } }, /- query\.only\.0: use names without brackets/],
    [{ query: { only: 'page' } }, /- query: use { only: \[\.\.\.\] }, { ignore: \[\.\.\.\] } or 'raw'/],
    [{ user: 'id' }, /- user: use a function of the request/],
    [{ vary: 'Accept-Language' }, /- vary: use a list of names of headers/],
    [{ vary: ['a b'] }, /- vary\.0: use a list of names of headers/],
    [{ tags: 'a' }, /- tags: use a list of tags, or a function/],
    [
      { statuses: [503], shared: 1 },
      /2 problems:\n {2}- shared: use true [^]*- statuses\.0: use a whole number/,
    ],
    [{ policy: 5 }, /- policy: use the name of a policy/],
  ])('refuses %p for a page at the start, naming the route and the option', async (options, message) => {
    @Controller()
    class Wrong {
      @Get() @CachePage('1m', options) get() {}
    }
    const module = Test.createTestingModule({ imports: [CachingModule.forRoot()], controllers: [Wrong] });
    const start = module.compile();
    await expect(start).rejects.toThrow(InvalidDecorationError);
    await expect(start).rejects.toThrow(/^The options of @CachePage on Wrong\.get have /);
    await expect(start).rejects.toThrow(message);
  });

  it('warns once at the start of each shared backend without a keyPrefix', async () => {
    const url = 'memcached://127.0.0.1:1';
    const caches = { default: {}, reports: { url }, prefixed: { url, keyPrefix: 'shop' } };
    const lines = await linesOf(async () => void (await compile(CachingModule.forRoot({ caches }))));
    expect(lines.filter((line) => line.includes('keyPrefix'))).toEqual([
      expect.stringMatching(/^Cache "reports" has no keyPrefix and its backend \(memcached\) may be shared/),
    ]);
  });

  it('closes its caches when the application shuts down', async () => {
    const app = await compile(CachingModule.forRoot({ caches: { default: {}, reports: {} } }));
    const { cache } = app.get(Reader, { strict: false });
    await app.close();
    await expect(cache.get('k')).rejects.toThrow(CacheClosedError);
  });
});
