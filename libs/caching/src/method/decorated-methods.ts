import type { ModulesContainer } from '@nestjs/core';
import { InvalidDecorationError } from '../errors.js';
import { isOfClass, prototypeOf, type Wrapper, wrappersIn } from '../nest-container.js';
import { connectInstance } from './connect.js';
import { type Decoration, decorationsOf, titleOf } from './decorations.js';
import type { MethodCaches } from './method-caches.js';

/** The decorated methods of an application, looked at when it starts, so that a mistake shows then and not on a call. */
export class DecoratedMethods {
  constructor(
    private readonly modules: ModulesContainer,
    private readonly caches: MethodCaches,
  ) {}

  /** @throws UnknownCacheError, InvalidDecorationError */
  inspect(): void {
    for (const wrapper of wrappersIn(this.modules)) this.inspectOne(wrapper);
  }

  private inspectOne(wrapper: Wrapper): void {
    const instance: unknown = isOfClass(wrapper) ? undefined : wrapper.instance;
    const prototype = prototypeOf(wrapper);
    if (prototype === undefined) return;
    const decorations = decorationsOf(prototype);
    if (decorations.length === 0) return;
    if (Object.isExtensible(instance)) connectInstance(instance as object, this.caches);
    const isRequestScoped = !wrapper.isDependencyTreeStatic();
    for (const decoration of decorations) {
      this.caches.cache(decoration.cache);
      if (decoration.keyedBy !== undefined) this.caches.nameOf(decoration, prototype);
      if (isRequestScoped && decoration.keyedBy === 'arguments') throw requestScoped(decoration);
    }
  }
}

function requestScoped(decoration: Decoration): InvalidDecorationError {
  return new InvalidDecorationError(
    `@${decoration.decorator} on ${titleOf(decoration)}: objects of this class are made for a request, and what the method ` +
      'reads of it would not be in its key, so that others would get the result. Give a `key` with all that it depends on: ' +
      'key: function (this: Reports, id: number) { return [this.tenant.id, id]; }.',
  );
}
