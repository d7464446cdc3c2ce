import {
  type DynamicModule,
  type MiddlewareConsumer,
  Module,
  type NestModule,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import { CACHING_CLOCK, CACHING_OPTIONS, DEFAULT_CACHE, RESOLVED_OPTIONS } from './caching.constants.js';
import type {
  CachingAsyncOptions,
  CachingOptions,
  CachingOptionsFactory,
  GlobalOption,
} from './caching.options.js';
import { CacheRegistry } from './cache/cache-registry.js';
import { getCacheToken } from './cache/inject-cache.decorator.js';
import { withRequestMemo } from './cache/request-memo.js';
import { type Clock, systemClock } from './clock.js';
import { AlreadyConfiguredError, InvalidOptionsError } from './errors.js';
import { DecoratedMethods } from './method/decorated-methods.js';
import { MethodCaches } from './method/method-caches.js';
import { hasOptions, MISSING_OPTIONS } from './missing-options.js';
import { FragmentCache } from './fragment/fragment-cache.service.js';
import { assertOnRoutes } from './page/misplaced-decorators.js';
import { PageCacheInstaller } from './page/page-cache.installer.js';
import { PageCache } from './page/page-cache.service.js';
import { pageProviders } from './page/page.providers.js';
import { type ResolvedCachingOptions, resolveOptions } from './resolve-options.js';

/**
 * Caching for an application: import it once, in the root module.
 *
 * @example
 * CachingModule.forRoot()
 * CachingModule.forRoot({ url: process.env.REDIS_URL, keyPrefix: 'shop', ttl: '5m' })
 */
// What forRoot() brings along takes the place of all this.
@Module(partsOf([DEFAULT_CACHE], [MISSING_OPTIONS]))
export class CachingModule implements NestModule, OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly registry: CacheRegistry,
    private readonly pages: PageCacheInstaller,
    private readonly adapter: HttpAdapterHost,
    private readonly methods: DecoratedMethods,
  ) {
    const instances = [...modules.values()].filter(({ metatype }) => metatype === CachingModule);
    if (instances.filter(hasOptions).length > 1) throw new AlreadyConfiguredError();
  }

  /** @throws InvalidOptionsError with every problem at once */
  static forRoot(options: CachingOptions & GlobalOption = {}): DynamicModule {
    const { isGlobal = true, ...caching } = options;
    const { caches } = resolveOptions(caching);
    return moduleOf(isGlobal, [...caches.keys()], [{ provide: CACHING_OPTIONS, useValue: caching }]);
  }

  /** As {@link forRoot}, with options that are made by a factory or a class. Their problems show when the application starts. */
  static forRootAsync({ isGlobal = true, caches, imports, ...source }: CachingAsyncOptions): DynamicModule {
    const names = [...new Set([DEFAULT_CACHE, ...(caches ?? [])])];
    return { ...moduleOf(isGlobal, names, optionsProviders(source)), imports: imports ?? [] };
  }

  configure(consumer: MiddlewareConsumer): void {
    this.pages.configure(this.adapter);
    if (!this.registry.hasRequestMemo) return;
    consumer
      .apply((_request: unknown, _response: unknown, next: () => void) => withRequestMemo(next))
      .forRoutes('{*path}');
  }

  onModuleInit(): void {
    this.methods.inspect();
    assertOnRoutes(this.modules);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.registry.close();
  }
}

function moduleOf(isGlobal: boolean, caches: readonly string[], options: Provider[]): DynamicModule {
  return { module: CachingModule, global: isGlobal, ...partsOf(caches, options) };
}

function partsOf(caches: readonly string[], options: Provider[]) {
  return {
    providers: [...options, ...providers(caches)],
    exports: [
      CacheRegistry,
      FragmentCache,
      PageCache,
      MethodCaches,
      ...caches.map((name) => getCacheToken(name)),
    ],
  };
}

/** Where both ways of configuring end. */
function providers(caches: readonly string[]): Provider[] {
  return [
    { provide: RESOLVED_OPTIONS, useFactory: resolveOptions, inject: [CACHING_OPTIONS] },
    { provide: CACHING_CLOCK, useValue: systemClock },
    {
      provide: CacheRegistry,
      useFactory: async (resolved: ResolvedCachingOptions, clock: Clock) => {
        assertNamed(resolved, caches);
        return CacheRegistry.open(resolved, clock);
      },
      inject: [RESOLVED_OPTIONS, CACHING_CLOCK],
    },
    ...caches.map((name) => ({
      provide: getCacheToken(name),
      useFactory: (registry: CacheRegistry) => registry.get(name).service,
      inject: [CacheRegistry],
    })),
    {
      provide: FragmentCache,
      useFactory: (registry: CacheRegistry, resolved: ResolvedCachingOptions) =>
        new FragmentCache(registry, resolved.fragments),
      inject: [CacheRegistry, RESOLVED_OPTIONS],
    },
    {
      provide: MethodCaches,
      useFactory: (registry: CacheRegistry) => new MethodCaches(registry),
      inject: [CacheRegistry],
    },
    {
      provide: DecoratedMethods,
      useFactory: (modules: ModulesContainer, methods: MethodCaches) =>
        new DecoratedMethods(modules, methods),
      inject: [ModulesContainer, MethodCaches],
    },
    ...pageProviders,
  ];
}

/** With `forRootAsync` the names are given twice, since tokens must exist before the options do. */
function assertNamed({ caches }: ResolvedCachingOptions, names: readonly string[]): void {
  const missing = [...caches.keys()].filter((name) => !names.includes(name));
  if (missing.length === 0) return;
  const list = [...caches.keys()].map((name) => `'${name}'`).join(', ');
  throw new InvalidOptionsError([
    {
      path: 'caches',
      message: `forRootAsync() must name them beforehand: forRootAsync({ caches: [${list}], … })`,
    },
  ]);
}

function optionsProviders({
  useFactory,
  useClass,
  useExisting,
  inject,
}: Pick<CachingAsyncOptions, 'useFactory' | 'useClass' | 'useExisting' | 'inject'>): Provider[] {
  if (useFactory !== undefined) return [{ provide: CACHING_OPTIONS, useFactory, inject: inject ?? [] }];
  const source = useExisting ?? useClass;
  if (source === undefined) {
    throw new InvalidOptionsError([
      { path: '', message: 'forRootAsync() needs useFactory, useClass or useExisting' },
    ]);
  }
  const create: Provider = {
    provide: CACHING_OPTIONS,
    useFactory: createOptions,
    inject: [source],
  };
  return useExisting === undefined && useClass !== undefined
    ? [{ provide: useClass, useClass }, create]
    : [create];
}

/** What the source of `useClass` or `useExisting` answers. A token or a cast may name something else. */
function createOptions(source: Partial<CachingOptionsFactory> | null | undefined): unknown {
  if (typeof source?.createCachingOptions === 'function') return source.createCachingOptions();
  throw new InvalidOptionsError([
    {
      path: '',
      message:
        'what useClass or useExisting names has no method createCachingOptions(); let it implement CachingOptionsFactory',
    },
  ]);
}
