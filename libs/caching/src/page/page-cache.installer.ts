import { Injectable } from '@nestjs/common';
import { ApplicationConfig, type HttpAdapterHost } from '@nestjs/core';
import type { ResolvedPagesOptions } from '../resolve-options.js';
import { type FastifyHooks, installCaptureHook } from './fastify-exchange.js';
import { PageCacheInterceptor } from './page-cache.interceptor.js';
import { PageRoutes } from './page-routes.js';

/**
 * Puts the interceptor where it must be: outside every other, however the application adds those. Routes are registered
 * before `onModuleInit`, so the constructor of a provider is the place. An application without a cached route gets
 * nothing, since even an idle interceptor slows every route of it down.
 */
@Injectable()
export class PageCacheInstaller {
  private readonly isInstalled: boolean;

  constructor(config: ApplicationConfig, routes: PageRoutes, pages: ResolvedPagesOptions) {
    this.isInstalled = routes.inspect();
    if (this.isInstalled)
      config.getGlobalInterceptors().unshift(new PageCacheInterceptor(routes, pages.maxBodySize));
  }

  /** Hooks into the platform; called when the adapter is there and the routes are not. */
  configure({ httpAdapter }: HttpAdapterHost): void {
    if (this.isInstalled && httpAdapter?.getType() === 'fastify') {
      installCaptureHook(httpAdapter.getInstance<FastifyHooks>());
    }
  }
}
