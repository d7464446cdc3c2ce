import type { Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { CACHING_OPTIONS } from './caching.constants.js';
import { InvalidOptionsError } from './errors.js';

/**
 * In the place of the options where an application imports CachingModule by its class, which Nest allows. Whatever needs
 * them fails by this, so that the error names the remedy and not a provider of ours.
 */
export const MISSING_OPTIONS: Provider = {
  provide: CACHING_OPTIONS,
  useFactory: refuse,
  inject: [ModulesContainer],
};

type Module = ModulesContainer extends Map<string, infer M> ? M : never;

/** Whether a CachingModule was given options. */
export function hasOptions({ providers }: Module): boolean {
  return providers.get(CACHING_OPTIONS)?.metatype !== refuse;
}

function refuse(modules: ModulesContainer): never {
  const all = [...modules.values()];
  const isBare = (module: Module): boolean => module.providers.has(CACHING_OPTIONS) && !hasOptions(module);
  const importers = all.filter(({ imports }) => [...imports].some(isBare)).map(({ name }) => name);
  throw new InvalidOptionsError([
    {
      path: `imports of ${importers.join(', ')}`,
      message:
        'CachingModule has no options here; import CachingModule.forRoot() in the root module and nothing elsewhere, or with ' +
        '`isGlobal: false` keep what forRoot() answers in a const, and import that const wherever it is needed',
    },
  ]);
}
