import { z } from 'zod';
import { DEFAULT_CACHE } from './caching.constants.js';
import { toMs } from './duration.js';
import { count, duration, ttl, unlessUnknown } from './option-schemas.js';
import type { NamedPagePolicy } from './page/cache-page.options.js';
import { POLICY, tokens } from './page/page-option-schemas.js';

/** How pages are called in `Cache-Status` if the application does not say. */
const OWN_NAME = 'nestjs-caching';

/** The options of `pages`. The only place where their defaults are. */
export const PAGES = z.strictObject(
  {
    cache: z.string('use the name of a cache').default(DEFAULT_CACHE),
    site: ttl.optional(),
    policies: z
      .record(z.string(), POLICY, 'use an object with policies by name')
      .default({})
      .transform((policies) => policies as Readonly<Record<string, NamedPagePolicy>>),
    accessTracking: z.enum(['on', 'off'], "use 'on' or 'off'").default('on'),
    ignoreReads: z.array(z.string('use names'), 'use a list of names of properties or headers').default([]),
    sessionCookies: tokens.default(['connect.sid', 'sessionId']),
    maxBodySize: count(0, 1024 * 1024 * 1024).default(10 * 1024 * 1024),
    maxVariants: count(1, 10_000).default(32),
    flightDeadline: duration(1, 600_000).default('30s').transform(toMs),
    cacheStatus: z
      .union([z.boolean(), z.string().min(1)], 'use true, false, or how this cache is called')
      .default(false)
      .transform((name) => (name === true ? OWN_NAME : name === false ? undefined : name)),
    tagHeader: z
      .enum(['Surrogate-Key', 'Cache-Tag'], "use 'Surrogate-Key' or 'Cache-Tag'")
      .optional()
      .transform((name) => name?.toLowerCase() as 'surrogate-key' | 'cache-tag' | undefined),
  },
  unlessUnknown('use an object with options'),
);

export type ResolvedPagesOptions = z.output<typeof PAGES>;
