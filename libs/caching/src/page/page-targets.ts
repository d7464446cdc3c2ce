import { checkedTags } from '../cache/tags.js';
import { InvalidPageTargetError } from '../errors.js';
import { pathTag, routeTag } from './page-tags.js';
import type { AnyPageTarget } from './page-target.js';
import type { PathParams } from './path-pattern.js';
import type { MappedRoute, RoutePatterns } from './route-patterns.js';

/** The tags of the pages that are meant. */
export interface TargetTags {
  /** Tags that a page has before its handler begins: no page has one of which there is no record. */
  readonly builtIn: readonly string[];
  /** Tags of the application, which a page may learn from its result. */
  readonly own: readonly string[];
}

/** Finds the tags of the pages that a target means. */
export class PageTargets {
  constructor(private readonly patterns: RoutePatterns) {}

  /** @throws InvalidPageTargetError, InvalidArgumentError */
  tagsOf(targets: readonly AnyPageTarget[]): TargetTags {
    return allTags(targets.map((target) => this.tagsOfOne(target)));
  }

  private tagsOfOne(target: AnyPageTarget): TargetTags {
    const { route, params, path, prefix, tags } = shaped(target);
    if (tags !== undefined) return { builtIn: [], own: checkedTags(tags) };
    if (path !== undefined) return builtIn([pathTag(checkedPath('path', path))]);
    if (prefix !== undefined) return builtIn(this.routesUnder(checkedPath('prefix', prefix)));
    return builtIn(this.tagsOfRoute(route!, params));
  }

  private tagsOfRoute(
    [controller, method]: NonNullable<AnyPageTarget['route']>,
    params: PathParams | undefined,
  ): string[] {
    const name = `${controller.name}.${method}`;
    const route = this.patterns.find(controller, method);
    if (route === undefined) {
      throw new InvalidPageTargetError(
        `${name} is no route of this application: its controller is not registered in a module, or the method has no ` +
          '@Get(). For pages of another application on the same cache use { path } or { tags }.',
      );
    }
    if (route.page === null) {
      throw new InvalidPageTargetError(
        `${name} is not cached: no @CachePage on the method or its controller, or it is no GET. There is nothing to ` +
          'invalidate.',
      );
    }
    return params === undefined ? [routeTag(route.page.name)] : pathsOf(route, params, name).map(pathTag);
  }

  private routesUnder(prefix: string): string[] {
    const routes = this.patterns.cached.filter(({ patterns }) =>
      patterns.some((pattern) => pattern.mayBeUnder(prefix)),
    );
    if (routes.length === 0) {
      throw new InvalidPageTargetError(
        `No cached route of this application is under the prefix ${text(prefix)}. It is the whole beginning of the path, with ` +
          'the global prefix and the version: { prefix: "/api/v1/products" }.',
      );
    }
    return routes.map(({ page }) => routeTag(page.name));
  }
}

/** Each tag once. */
export function allTags(all: readonly TargetTags[]): TargetTags {
  return {
    builtIn: [...new Set(all.flatMap(({ builtIn }) => builtIn))],
    own: [...new Set(all.flatMap(({ own }) => own))],
  };
}

/** The paths of a route with these parameters. */
function pathsOf({ patterns }: MappedRoute, params: PathParams, name: string): readonly string[] {
  const known = [...new Set(patterns.flatMap(({ names }) => names))];
  const wrong = Object.entries(params).filter(([key, value]) => !known.includes(key) || !isParameter(value));
  const paths = wrong.length === 0 ? patterns.flatMap((pattern) => pattern.pathWith(params) ?? []) : [];
  if (paths.length > 0) return paths;
  if (!patterns.some(({ isUnderstood }) => isUnderstood)) {
    throw new InvalidPageTargetError(
      `The path of ${name} is in a language of its platform's router, so none can be made of parameters. Leave out ` +
        '`params`, for all pages of the route, or use { path }.',
    );
  }
  const names = known.length === 0 ? 'none' : known.map((key) => `\`${key}\``).join(', ');
  throw new InvalidPageTargetError(
    `These are not the parameters of ${name}: it has ${names}. Each is text that is not empty, or a number; that of a ` +
      'wildcard may be a list of segments. Leave out `params` for all pages of the route.',
  );
}

function isParameter(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every(isParameter);
  return typeof value === 'number' || (typeof value === 'string' && value !== '');
}

/** A target with exactly one way of saying which pages. */
function shaped(target: AnyPageTarget): AnyPageTarget {
  const given: AnyPageTarget = Object(target) === target ? target : {};
  const { route, params, path, prefix, tags } = given;
  const ways = [route, path, prefix, tags].filter((way) => way !== undefined).length;
  const isRoute = Array.isArray(route) && typeof route[0] === 'function' && typeof route[1] === 'string';
  if (ways === 1 && (route === undefined ? params === undefined : isRoute)) return given;
  throw new InvalidPageTargetError(
    'Pages are named by one of { route: [Controller, "method"], params? }, { path }, { prefix } and { tags }. A controller ' +
      'that is undefined here is imported in a circle: name it in a function, @InvalidatesPages(() => ({ route: […] })).',
  );
}

function checkedPath(kind: string, path: unknown): string {
  if (typeof path === 'string' && /^(?:\/|[a-z][a-z0-9+.-]*:\/\/)/i.test(path)) return path;
  throw new InvalidPageTargetError(
    `A ${kind} is text that begins with "/", as clients send it, with the global prefix: { ${kind}: "/api/products" }.`,
  );
}

function text(path: string): string {
  return path.length > 80 ? `"${path.slice(0, 80)}…"` : `"${path}"`;
}

function builtIn(tags: readonly string[]): TargetTags {
  return { builtIn: tags, own: [] };
}
