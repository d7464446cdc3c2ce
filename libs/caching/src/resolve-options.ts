import { z } from 'zod';
import { escapeSegment } from './cache/keys.js';
import { DEFAULT_CACHE, FRAGMENTS_CACHE } from './caching.constants.js';
import { InvalidOptionsError, type OptionProblem } from './errors.js';
import { reportUnknown } from './option-problems.js';
import { parse, unlessUnknown } from './option-schemas.js';
import { resolveCache, type ResolvedCacheOptions } from './resolve-cache.js';
import { PAGES, type ResolvedPagesOptions } from './resolve-pages.js';

export type { ResolvedCacheOptions } from './resolve-cache.js';
export type { ResolvedPagesOptions } from './resolve-pages.js';

const FRAGMENTS = z.strictObject(
  {
    cache: z.string('use the name of a cache').optional(),
    preview: z.boolean('use true or false').default(false),
  },
  unlessUnknown('use an object with options'),
);

export interface ResolvedFragmentsOptions {
  readonly cache: string;
  readonly preview: boolean;
}

export interface ResolvedCachingOptions {
  readonly caches: ReadonlyMap<string, ResolvedCacheOptions>;
  readonly pages: ResolvedPagesOptions;
  readonly fragments: ResolvedFragmentsOptions;
}

/**
 * Checks what the application wrote and fills in every default. The only place where defaults are, with `resolve-cache.ts` and
 * `resolve-pages.ts` below it.
 *
 * @throws InvalidOptionsError with every problem at once
 */
export function resolveOptions(options: unknown): ResolvedCachingOptions {
  const problems: OptionProblem[] = [];
  const caches = new Map<string, ResolvedCacheOptions>();
  const { pages, fragments, caches: named, ...single } = asRecord(options, '', problems);
  const wanted = named === undefined ? { [DEFAULT_CACHE]: single } : asRecord(named, 'caches', problems);
  if (named !== undefined) {
    reportUnknown(Object.keys(single), ['caches', 'pages', 'fragments'], '', problems);
    if (wanted[DEFAULT_CACHE] === undefined) {
      problems.push({
        path: 'caches',
        message: 'a cache named "default" is missing; CacheService is that one',
      });
    }
  }
  for (const [cache, given] of Object.entries(wanted)) {
    const path = named === undefined ? '' : `caches.${cache}`;
    if (escapeSegment(cache).length > 64)
      problems.push({ path, message: 'the name of a cache takes at most 64 bytes' });
    const resolved = resolveCache(asRecord(given, path, problems), path, problems);
    if (resolved !== undefined) caches.set(cache, resolved);
  }
  const resolvedPages = parse(PAGES, pages ?? {}, 'pages', problems);
  const { cache = FRAGMENTS_CACHE in wanted ? FRAGMENTS_CACHE : DEFAULT_CACHE, ...fragmentOptions } = parse(
    FRAGMENTS,
    fragments ?? {},
    'fragments',
    problems,
  ) ?? { preview: false };
  checkNamed('pages.cache', resolvedPages?.cache, wanted, problems);
  checkNamed('fragments.cache', cache, wanted, problems);
  if (problems.length > 0 || resolvedPages === undefined) throw new InvalidOptionsError(problems);
  return { caches, pages: resolvedPages, fragments: { cache, ...fragmentOptions } };
}

function checkNamed(
  path: string,
  cache: string | undefined,
  wanted: object,
  problems: OptionProblem[],
): void {
  if (cache === undefined || cache in wanted) return;
  const known = Object.keys(wanted).join(', ');
  problems.push({ path, message: `there is no cache named "${cache}"; known: ${known}` });
}

function asRecord(value: unknown, path: string, problems: OptionProblem[]): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  problems.push({ path, message: 'use an object with options' });
  return {};
}
