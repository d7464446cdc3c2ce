import { RequestMethod, type Type, type VersioningOptions } from '@nestjs/common';
import { type ApplicationConfig, MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { LegacyRouteConverter } from '@nestjs/core/internal';
import { PathsExplorer, type RouteDefinition } from '@nestjs/core/router/paths-explorer.js';
import { RoutePathFactory } from '@nestjs/core/router/route-path-factory.js';
import { NEST_METADATA } from './nest-metadata.js';
import type { PageRoute } from './page-route.js';
import type { PageRoutes } from './page-routes.js';
import { PathPattern } from './path-pattern.js';

/** A handler of a registered controller. */
export interface MappedHandler {
  readonly controller: Type;
  readonly method: string;
  readonly handler: Handler;
}

/** A handler, and the paths where it is reached. */
export interface MappedRoute extends MappedHandler {
  /** How it is cached; `null` if it is not. */
  readonly page: PageRoute | null;
  readonly patterns: readonly PathPattern[];
}

/** The request methods whose handlers make pages. */
const PAGE_METHODS: readonly RequestMethod[] = [RequestMethod.GET, RequestMethod.ALL];

/**
 * The patterns of the paths where handlers are reached, by Nest's own rules: global prefix and its exclusions, paths of
 * modules, several paths of a controller or a method, versions in the path. They are worked out when they are asked for,
 * because prefix and versioning are set after modules are made.
 */
export class RoutePatterns {
  private readonly explorer = new PathsExplorer(new MetadataScanner());
  private mapped: { readonly routes: readonly MappedRoute[]; readonly under: Surroundings } | undefined;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly config: ApplicationConfig,
    private readonly pages: PageRoutes,
  ) {}

  /** Every handler of a registered controller, inherited ones included. To be had before there are any paths. */
  get handlers(): readonly MappedHandler[] {
    return [...new Set(this.places(this.surroundings).map(({ controller }) => controller))].flatMap(
      (controller) => this.handlersOf(controller),
    );
  }

  /** Every route of the application. */
  get all(): readonly MappedRoute[] {
    const under = this.surroundings;
    const { mapped } = this;
    if (
      mapped?.under.globalPrefix === under.globalPrefix &&
      mapped.under.versioningOptions === under.versioningOptions
    ) {
      return mapped.routes;
    }
    const routes = this.map(under);
    this.mapped = { routes, under };
    return routes;
  }

  /** The routes that are cached. */
  get cached(): readonly (MappedRoute & { readonly page: PageRoute })[] {
    return this.all.filter((route): route is MappedRoute & { page: PageRoute } => route.page !== null);
  }

  /** The route of a method; `undefined` if its controller is not registered, or the method is no route. */
  find(controller: Type, method: string): MappedRoute | undefined {
    return this.all.find((route) => route.controller === controller && route.method === method);
  }

  private get surroundings(): Surroundings {
    return {
      globalPrefix: withLeadingSlash(this.config.getGlobalPrefix()),
      versioningOptions: this.config.getVersioning()!,
    };
  }

  private map(under: Surroundings): readonly MappedRoute[] {
    const factory = new RoutePathFactory(this.config);
    const routes = new Map<Handler, Map<Type, MappedRoute>>();
    for (const { controller, ...place } of this.places(under)) {
      for (const { requestMethod, version, path, ...mapped } of this.handlersOf(controller)) {
        const paths = path.flatMap((methodPath) =>
          factory.create({ ...place, methodPath, methodVersion: version! }, requestMethod),
        );
        const ofHandler = routes.get(mapped.handler) ?? new Map<Type, MappedRoute>();
        routes.set(mapped.handler, ofHandler);
        ofHandler.set(controller, {
          ...mapped,
          page: PAGE_METHODS.includes(requestMethod) ? this.pages.find(mapped.handler, controller) : null,
          patterns: [...(ofHandler.get(controller)?.patterns ?? []), ...paths.map(patternOf)],
        });
      }
    }
    return [...routes.values()].flatMap((ofHandler) => [...ofHandler.values()]);
  }

  private handlersOf(controller: Type): (MappedHandler & Definition)[] {
    const prototype = controller.prototype as Record<string, Handler>;
    return this.explorer
      .scanForPaths(prototype, prototype)
      .map(({ methodName, requestMethod, version, path }) => ({
        controller,
        method: methodName,
        handler: prototype[methodName]!,
        requestMethod,
        version,
        path,
      }));
  }

  /** Each path of each controller in each module that has it, with all that stands before and around it. */
  private places(under: Surroundings): (Place & { readonly controller: Type })[] {
    return [...this.modules.values()].flatMap((module) =>
      [...module.controllers.values()].flatMap(({ metatype }) => {
        const controller = metatype as Type;
        return pathsOf(controller).map((ctrlPath) => ({
          ...under,
          controller,
          ctrlPath,
          modulePath: this.pathOf(module.metatype)!,
          controllerVersion: versionOf(controller, under.versioningOptions)!,
        }));
      }),
    );
  }

  /** The path that `RouterModule` gave a module. */
  private pathOf(module: object): string | undefined {
    const own: unknown = Reflect.getMetadata(
      `${NEST_METADATA.modulePath}${this.modules.applicationId}`,
      module,
    );
    return (own ?? Reflect.getMetadata(NEST_METADATA.modulePath, module)) as string | undefined;
  }
}

/** To Nest absent is `undefined`, whatever its types say. */
type Place = Omit<Parameters<RoutePathFactory['create']>[0], 'methodPath' | 'methodVersion'>;
/** What is set for the whole application, after its modules are made. */
type Surroundings = Required<Pick<Place, 'globalPrefix' | 'versioningOptions'>>;
type Definition = Pick<RouteDefinition, 'requestMethod' | 'path'> & {
  readonly version: RouteDefinition['version'] | undefined;
};

/** As Nest hands it out. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
type Handler = Function;

/** The paths of a controller. */
function pathsOf(controller: Type): readonly string[] {
  const path = Reflect.getMetadata(NEST_METADATA.path, controller) as string | readonly string[];
  return [path].flat().map(withLeadingSlash);
}

function versionOf(
  controller: Type,
  versioning: VersioningOptions | undefined,
): Place['controllerVersion'] | undefined {
  if (versioning === undefined) return undefined;
  return (Reflect.getMetadata(NEST_METADATA.version, controller) ??
    versioning.defaultVersion) as Place['controllerVersion'];
}

function withLeadingSlash(path: string): string {
  return path === '' || path.startsWith('/') || path.startsWith('{/') ? path : `/${path}`;
}

/** Nest goes on taking the wildcards of old. */
function patternOf(path: string): PathPattern {
  return new PathPattern(LegacyRouteConverter.tryConvert(path, { logs: false }));
}
