import type { ModulesContainer } from '@nestjs/core';

type Module = ModulesContainer extends Map<string, infer M> ? M : never;

/** What Nest knows of one thing that it makes or was given. */
export type Wrapper = Module['providers'] extends Map<unknown, infer W> ? W : never;

/** All that the modules of an application hold: providers, controllers, and what their routes bring along. */
export function wrappersIn(modules: ModulesContainer): Wrapper[] {
  return [...modules.values()].flatMap(({ providers, controllers, injectables }) =>
    [providers, controllers, injectables].flatMap((collection) => [...collection.values()]),
  );
}

/** Whether Nest makes the objects itself, of a class that it was given. */
export function isOfClass({ isFactory, metatype }: Wrapper): boolean {
  return !isFactory && typeof metatype === 'function';
}

/**
 * Where the methods are of what is wrapped; `undefined` where there are none. Of what a factory makes it is known once
 * there is one.
 */
export function prototypeOf(wrapper: Wrapper): object | undefined {
  const instance: unknown = wrapper.instance;
  const prototype: unknown = isOfClass(wrapper)
    ? wrapper.metatype?.prototype
    : typeof instance === 'object' && instance !== null
      ? Object.getPrototypeOf(instance)
      : undefined;
  return typeof prototype === 'object' && prototype !== null ? prototype : undefined;
}
