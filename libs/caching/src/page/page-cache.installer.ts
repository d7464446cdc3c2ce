import { Injectable, Logger } from '@nestjs/common';
import { ApplicationConfig, type HttpAdapterHost } from '@nestjs/core';
import type { Server } from 'node:http';
import type { Clock } from '../clock.js';
import type { ResolvedPagesOptions } from '../resolve-options.js';
import { type FastifyHooks, installHooks } from './fastify-hooks.js';
import { PageCacheInterceptor, type PageRefresh } from './page-cache.interceptor.js';
import type { PageExplainer } from './page-explainer.js';
import type { PageInvalidator } from './page-invalidator.js';
import { PageRoutes } from './page-routes.js';
import { PageWarnings } from './page-warnings.js';
import { ReDispatch } from './re-dispatch.js';
import type { Refusals } from './refusals.js';

/**
 * Puts the interceptor where it must be: outside every other, however the application adds those. Routes are registered
 * before `onModuleInit`, so the constructor of a provider is the place. An application without a page decorator gets
 * nothing, since even an idle interceptor slows every route of it down.
 */
@Injectable()
export class PageCacheInstaller {
  /** `undefined` in an application without a cached route. */
  readonly interceptor: PageCacheInterceptor | undefined;
  private readonly reDispatch: ReDispatch<PageRefresh>;

  constructor(
    config: ApplicationConfig,
    routes: PageRoutes,
    pages: ResolvedPagesOptions,
    clock: Clock,
    invalidator: PageInvalidator,
    refusals: Refusals,
    private readonly explainer: PageExplainer,
  ) {
    this.reDispatch = new ReDispatch(clock);
    const interceptors = config.getGlobalInterceptors();
    if (!routes.inspect()) {
      // The pages may be those of other applications on the same cache.
      if (invalidator.isDeclared) interceptors.unshift(invalidator);
      return;
    }
    const logger = new Logger('Caching');
    const warnings = new PageWarnings((message) => logger.warn(message));
    this.interceptor = new PageCacheInterceptor(
      routes,
      pages,
      this.reDispatch,
      refusals,
      warnings,
      invalidator,
      explainer,
    );
    interceptors.unshift(this.interceptor);
  }

  /** Hooks into the platform; called when the adapter is there and the routes are not. */
  configure({ httpAdapter }: HttpAdapterHost): void {
    if (this.interceptor === undefined || !httpAdapter) return;
    const server = httpAdapter.getHttpServer() as Server;
    this.reDispatch.attach(server);
    this.explainer.attach(server);
    if (httpAdapter.getType() === 'fastify') installHooks(httpAdapter.getInstance<FastifyHooks>());
  }
}
