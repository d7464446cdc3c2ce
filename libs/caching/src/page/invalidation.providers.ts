import type { Provider } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import { DeclaredInvalidations } from './declared-invalidations.js';
import { PageCache } from './page-cache.service.js';
import { PageExplainer } from './page-explainer.js';
import { PageInvalidations } from './page-invalidations.js';
import { PageInvalidator } from './page-invalidator.js';
import { PageRoutes } from './page-routes.js';
import { PageTargets } from './page-targets.js';
import { RoutePatterns } from './route-patterns.js';

/** All that invalidates pages. */
export const invalidationProviders: readonly Provider[] = [
  {
    provide: RoutePatterns,
    useFactory: (modules: ModulesContainer, config: ApplicationConfig, routes: PageRoutes) =>
      new RoutePatterns(modules, config, routes),
    inject: [ModulesContainer, ApplicationConfig, PageRoutes],
  },
  {
    provide: PageInvalidations,
    useFactory: (routes: PageRoutes) => new PageInvalidations(routes),
    inject: [PageRoutes],
  },
  {
    provide: PageCache,
    useFactory: (patterns: RoutePatterns, invalidations: PageInvalidations, explainer: PageExplainer) =>
      new PageCache(new PageTargets(patterns), invalidations, explainer),
    inject: [RoutePatterns, PageInvalidations, PageExplainer],
  },
  {
    provide: PageInvalidator,
    useFactory: (patterns: RoutePatterns, invalidations: PageInvalidations) =>
      new PageInvalidator(new DeclaredInvalidations(patterns, new PageTargets(patterns)), invalidations),
    inject: [RoutePatterns, PageInvalidations],
  },
];
