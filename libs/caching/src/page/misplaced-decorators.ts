import { MetadataScanner, type ModulesContainer } from '@nestjs/core';
import { CACHE_PAGE_METADATA, INVALIDATES_PAGES_METADATA } from '../caching.constants.js';
import { InvalidDecorationError } from '../errors.js';
import { prototypeOf, wrappersIn } from '../nest-container.js';
import { NEST_METADATA } from './nest-metadata.js';

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
  const prototypes = wrappersIn(modules).map(prototypeOf);
  for (const prototype of new Set(prototypes)) if (prototype !== undefined) assertOfClass(prototype);
}

function assertOfClass(prototype: object): void {
  const type: unknown = prototype.constructor;
  if (typeof type !== 'function') return;
  const methods = prototype as Readonly<Record<string, object>>;
  const misplaced = scanner
    .getAllMethodNames(prototype)
    .filter((name) => !Reflect.hasMetadata(NEST_METADATA.path, methods[name]!));
  for (const { key, name, remedy } of DECORATORS) {
    const refuse = (place: string, what: string): never => {
      throw new InvalidDecorationError(
        `${name} on ${place}: ${what}, so the decorator would do nothing. ${remedy}`,
      );
    };
    if (Reflect.hasOwnMetadata(key, type) && !Reflect.hasMetadata(NEST_METADATA.controller, type))
      refuse(type.name, 'it is no controller');
    for (const method of misplaced)
      if (Reflect.hasMetadata(key, methods[method]!))
        refuse(`${type.name}.${method}`, 'it is no HTTP route (@Get(), @Post() and the like)');
  }
}
