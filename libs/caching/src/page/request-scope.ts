import type { Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/**
 * Whether a controller is made anew for each request, or for each tenant: it, a provider, a guard, a pipe or an
 * interceptor of it is request-scoped or durable. What those read of the request, they read in constructors, before any
 * watch begins. To be asked from the first request on: Nest remembers the answer, and before that it may be wrong.
 */
export function isRequestScoped(modules: ModulesContainer, controller: Type): boolean {
  return [...modules.values()].some((module) => {
    const wrapper = module.controllers.get(controller);
    return wrapper !== undefined && !wrapper.isDependencyTreeStatic();
  });
}
