import { describe, expect, it } from '@jest/globals';
import { Cache as CacheToken, CACHE_MANAGER, CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import { Inject, Injectable, Module } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import type { Cache } from 'cache-manager';
import { CacheService, CachingModule, InvalidDurationError, UnknownCacheError } from 'nestjs-caching';
import { CacheManagerModule, getCacheManagerToken, InjectCacheManager } from 'nestjs-caching/compat';

@Injectable()
class Reader {
  constructor(
    @Inject(CACHE_MANAGER) readonly byToken: Cache,
    readonly byClass: CacheToken,
    readonly service: CacheService,
  ) {}
}

@Injectable()
class ManagerReader {
  constructor(@Inject(CACHE_MANAGER) readonly cache: Cache) {}
}

@Injectable()
class ReportsReader {
  constructor(@InjectCacheManager('reports') readonly reports: Cache) {}
}

/** How an interceptor of the application's gets another cache. */
@Injectable()
class ReportsInterceptor extends CacheInterceptor {
  constructor(@InjectCacheManager('reports') cache: unknown, reflector: Reflector) {
    super(cache, reflector);
  }
}

const open = async (imports: NonNullable<Parameters<typeof Test.createTestingModule>[0]['imports']>) =>
  (await Test.createTestingModule({ imports }).compile()).init();

describe('CacheManagerModule', () => {
  @Module({ providers: [Reader], exports: [Reader] })
  class FeatureModule {}

  it('gives every module the default cache, by token and by class', async () => {
    const app = await open([FeatureModule, CachingModule.forRoot(), CacheManagerModule.forRoot()]);
    const { byToken, byClass, service } = app.get(Reader, { strict: false });
    expect(byClass).toBe(byToken);
    await byToken.set('a', 1);
    expect(await service.get('a')).toBe(1);
    await app.close();
  });

  it('gives the named caches it was told of', async () => {
    @Module({ providers: [ReportsReader, ReportsInterceptor], exports: [ReportsReader] })
    class ReportsModule {}
    const app = await open([
      CachingModule.forRoot({ caches: { default: {}, reports: {} } }),
      CacheManagerModule.forRoot({ caches: ['reports'] }),
      ReportsModule,
    ]);
    const { reports } = app.get(ReportsReader, { strict: false });
    await reports.set('a', 1);
    expect([reports.cacheId(), getCacheManagerToken('reports')]).toEqual([
      'reports',
      'CACHE_MANAGER:reports',
    ]);
    expect(await app.get<Cache>(CACHE_MANAGER, { strict: false }).get('a')).toBeUndefined();
    expect(app.get(ReportsInterceptor, { strict: false })).toHaveProperty('cacheManager', reports);
    await app.close();
  });

  it('refuses to start with a cache that is not configured', async () => {
    const late = open([CachingModule.forRoot(), CacheManagerModule.forRoot({ caches: ['reports'] })]);
    await expect(late).rejects.toThrow(UnknownCacheError);
    expect(() => CacheManagerModule.forRoot({ refreshThreshold: 'soon' as never })).toThrow(
      InvalidDurationError,
    );
  });

  it('passes its refreshThreshold on', async () => {
    const app = await open([CachingModule.forRoot(), CacheManagerModule.forRoot({ refreshThreshold: '1d' })]);
    const cache = app.get<Cache>(CACHE_MANAGER, { strict: false });
    const refreshed = new Promise((resolve) => cache.on('refresh', resolve));
    await cache.wrap('a', () => 1, 60_000);
    await cache.wrap('a', () => 2, 60_000);
    expect(await refreshed).toEqual({ key: 'a', value: 2 });
    await app.close();
  });

  it('stays with its importers when it is not global, as CachingModule may', async () => {
    const caching = CachingModule.forRoot({ isGlobal: false });
    const manager = CacheManagerModule.forRoot({ isGlobal: false, imports: [caching] });
    @Module({ imports: [caching, manager], providers: [Reader], exports: [Reader] })
    class LocalModule {}
    const app = await open([LocalModule]);
    expect(app.get(Reader, { strict: false }).byToken.cacheId()).toBe('default');
    await app.close();
    @Module({ providers: [ManagerReader] })
    class OtherModule {}
    await expect(open([caching, manager, OtherModule])).rejects.toThrow(/CACHE_MANAGER/);
  });

  it('leaves a module that still registers its own CacheModule with that', async () => {
    @Module({ imports: [CacheModule.register()], providers: [Reader], exports: [Reader] })
    class OldModule {}
    const app = await open([CachingModule.forRoot(), CacheManagerModule.forRoot(), OldModule]);
    const { byToken, service } = app.get(Reader, { strict: false });
    await byToken.set('a', 1);
    expect(await service.get('a')).toBeUndefined();
    await app.close();
  });
});
