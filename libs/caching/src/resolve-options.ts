import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { CacheBackend } from './backends/cache-backend.js';
import type { BackendName } from './backends/backend-registry.js';
import type { ValueConverter } from './cache/converters.js';
import { escapeSegment } from './cache/keys.js';
import { checkInstance, checkOneOf, chooseBackend } from './choose-backend.js';
import { DEFAULT_CACHE, FRAGMENTS_CACHE } from './caching.constants.js';
import { MAX_DURATION_MS, toMs, ttlToMs } from './duration.js';
import { InvalidOptionsError, type OptionProblem } from './errors.js';
import { at, reportUnknown } from './option-problems.js';
import { converters, count, duration, given, givenAs, name, ttl } from './option-schemas.js';
import { PAGES, type ResolvedPagesOptions } from './resolve-pages.js';

export type { ResolvedPagesOptions } from './resolve-pages.js';

const COMMON = {
  ttl: ttl.default('15m'),
  keyPrefix: name(64).default(''),
  version: count(0, Number.MAX_SAFE_INTEGER).default(1),
  classInstances: z.enum(['refuse', 'plain'], "use 'refuse' or 'plain'").default('refuse'),
  converters: converters.default([]),
  onError: z.enum(['throw', 'ignore'], "use 'throw' or 'ignore'").default('throw'),
  maxValueBytes: count(1024, 1024 * 1024 * 1024).default(64 * 1024 * 1024),
  compressAbove: count(0, 1024 * 1024 * 1024)
    .nullable()
    .default(64 * 1024),
  readDeadline: duration(1, 600_000).default('250ms'),
  writeDeadline: duration(1, 600_000).default('1s'),
  closeDeadline: duration(1, 60_000).default('2s'),
  staleWhileRevalidate: duration(0, MAX_DURATION_MS).default(0),
  staleIfError: duration(0, MAX_DURATION_MS).default(0),
  ttlJitter: duration(0, MAX_DURATION_MS).default(0),
  seed: count(0, 0xffff_ffff).optional(),
  errorTtl: duration(0, 3_600_000).default('1s'),
  loadTimeout: duration(1, 3_600_000).default('30s'),
  leaseTtl: duration(50, 600_000).default('10s'),
  maxConcurrentLoads: count(1, 1_000_000).default(1000),
  tagMemo: duration(0, 60_000).default(0),
  requestMemo: z.boolean('use true or false').default(false),
  breaker: z
    .strictObject({ failures: count(1, 10_000).default(5), pause: duration(10, 600_000).default('1s') })
    .prefault({}),
};

/** What each backend takes besides, and its defaults. Durations reach a backend in milliseconds. */
const BACKEND_FIELDS = {
  memory: {
    maxEntries: count(1, 16_777_216).default(100_000),
    maxBytes: count(1024, Number.MAX_SAFE_INTEGER).default(64 * 1024 * 1024),
    sweepInterval: duration(0, 86_400_000).default('30s').transform(toMs),
  },
  file: {
    directory: z.string().refine(isAbsolute, 'use an absolute path').optional(),
    maxEntries: count(1, Number.MAX_SAFE_INTEGER).default(10_000),
    sweepInterval: duration(0, 86_400_000).default('5m').transform(toMs),
  },
  redis: {
    client: given.optional(),
    cluster: given.optional(),
    sentinel: given.optional(),
    tls: given.optional(),
    connectTimeout: duration(1, 60_000).default('2s').transform(toMs),
    socketTimeout: duration(100, 600_000).default('5s').transform(toMs),
  },
  memcached: {
    servers: z.array(z.string()).min(1, 'name at least one server').optional(),
    connectTimeout: duration(1, 60_000).default('2s').transform(toMs),
    socketTimeout: duration(1, 600_000).default('5s').transform(toMs),
    maxItemBytes: count(1024, 1_073_741_824).default(1_048_576),
  },
  database: {
    knex: given.optional(),
    table: z.string('use the name of a table').default('nestjs_cache'),
    createTable: z.boolean('use true or false').default(true),
    maxEntries: count(1, 1_000_000_000).default(100_000),
    maxConnections: count(1, 100).default(10),
    sweepInterval: duration(0, 86_400_000).default('5m').transform(toMs),
    connectTimeout: duration(1, 60_000).default('2s').transform(toMs),
    queryTimeout: duration(1, 600_000).default('5s').transform(toMs),
  },
  keyv: { store: givenAs('give a Keyv instance or a store for one') },
  null: {},
} satisfies Record<BackendName, z.ZodRawShape>;

const FRAGMENTS = z.strictObject({
  cache: z.string('use the name of a cache').optional(),
  preview: z.boolean('use true or false').default(false),
});

/** One cache with nothing left open. */
export interface ResolvedCacheOptions {
  /** A backend of the caller's, or a name with the options that its constructor takes. */
  readonly backend:
    CacheBackend | { readonly name: BackendName; readonly options: Readonly<Record<string, unknown>> };
  /** The names of the options that the application has set. */
  readonly given: ReadonlySet<string>;
  readonly ttlMs: number | null;
  readonly keyPrefix: string;
  readonly version: number;
  readonly classInstances: 'refuse' | 'plain';
  readonly converters: readonly ValueConverter[];
  readonly onError: 'throw' | 'ignore';
  readonly maxValueBytes: number;
  readonly compressAbove: number | null;
  readonly readDeadlineMs: number;
  readonly writeDeadlineMs: number;
  readonly closeDeadlineMs: number;
  readonly revalidateMs: number;
  readonly errorMs: number;
  readonly jitterMs: number;
  readonly seed: number | undefined;
  readonly errorTtlMs: number;
  readonly loadTimeoutMs: number;
  readonly leaseMs: number;
  readonly maxConcurrentLoads: number;
  readonly tagMemoMs: number;
  readonly requestMemo: boolean;
  readonly breaker: { readonly failures: number; readonly pauseMs: number };
}

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
 * Checks what the application wrote and fills in every default. The only place where defaults are.
 *
 * @throws InvalidOptionsError with every problem at once
 */
export function resolveOptions(options: unknown = {}): ResolvedCachingOptions {
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

function resolveCache(
  given: Readonly<Record<string, unknown>>,
  path: string,
  problems: OptionProblem[],
): ResolvedCacheOptions | undefined {
  const { backend, url, ...rest } = definedOnly(given);
  if (typeof backend === 'object' && backend !== null) {
    if (url !== undefined)
      problems.push({ path: at(path, 'url'), message: 'a backend instance takes no url' });
    checkInstance(backend, path, problems);
    const common = parse(z.strictObject(COMMON), rest, path, problems);
    return common && { ...resolved(common, rest), backend: backend as CacheBackend };
  }
  const chosen = chooseBackend(backend, url, path, problems);
  if (chosen === undefined) return undefined;
  const fields = BACKEND_FIELDS[chosen];
  const parsed = parse(z.strictObject({ ...COMMON, ...fields }), rest, path, problems);
  if (parsed === undefined) return undefined;
  if (chosen === 'redis')
    checkOneOf(['url', 'client', 'cluster', 'sentinel'], { ...rest, url }, path, problems);
  if (chosen === 'memcached') checkOneOf(['url', 'servers'], { ...rest, url }, path, problems);
  if (chosen === 'database') checkOneOf(['url', 'knex'], { ...rest, url }, path, problems);
  if (chosen === 'file') checkOneOf(['url', 'directory'], { ...rest, url }, path, problems);
  const own = Object.keys(fields).map(
    (field) => [field, (parsed as Record<string, unknown>)[field]] as const,
  );
  const options = Object.fromEntries(own.filter(([, value]) => value !== undefined));
  return {
    ...resolved(parsed, rest),
    backend: { name: chosen, options: url === undefined ? options : { ...options, url } },
  };
}

function resolved(
  common: z.output<z.ZodObject<typeof COMMON>>,
  given: Readonly<Record<string, unknown>>,
): Omit<ResolvedCacheOptions, 'backend'> {
  const { keyPrefix, version, classInstances, converters, onError } = common;
  return {
    given: new Set(Object.keys(given)),
    ttlMs: ttlToMs(common.ttl),
    keyPrefix,
    version,
    classInstances,
    converters,
    onError,
    maxValueBytes: common.maxValueBytes,
    compressAbove: common.compressAbove,
    readDeadlineMs: toMs(common.readDeadline),
    writeDeadlineMs: toMs(common.writeDeadline),
    closeDeadlineMs: toMs(common.closeDeadline),
    revalidateMs: toMs(common.staleWhileRevalidate),
    errorMs: toMs(common.staleIfError),
    jitterMs: toMs(common.ttlJitter),
    seed: common.seed,
    errorTtlMs: toMs(common.errorTtl),
    loadTimeoutMs: toMs(common.loadTimeout),
    leaseMs: toMs(common.leaseTtl),
    maxConcurrentLoads: common.maxConcurrentLoads,
    tagMemoMs: toMs(common.tagMemo),
    requestMemo: common.requestMemo,
    breaker: { failures: common.breaker.failures, pauseMs: toMs(common.breaker.pause) },
  };
}

function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: string,
  problems: OptionProblem[],
): z.output<S> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const allowed = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  for (const issue of result.error.issues) {
    if (issue.code === 'unrecognized_keys') reportUnknown(issue.keys, allowed, path, problems);
    else problems.push({ path: at(path, issue.path.join('.')), message: issue.message });
  }
  return undefined;
}

function asRecord(value: unknown, path: string, problems: OptionProblem[]): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  problems.push({ path, message: 'use an object with options' });
  return {};
}

/** An explicit `undefined` is as good as nothing, so it never beats a default. */
function definedOnly(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
