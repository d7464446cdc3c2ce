import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { CacheBackend } from './backends/cache-backend.js';
import { type BackendName, BACKEND_NAMES, backendOfScheme } from './backends/backend-registry.js';
import { escapeSegment } from './cache/keys.js';
import { DEFAULT_CACHE } from './caching.constants.js';
import { toMs, ttlToMs, type Duration, type Ttl } from './duration.js';
import { InvalidOptionsError, type OptionProblem } from './errors.js';
import { at, reportUnknown, suggestion } from './option-problems.js';

const DURATION = "milliseconds or text such as '250ms', '30s', '15m', '12h', '7d'";

const SCHEME = /^[a-z][a-z\d+.-]*:/i;

const isValid = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};
const ttl = z.custom<Ttl>(
  (value) => isValid(() => ttlToMs(value as Ttl)),
  `use ${DURATION}, or null for ever`,
);
const duration = (least: number, most: number) =>
  z.custom<Duration>((value) => {
    if (!isValid(() => toMs(value as Duration))) return false;
    const ms = toMs(value as Duration);
    return ms >= least && ms <= most;
  }, `use ${DURATION}; at least ${least} ms and at most ${most} ms`);
const count = (least: number, most: number) =>
  z.number(`use a whole number from ${least} to ${most}`).int().min(least).max(most);
const name = (most: number) =>
  z.string('use text').refine((text) => escapeSegment(text).length <= most, `use at most ${most} bytes`);
const given = z.custom<object>((value) => typeof value === 'object' && value !== null, 'use an object');

const COMMON = {
  ttl: ttl.default('15m'),
  keyPrefix: name(64).default(''),
  version: count(0, Number.MAX_SAFE_INTEGER).default(1),
  classInstances: z.enum(['refuse', 'plain'], "use 'refuse' or 'plain'").default('refuse'),
  onError: z.enum(['throw', 'ignore'], "use 'throw' or 'ignore'").default('throw'),
  readDeadline: duration(1, 600_000).default('250ms'),
  writeDeadline: duration(1, 600_000).default('1s'),
  closeDeadline: duration(1, 60_000).default('2s'),
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
  null: {},
} satisfies Record<BackendName, z.ZodRawShape>;

const PAGES = z.strictObject({
  cache: z.string('use the name of a cache').default(DEFAULT_CACHE),
  maxBodySize: count(0, 1024 * 1024 * 1024).default(10 * 1024 * 1024),
  flightDeadline: duration(1, 600_000).default('30s').transform(toMs),
});

/** One cache with nothing left open. */
export interface ResolvedCacheOptions {
  /** A backend of the caller's, or a name with the options that its constructor takes. */
  readonly backend:
    CacheBackend | { readonly name: BackendName; readonly options: Readonly<Record<string, unknown>> };
  readonly ttlMs: number | null;
  readonly keyPrefix: string;
  readonly version: number;
  readonly classInstances: 'refuse' | 'plain';
  readonly onError: 'throw' | 'ignore';
  readonly readDeadlineMs: number;
  readonly writeDeadlineMs: number;
  readonly closeDeadlineMs: number;
}

export type ResolvedPagesOptions = z.output<typeof PAGES>;

export interface ResolvedCachingOptions {
  readonly caches: ReadonlyMap<string, ResolvedCacheOptions>;
  readonly pages: ResolvedPagesOptions;
}

/**
 * Checks what the application wrote and fills in every default. The only place where defaults are.
 *
 * @throws InvalidOptionsError with every problem at once
 */
export function resolveOptions(options: unknown = {}): ResolvedCachingOptions {
  const problems: OptionProblem[] = [];
  const caches = new Map<string, ResolvedCacheOptions>();
  const { pages, caches: named, ...single } = asRecord(options, '', problems);
  const wanted = named === undefined ? { [DEFAULT_CACHE]: single } : asRecord(named, 'caches', problems);
  if (named !== undefined) {
    reportUnknown(Object.keys(single), ['caches', 'pages'], '', problems);
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
  if (resolvedPages !== undefined && !(resolvedPages.cache in wanted)) {
    const known = Object.keys(wanted).join(', ');
    problems.push({
      path: 'pages.cache',
      message: `there is no cache named "${resolvedPages.cache}"; known: ${known}`,
    });
  }
  if (problems.length > 0 || resolvedPages === undefined) throw new InvalidOptionsError(problems);
  return { caches, pages: resolvedPages };
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
    return common && { ...resolved(common), backend: backend as CacheBackend };
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
    ...resolved(parsed),
    backend: { name: chosen, options: url === undefined ? options : { ...options, url } },
  };
}

function resolved(common: z.output<z.ZodObject<typeof COMMON>>): Omit<ResolvedCacheOptions, 'backend'> {
  const { keyPrefix, version, classInstances, onError } = common;
  return {
    ttlMs: ttlToMs(common.ttl),
    keyPrefix,
    version,
    classInstances,
    onError,
    readDeadlineMs: toMs(common.readDeadline),
    writeDeadlineMs: toMs(common.writeDeadline),
    closeDeadlineMs: toMs(common.closeDeadline),
  };
}

function chooseBackend(
  backend: unknown,
  url: unknown,
  path: string,
  problems: OptionProblem[],
): BackendName | undefined {
  if (backend !== undefined && !BACKEND_NAMES.includes(backend as BackendName)) {
    const hint = typeof backend === 'string' ? suggestion(backend, BACKEND_NAMES) : '';
    const allowed = `use one of ${BACKEND_NAMES.join(', ')}, or an object that implements CacheBackend`;
    problems.push({ path: at(path, 'backend'), message: `unknown backend${hint}; ${allowed}` });
    return undefined;
  }
  if (url === undefined) return (backend as BackendName | undefined) ?? 'memory';
  const scheme = typeof url === 'string' ? SCHEME.exec(url)?.[0].toLowerCase() : undefined;
  const byScheme = scheme === undefined ? undefined : backendOfScheme(scheme);
  // The list of servers in a memcached URL is more than a URL may hold.
  const isReadable = byScheme === 'memcached' || URL.canParse(url as string);
  if (byScheme === undefined || !isReadable || (backend !== undefined && backend !== byScheme)) {
    const message =
      scheme === undefined || (byScheme !== undefined && !isReadable)
        ? 'not a URL; write one such as redis://localhost:6379/0'
        : `the scheme ${scheme} ${byScheme === undefined ? 'belongs to no backend' : `belongs to the ${byScheme} backend`}`;
    problems.push({ path: at(path, 'url'), message });
    return undefined;
  }
  return byScheme;
}

function checkOneOf(
  fields: readonly string[],
  given: Readonly<Record<string, unknown>>,
  path: string,
  problems: OptionProblem[],
): void {
  if (fields.filter((field) => given[field] !== undefined).length === 1) return;
  problems.push({ path: at(path, 'url'), message: `give exactly one of ${fields.join(', ')}` });
}

function checkInstance(backend: object, path: string, problems: OptionProblem[]): void {
  const missing = ['get', 'set', 'delete', 'ttl', 'clear', 'close', 'capabilities'].filter(
    (part) => !(part in backend),
  );
  if (missing.length === 0) return;
  problems.push({
    path: at(path, 'backend'),
    message: `does not implement CacheBackend: ${missing.join(', ')} missing`,
  });
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
