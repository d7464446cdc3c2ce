import type { Type } from '@nestjs/common';
import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { CACHE_PAGE_METADATA, INVALIDATES_PAGES_METADATA } from '../caching.constants.js';
import { InvalidDecorationError } from '../errors.js';

/** Metadata keys of Nest. */
const CONTROLLER = '__controller__';
const PATH = 'path';

const DECORATORS = [
  {
    key: CACHE_PAGE_METADATA,
    name: '@CachePage',
    remedy: 'Methods of providers, resolvers and message handlers take @Cached.',
  },
  {
    key: INVALIDATES_PAGES_METADATA,
    name: '@InvalidatesPages',
    remedy: 'Call PageCache.invalidate() there.',
  },
] as const;

const scanner = new MetadataScanner();

/**
 * Page decorators on what is no route of a controller would do nothing, silently.
 *
 * @throws InvalidDecorationError
 */
export function assertOnRoutes(modules: ModulesContainer): void {
  for (const { controllers, providers, injectables } of modules.values()) {
    for (const wrapper of [...controllers.values(), ...providers.values(), ...injectables.values()])
      if (!wrapper.isFactory && isClass(wrapper.metatype)) assertOfClass(wrapper.metatype);
  }
}

function assertOfClass(type: Type): void {
  const prototype = type.prototype as Readonly<Record<string, object>>;
  const misplaced = scanner
    .getAllMethodNames(prototype)
    .filter((name) => !Reflect.hasMetadata(PATH, prototype[name]!));
  for (const { key, name, remedy } of DECORATORS) {
    const refuse = (place: string, what: string): never => {
      throw new InvalidDecorationError(
        `${name} on ${place}: ${what}, so the decorator would do nothing. ${remedy}`,
      );
    };
    if (Reflect.hasOwnMetadata(key, type) && !Reflect.hasMetadata(CONTROLLER, type))
      refuse(type.name, 'it is no controller');
    for (const method of misplaced)
      if (Reflect.hasMetadata(key, prototype[method]!))
        refuse(`${type.name}.${method}`, 'it is no HTTP route (@Get(), @Post() and the like)');
  }
}

function isClass(metatype: unknown): metatype is Type {
  return (
    typeof metatype === 'function' && typeof metatype.prototype === 'object' && metatype.prototype !== null
  );
}
