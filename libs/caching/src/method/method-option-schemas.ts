import { z } from 'zod';
import type { OptionProblem } from '../errors.js';
import { refuseDecoration } from '../option-problems.js';
import { called, count, parse, unlessUnknown } from '../option-schemas.js';
import type {
  CachedManyOptions,
  CachedOptions,
  CacheEvictOptions,
  CachePutOptions,
} from './method-options.js';

const TAGS = 'use a list of tags, or a function of the arguments';

const ofArguments = called('use a function of the arguments').optional();
const ofResult = called('use a function of the result and the arguments').optional();
const flag = z.boolean('use true or false').optional();
/** What its owner refuses with an error of its own: durations, names of keys, single tags. */
const elsewhere = z.unknown().optional();

const PLACED = {
  cache: z.string('use the name of a cache').optional(),
  version: count(0, Number.MAX_SAFE_INTEGER).optional(),
  condition: ofArguments,
  name: elsewhere,
  key: ofArguments,
  tags: z.union([called(TAGS), z.array(elsewhere)], TAGS).optional(),
  resultTags: ofResult,
};
const STORED = {
  ...PLACED,
  unless: ofResult,
  ttl: elsewhere,
  staleWhileRevalidate: elsewhere,
  staleIfError: elsewhere,
};
const LOADED = {
  ...STORED,
  timeout: elsewhere,
  softTimeout: elsewhere,
  errorTtl: elsewhere,
  whenAbandoned: z.enum(['finish', 'abort'], "use 'finish' or 'abort'").optional(),
  copy: flag,
} satisfies Record<keyof CachedOptions, z.ZodType>;

const anObject = unlessUnknown('use an object with options');

/** What the decorators take, each by its name. */
const OPTIONS = {
  Cached: z.strictObject(LOADED, anObject),
  CachedMany: z.strictObject(
    {
      ...LOADED,
      answers: z.enum(['map', 'array'], "use 'map' or 'array'").optional(),
    } satisfies Record<keyof CachedManyOptions, z.ZodType>,
    anObject,
  ),
  CachePut: z.strictObject(
    { ...STORED, resultKey: ofResult } satisfies Record<keyof CachePutOptions, z.ZodType>,
    anObject,
  ),
  CacheEvict: z.strictObject(
    { ...PLACED, soft: flag, all: flag, always: flag } satisfies Record<keyof CacheEvictOptions, z.ZodType>,
    anObject,
  ),
};

/** @throws InvalidDecorationError for options that the decorator does not know, and for those of another kind */
export function assertMethodOptions(decorator: keyof typeof OPTIONS, options: unknown): void {
  const problems: OptionProblem[] = [];
  parse(OPTIONS[decorator], options, '', problems);
  refuseDecoration(`@${decorator}`, problems);
}
