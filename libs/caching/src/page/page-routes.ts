import { Injectable, Logger, RequestMethod, type Type } from '@nestjs/common';
import { ModulesContainer, Reflector } from '@nestjs/core';
import { CACHE_PAGE_METADATA } from '../caching.constants.js';
import { CacheRegistry, type OpenCache } from '../cache/cache-registry.js';
import { InvalidDecorationError } from '../errors.js';
import type { ResolvedPagesOptions } from '../resolve-options.js';
import type { CachePageMetadata } from './cache-page.decorator.js';
import { declaredHeaders, declaredVariants } from './header-metadata.js';
import { NEST_METADATA } from './nest-metadata.js';
import { type PageRoute, pageRoute, suspiciousTtl } from './page-route.js';
import { type Handler, PerHandler } from './per-handler.js';
import { isRequestScoped } from './request-scope.js';

/** Of the enumeration `RequestMethod`: the methods whose responses are cached. */
const CACHED_METHODS: readonly unknown[] = [RequestMethod.GET, RequestMethod.ALL];

/** Which routes are cached, and how: the only reader of what `@CachePage` records. */
@Injectable()
export class PageRoutes {
  private readonly known = new PerHandler((handler, controller) => this.read(handler, controller));
  private readonly scoped = new WeakMap<Type, boolean>();
  private readonly logger = new Logger('Caching');

  constructor(
    private readonly modules: ModulesContainer,
    private readonly reflector: Reflector,
    private readonly registry: CacheRegistry,
    private readonly pages: ResolvedPagesOptions,
  ) {}

  /** The cached route of a handler, or `null`. */
  find(handler: Handler, controller: Type): PageRoute | null {
    return this.known.of(handler, controller);
  }

  /**
   * Whether any controller of the application has a cached route. Checks all of them, so that a mistake shows at start.
   *
   * @throws UnknownCacheError, InvalidDecorationError
   */
  inspect(): boolean {
    return this.all().length > 0;
  }

  private read(handler: Handler, controller: Type): PageRoute | null {
    const headers = declaredHeaders(handler, controller);
    const metadata = this.metadataOf(handler, controller);
    if (metadata === undefined || headers.isNeverCached) return null;
    const name = `${controller.name}.${handler.name}`;
    const isOwn = Reflect.hasMetadata(CACHE_PAGE_METADATA, handler);
    if (Reflect.hasMetadata(NEST_METADATA.sse, handler)) {
      if (!isOwn) return null;
      throw new InvalidDecorationError(
        `@CachePage on ${name}: an @Sse route has no end to store. Remove the decorator.`,
      );
    }
    if (isOwn && !CACHED_METHODS.includes(Reflect.getMetadata(NEST_METADATA.method, handler))) {
      throw new InvalidDecorationError(
        `@CachePage on ${name}: the route answers no GET, and pages are made of nothing else. Remove the decorator; ` +
          'on a controller it passes such routes over.',
      );
    }
    const warning = suspiciousTtl(name, metadata.ttl);
    if (warning !== undefined) this.logger.warn(warning);
    const version = JSON.stringify(
      Reflect.getMetadata(NEST_METADATA.version, handler) ??
        Reflect.getMetadata(NEST_METADATA.version, controller) ??
        null,
      (_key, value: unknown) => (typeof value === 'symbol' ? String(value) : value),
    );
    return pageRoute({
      name: `${name}@${version}`,
      metadata,
      policies: this.pages.policies,
      declared: declaredVariants(headers),
      cacheNamed: (cache) => this.registry.get(cache ?? this.pages.cache),
    });
  }

  /** What a decorator says, or for every GET of the application the `site` option. */
  private metadataOf(handler: Handler, controller: Type): CachePageMetadata | undefined {
    const own = this.reflector.getAllAndOverride<CachePageMetadata | undefined>(CACHE_PAGE_METADATA, [
      handler,
      controller,
    ]);
    const { site } = this.pages;
    if (own !== undefined || site === undefined) return own;
    return CACHED_METHODS.includes(Reflect.getMetadata(NEST_METADATA.method, handler))
      ? { ttl: site }
      : undefined;
  }

  /** The caches that keep pages: those of the routes, and the one of the module. */
  caches(): OpenCache[] {
    const routes = this.all().map(({ cache }) => cache);
    return [...new Set([this.registry.get(this.pages.cache), ...routes])];
  }

  /** Whether what a route reads of a request goes partly unseen: to be asked from the first request on. */
  isRequestScoped(controller: Type): boolean {
    let isScoped = this.scoped.get(controller);
    if (isScoped === undefined)
      this.scoped.set(controller, (isScoped = isRequestScoped(this.modules, controller)));
    return isScoped;
  }

  private all(): PageRoute[] {
    return this.controllers().flatMap((controller) =>
      handlersOf(controller).flatMap((handler) => this.find(handler, controller) ?? []),
    );
  }

  private controllers(): Type[] {
    return [...this.modules.values()].flatMap((module) =>
      [...module.controllers.values()].flatMap(({ metatype }) => (metatype ? [metatype as Type] : [])),
    );
  }
}

/** The route handlers of a controller, inherited ones included. */
function handlersOf(controller: Type): Handler[] {
  const handlers = new Map<string, Handler>();
  // The constructor is the controller, which has a path as well.
  const passedOver = (name: string): boolean => name === 'constructor' || handlers.has(name);
  let prototype = controller.prototype as object | null;
  for (
    ;
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (
        passedOver(name) ||
        typeof value !== 'function' ||
        !Reflect.hasMetadata(NEST_METADATA.path, value as object)
      )
        continue;
      handlers.set(name, value as Handler);
    }
  }
  return [...handlers.values()];
}
