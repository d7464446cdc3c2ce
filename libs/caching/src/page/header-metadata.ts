import type { Type } from '@nestjs/common';
import { HEADERS_METADATA } from '../caching.constants.js';
import type { Directive } from './cache-control.js';
import type { ConditionOptions } from './condition.js';
import type { VariantNames } from './variants.js';

/** What the header decorators of a route say, its controller's included. */
export interface DeclaredHeaders {
  /** `@NeverCache`, on the method or the controller. */
  readonly isNeverCached: boolean;
  /** Directives of `@CacheControl`, those nearest to the method first. */
  readonly cacheControl: readonly (readonly Directive[])[];
  /** Names of `@VaryOn` as they were spelled; `Cookie` for a `@VaryOnCookie` without names. */
  readonly varyOn: readonly string[];
  /** Names of `@VaryOnCookie`. */
  readonly cookies: readonly string[];
  readonly condition: ConditionOptions<never> | undefined;
}

/** As Nest hands it out. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
type Handler = Function;

const NOTHING: DeclaredHeaders = {
  isNeverCached: false,
  cacheControl: [],
  varyOn: [],
  cookies: [],
  condition: undefined,
};

/**
 * The only reader of what the header decorators record. `@NeverCache` counts wherever it stands, what varies adds up, and
 * a method's own `@CacheControl` and `@Condition` win over the controller's.
 */
export function declaredHeaders(handler: Handler, controller: Type): DeclaredHeaders {
  const ofMethod = readDeclared(handler);
  const ofClass = readDeclared(controller);
  if (ofMethod === NOTHING) return ofClass;
  if (ofClass === NOTHING) return ofMethod;
  return {
    isNeverCached: ofMethod.isNeverCached || ofClass.isNeverCached,
    cacheControl: ofMethod.cacheControl.length > 0 ? ofMethod.cacheControl : ofClass.cacheControl,
    varyOn: [...ofClass.varyOn, ...ofMethod.varyOn],
    cookies: [...ofClass.cookies, ...ofMethod.cookies],
    condition: ofMethod.condition ?? ofClass.condition,
  };
}

/** What of a request belongs into the key of a page of this route. */
export function declaredVariants({ varyOn, cookies }: DeclaredHeaders): VariantNames {
  return { headers: [...new Set(varyOn.map((name) => name.toLowerCase()))], cookies: [...new Set(cookies)] };
}

/** What a response of this route says in `Vary`. */
export function declaredVary({ varyOn, cookies }: DeclaredHeaders): readonly string[] {
  return cookies.length > 0 ? [...varyOn, 'Cookie'] : varyOn;
}

/** What one method or one class records, inherited parts included. */
export function readDeclared(subject: object): DeclaredHeaders {
  return (Reflect.getMetadata(HEADERS_METADATA, subject) as DeclaredHeaders | undefined) ?? NOTHING;
}

/** Whether a method or a class, or one that it inherits from, records anything. */
export function hasDeclared(subject: object): boolean {
  return Reflect.hasMetadata(HEADERS_METADATA, subject);
}

/** Adds to what a method or a class records. Decorators run from the method upwards. */
export function addDeclared(subject: object, added: Partial<DeclaredHeaders>): void {
  const declared = readDeclared(subject);
  const sum: DeclaredHeaders = {
    isNeverCached: declared.isNeverCached || added.isNeverCached === true,
    cacheControl: [...declared.cacheControl, ...(added.cacheControl ?? [])],
    varyOn: [...(added.varyOn ?? []), ...declared.varyOn],
    cookies: [...(added.cookies ?? []), ...declared.cookies],
    condition: added.condition ?? declared.condition,
  };
  Reflect.defineMetadata(HEADERS_METADATA, sum, subject);
}
