import { INVALIDATES_PAGES_METADATA } from '../caching.constants.js';
import { InvalidDecorationError } from '../errors.js';
import type { ConditionRequest } from './condition.js';
import { decoratedSubject } from './decorated-subject.js';
import type { AnyPageTarget, DeclaredPageTarget } from './page-target.js';

/** What requests have in common on Express and Fastify; name your platform's own type where you need more. */
export interface InvalidatingRequest extends ConditionRequest {
  readonly body: unknown;
}

/** Several targets, each of a controller of its own. */
type DeclaredPageTargetList<Cs extends readonly unknown[]> = readonly [
  ...{ readonly [K in keyof Cs]: DeclaredPageTarget<Cs[K]> },
];

/** What one decorator records: targets that are known beforehand, or what finds them. */
export type DeclaredTargets =
  | readonly AnyPageTarget[]
  | ((request: object, result: unknown) => AnyPageTarget | readonly AnyPageTarget[] | undefined);

/**
 * A successful answer of this route (2xx or 3xx) makes these pages absent, in every process, before it is sent: who has the
 * answer no longer sees them. On a method it counts for whatever request method the route has, on a controller for its
 * unsafe ones (not GET, HEAD, OPTIONS and TRACE); several add up. The pages of an unsafe request's own path are
 * invalidated without it.
 *
 * `result` is what the route's Observable emitted last, interceptors included; `undefined` if the handler sent the answer
 * itself. A function that throws is logged, once for each route, and the answer stands.
 *
 * @throws InvalidPageTargetError when the application starts
 *
 * @example
 * @Post() @InvalidatesPages({ prefix: '/products' }, { tags: ['prices'] }) create() {}
 * @Patch(':id') @InvalidatesPages(({ params }) => ({ route: [ShopController, 'product'], params: { id: params['id']! } })) change() {}
 */
export function InvalidatesPages<Cs extends readonly unknown[]>(
  ...targets: DeclaredPageTargetList<Cs>
): MethodDecorator & ClassDecorator;
export function InvalidatesPages<
  R = InvalidatingRequest,
  T = unknown,
  C = unknown,
  const Cs extends readonly unknown[] = readonly unknown[],
>(
  targets: (request: R, result: T) => DeclaredPageTarget<C> | DeclaredPageTargetList<Cs> | undefined,
): MethodDecorator & ClassDecorator;
export function InvalidatesPages(
  ...given: readonly AnyPageTarget[] | readonly [(request: never, result: never) => unknown]
): MethodDecorator & ClassDecorator {
  const [first] = given;
  if (first === undefined) {
    throw new InvalidDecorationError(
      '@InvalidatesPages names pages: @InvalidatesPages({ path: "/products" }). The own path of an unsafe request needs no decorator.',
    );
  }
  const targets = (typeof first === 'function' ? first : given) as DeclaredTargets;
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    const subject = decoratedSubject('InvalidatesPages', target, key, descriptor);
    const sum = [targets, ...declaredTargets(subject)];
    Reflect.defineMetadata(INVALIDATES_PAGES_METADATA, sum, subject);
  };
}

/** What the decorators of one method or one class record, those of its base class included. */
export function declaredTargets(subject: object): readonly DeclaredTargets[] {
  return (
    (Reflect.getMetadata(INVALIDATES_PAGES_METADATA, subject) as readonly DeclaredTargets[] | undefined) ?? []
  );
}
