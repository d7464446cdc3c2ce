import { z } from 'zod';
import type { OptionProblem } from '../errors.js';
import { refuseDecoration } from '../option-problems.js';
import { called, count, durationUpTo, parse, ttl, unlessUnknown } from '../option-schemas.js';
import type { CachePageOptions, NamedPagePolicy } from './cache-page.options.js';
import { isToken } from './field-scanner.js';

const YEAR_MS = 365 * 86_400_000;
const NAMES = 'use a list of names of headers or cookies';
const TAGS = 'use a list of tags, or a function';

/** Names of headers or of cookies. */
export const tokens = z.array(z.string(NAMES).refine(isToken, NAMES), NAMES);

const ofRequest = called('use a function of the request').optional();
const parameters = z
  .array(
    z
      .string('use names of query parameters')
      .refine(
        (name) => !/[[\]]/.test(name),
        "use names without brackets: 'filter' stands for 'filter[…]' too",
      ),
    'use a list of names of query parameters',
  )
  .optional();

const POLICY_FIELDS = {
  ttl: ttl.optional(),
  cache: z.string('use the name of a cache').optional(),
  user: ofRequest,
  shared: z.boolean('use true or false').optional(),
  varyOn: ofRequest,
  vary: tokens.optional(),
  tags: z.union([called(TAGS), z.array(z.string())], TAGS).optional(),
  staleWhileRevalidate: durationUpTo(YEAR_MS).optional(),
  staleIfError: durationUpTo(YEAR_MS).optional(),
  clientTtl: durationUpTo(YEAR_MS).optional(),
  statuses: z.array(count(200, 499), 'use a list of statuses from 200 to 499').optional(),
  query: z
    .union(
      [z.literal('raw'), z.strictObject({ only: parameters, ignore: parameters })],
      "use { only: [...] }, { ignore: [...] } or 'raw'",
    )
    .optional(),
  honorNoCache: z.boolean('use true or false').optional(),
} satisfies Record<keyof NamedPagePolicy, z.ZodType>;

/** A policy of `pages.policies`. */
export const POLICY = z.strictObject(
  POLICY_FIELDS,
  unlessUnknown('use an object with the options of a policy'),
);

const PAGE = z.strictObject({ ...POLICY_FIELDS, policy: z.string('use the name of a policy').optional() });

/** @throws InvalidDecorationError, with all that is wrong with what the `@CachePage` of a route says */
export function assertPageOptions(route: string, options: CachePageOptions<never>): void {
  const problems: OptionProblem[] = [];
  parse(PAGE, options, '', problems);
  refuseDecoration(`@CachePage on ${route}`, problems);
}
