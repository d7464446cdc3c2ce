import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { CacheBackend } from './backends/cache-backend.js';
import type { BackendName } from './backends/backend-registry.js';
import type { ValueConverter } from './cache/converters.js';
import { checkInstance, checkOneOf, chooseBackend } from './choose-backend.js';
import { MAX_DURATION_MS, toMs, ttlToMs } from './duration.js';
import type { OptionProblem } from './errors.js';
import { at } from './option-problems.js';
import {
  converters,
  count,
  duration,
  given,
  givenAs,
  name,
  parse,
  ttl,
  unlessUnknown,
} from './option-schemas.js';

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
    .strictObject(
      { failures: count(1, 10_000).default(5), pause: duration(10, 600_000).default('1s') },
      unlessUnknown('use an object with failures and pause'),
    )
    .prefault({}),
};

const SERVERS = "use an array of at least one address, such as ['10.0.0.1:11211', '10.0.0.2:11211']";

/** What each backend takes besides, and its defaults. Durations reach a backend in milliseconds. */
const BACKEND_FIELDS = {
  memory: {
    maxEntries: count(1, 16_777_216).default(100_000),
    maxBytes: count(1024, Number.MAX_SAFE_INTEGER).default(64 * 1024 * 1024),
    sweepInterval: duration(0, 86_400_000).default('30s').transform(toMs),
  },
  file: {
    directory: z.string('use an absolute path').refine(isAbsolute, 'use an absolute path').optional(),
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
    servers: z.array(z.string(SERVERS), SERVERS).min(1, SERVERS).optional(),
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

/** One cache: its backend, its options with every default, and all that is wrong with them. */
export function resolveCache(
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

/** An explicit `undefined` is as good as nothing, so it never beats a default. */
function definedOnly(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
