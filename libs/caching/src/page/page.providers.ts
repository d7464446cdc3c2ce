import type { Provider } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer, Reflector } from '@nestjs/core';
import { CACHING_CLOCK, RESOLVED_OPTIONS } from '../caching.constants.js';
import { CacheRegistry } from '../cache/cache-registry.js';
import type { Clock } from '../clock.js';
import type { ResolvedCachingOptions } from '../resolve-options.js';
import { invalidationProviders } from './invalidation.providers.js';
import { PageCacheInstaller } from './page-cache.installer.js';
import { PageExplainer } from './page-explainer.js';
import { PageInvalidator } from './page-invalidator.js';
import { PageRoutes } from './page-routes.js';
import { Refusals } from './refusals.js';

/** All that keeps pages, invalidates and explains them. */
export const pageProviders: readonly Provider[] = [
  {
    provide: PageRoutes,
    useFactory: (
      modules: ModulesContainer,
      reflector: Reflector,
      registry: CacheRegistry,
      resolved: ResolvedCachingOptions,
    ) => new PageRoutes(modules, reflector, registry, resolved.pages),
    inject: [ModulesContainer, Reflector, CacheRegistry, RESOLVED_OPTIONS],
  },
  { provide: Refusals, useFactory: (clock: Clock) => new Refusals(clock), inject: [CACHING_CLOCK] },
  {
    provide: PageExplainer,
    useFactory: (routes: PageRoutes, resolved: ResolvedCachingOptions, refusals: Refusals, clock: Clock) =>
      new PageExplainer(routes, resolved.pages, refusals, clock),
    inject: [PageRoutes, RESOLVED_OPTIONS, Refusals, CACHING_CLOCK],
  },
  ...invalidationProviders,
  {
    provide: PageCacheInstaller,
    useFactory: (
      config: ApplicationConfig,
      routes: PageRoutes,
      resolved: ResolvedCachingOptions,
      clock: Clock,
      invalidator: PageInvalidator,
      refusals: Refusals,
      explainer: PageExplainer,
    ) => new PageCacheInstaller(config, routes, resolved.pages, clock, invalidator, refusals, explainer),
    inject: [
      ApplicationConfig,
      PageRoutes,
      RESOLVED_OPTIONS,
      CACHING_CLOCK,
      PageInvalidator,
      Refusals,
      PageExplainer,
    ],
  },
];
