import { Injectable, Logger, type Type } from '@nestjs/common';
import { ModulesContainer, Reflector } from '@nestjs/core';
import { CACHE_PAGE_METADATA } from '../caching.constants.js';
import { CacheRegistry, type OpenCache } from '../cache/cache-registry.js';
import { ttlToMs } from '../duration.js';
import { InvalidDecorationError } from '../errors.js';
import type { ResolvedPagesOptions } from '../resolve-options.js';
import type { CachePageMetadata } from './cache-page.decorator.js';

/** A route whose responses are cached. */
export interface PageRoute {
  /** Controller, method and API version: what keeps two handlers on one path apart. */
  readonly name: string;
  readonly cache: OpenCache;
  readonly ttlMs: number | null;
  readonly statuses: readonly number[];
  /** Request headers that are part of the key, so that a `Vary` on them is no obstacle. */
  readonly keyedHeaders: readonly string[];
}

/** As Nest hands it out. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
type Handler = Function;

/** Metadata keys of Nest. */
const VERSION = '__version__';
const SSE = '__sse__';
const PATH = 'path';

/** Under this, a number was probably meant as seconds, as in Django. */
const SUSPICIOUS_TTL = 1000;

/** Which routes are cached, and how: the only reader of what `@CachePage` records. */
@Injectable()
export class PageRoutes {
  private readonly known = new WeakMap<Handler, WeakMap<Type, PageRoute | null>>();
  private readonly logger = new Logger('Caching');

  constructor(
    private readonly modules: ModulesContainer,
    private readonly reflector: Reflector,
    private readonly registry: CacheRegistry,
    private readonly pages: ResolvedPagesOptions,
  ) {}

  /** The cached route of a handler, or `null`. */
  find(handler: Handler, controller: Type): PageRoute | null {
    let ofHandler = this.known.get(handler);
    if (ofHandler === undefined) this.known.set(handler, (ofHandler = new WeakMap()));
    let route = ofHandler.get(controller);
    if (route === undefined) ofHandler.set(controller, (route = this.read(handler, controller)));
    return route;
  }

  /**
   * Whether any controller of the application has a cached route. Checks all of them, so that a mistake shows at start.
   *
   * @throws UnknownCacheError, InvalidDecorationError
   */
  inspect(): boolean {
    const routes = this.controllers().flatMap((controller) =>
      handlersOf(controller).map((handler) => this.find(handler, controller)),
    );
    return routes.some((route) => route !== null);
  }

  private read(handler: Handler, controller: Type): PageRoute | null {
    const page = this.reflector.getAllAndOverride<CachePageMetadata | undefined>(CACHE_PAGE_METADATA, [
      handler,
      controller,
    ]);
    if (page === undefined) return null;
    const name = `${controller.name}.${handler.name}`;
    if (Reflect.hasMetadata(SSE, handler)) {
      if (!Reflect.hasMetadata(CACHE_PAGE_METADATA, handler)) return null;
      throw new InvalidDecorationError(
        `@CachePage on ${name}: an @Sse route has no end to store. Remove the decorator.`,
      );
    }
    if (typeof page.ttl === 'number' && page.ttl > 0 && page.ttl < SUSPICIOUS_TTL) {
      this.logger.warn(
        `@CachePage(${page.ttl}) on ${name} means ${page.ttl} milliseconds; did you mean '${page.ttl}s'?`,
      );
    }
    const version = JSON.stringify(
      Reflect.getMetadata(VERSION, handler) ?? Reflect.getMetadata(VERSION, controller) ?? null,
      (_key, value: unknown) => (typeof value === 'symbol' ? String(value) : value),
    );
    const statuses = page.statuses ?? [200];
    return {
      name: `${name}@${version}`,
      cache: this.registry.get(page.cache ?? this.pages.cache),
      ttlMs: ttlToMs(page.ttl),
      statuses,
      // Express words the body of a redirect by what the client accepts, and says so in `Vary`.
      keyedHeaders: statuses.some((status) => status >= 300 && status < 400) ? ['accept'] : [],
    };
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
  let prototype = controller.prototype as object | null;
  for (
    ;
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof value !== 'function' || handlers.has(name) || !Reflect.hasMetadata(PATH, value as object))
        continue;
      handlers.set(name, value as Handler);
    }
  }
  return [...handlers.values()];
}
