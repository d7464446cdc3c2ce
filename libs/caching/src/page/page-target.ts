import type { Type } from '@nestjs/common';
import type { PathParams } from './path-pattern.js';

/** The names of a controller's methods. */
export type MethodOf<C> = {
  [K in keyof C]: C[K] extends (...given: never[]) => unknown ? K : never;
}[keyof C] &
  string;

/**
 * Which pages: of a route, with these parameters or all of them; of a path, whatever query, host and spelling; of all
 * cached routes whose paths may be under a prefix; or with any of these tags. Paths are those that clients see, global
 * prefix and version included.
 */
export type PageTarget<C = unknown> =
  | {
      readonly route: readonly [controller: Type<C>, method: MethodOf<C>];
      /** All that the path of the route needs. Default: every page of the route. */
      readonly params?: PathParams;
    }
  | { readonly path: string }
  | { readonly prefix: string }
  | { readonly tags: readonly string[] };

/** Several targets, each of a controller of its own. */
export type PageTargetList<Cs extends readonly unknown[]> = readonly [
  ...{ readonly [K in keyof Cs]: PageTarget<Cs[K]> },
];

/** A target of `@InvalidatesPages`. */
export type DeclaredPageTarget<C = unknown> = PageTarget<C> & {
  /** Pages with stale windows become stale instead of absent: the next readers may see them once more. Default `false`. */
  readonly soft?: boolean;
};

/** Any target, when it no longer matters which. */
export interface AnyPageTarget {
  readonly route?: readonly [controller: Type, method: string];
  readonly params?: PathParams;
  readonly path?: string;
  readonly prefix?: string;
  readonly tags?: readonly string[];
  readonly soft?: boolean;
}
