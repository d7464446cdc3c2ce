import { type Duration, toMs } from '../duration.js';
import { InvalidArgumentError } from '../errors.js';
import {
  deltaSeconds,
  type Directive,
  MAX_DELTA_SECONDS,
  parseCacheControl,
  readDirectives,
} from './cache-control.js';
import { isToken } from './field-scanner.js';

/**
 * The directives of a `Cache-Control` field for browsers and caches in front of the application. Durations are
 * milliseconds or `'15m'`, at least a second or 0, cut to whole seconds. (Django: `cache_control`)
 */
export interface CacheControlOptions {
  /** How long a response is fresh. Of several the smallest counts, the handler's included. */
  readonly maxAge?: Duration;
  /** The same for shared caches; it also shortens the life of a page in `@CachePage`. */
  readonly sMaxAge?: Duration;
  /** Only for the one client. Takes `public` away; an array names the fields that are private. */
  readonly private?: boolean | readonly string[];
  /** For everybody, even if the request had `Authorization`. Takes `private` away, save one that the handler set. */
  readonly public?: boolean;
  /** Nobody stores it. */
  readonly noStore?: boolean;
  /** Stored, and asked for again before each use; an array names the fields to which that applies. */
  readonly noCache?: boolean | readonly string[];
  /** The body is not changed on the way, by compression for instance. */
  readonly noTransform?: boolean;
  /** Never used once it is stale. */
  readonly mustRevalidate?: boolean;
  /** Never used by shared caches once it is stale. */
  readonly proxyRevalidate?: boolean;
  /** Stored only by those who know the status. */
  readonly mustUnderstand?: boolean;
  /** Never changes while it is fresh (RFC 8246). */
  readonly immutable?: boolean;
  /** How long past its freshness it may be used while it is fetched anew (RFC 5861). */
  readonly staleWhileRevalidate?: Duration;
  /** How long past its freshness it may be used when the application fails (RFC 5861). */
  readonly staleIfError?: Duration;
  /** Directives that are not in the list; `true` for one without a value. */
  readonly extensions?: Readonly<Record<string, string | number | true>>;
}

const FLAGS = {
  public: 'public',
  noStore: 'no-store',
  noTransform: 'no-transform',
  mustRevalidate: 'must-revalidate',
  proxyRevalidate: 'proxy-revalidate',
  mustUnderstand: 'must-understand',
  immutable: 'immutable',
} as const;
const LIVES = {
  maxAge: 'max-age',
  sMaxAge: 's-maxage',
  staleWhileRevalidate: 'stale-while-revalidate',
  staleIfError: 'stale-if-error',
} as const;
const FIELD_LISTS = { private: 'private', noCache: 'no-cache' } as const;

/** What also suits an answer that nobody planned: an error, or one whose own field cannot be read. */
const RESTRICTIVE = new Set(['private', 'no-store', 'no-cache', 'no-transform', 'must-revalidate']);

/**
 * The directives that options name, in the order of the options.
 *
 * @throws InvalidDurationError, InvalidArgumentError for a life under a second and for names that are no tokens
 */
export function directivesOf(options: CacheControlOptions): readonly Directive[] {
  return Object.entries(options).flatMap(([option, value]: [string, unknown]): Directive[] => {
    if (value === undefined || value === false) return [];
    if (option in FLAGS) return [[FLAGS[option as keyof typeof FLAGS], undefined]];
    if (option in LIVES) return [[LIVES[option as keyof typeof LIVES], seconds(option, value as Duration)]];
    if (option in FIELD_LISTS) {
      const names = value === true ? undefined : tokens(option, value as readonly string[]).join(', ');
      return [[FIELD_LISTS[option as keyof typeof FIELD_LISTS], names]];
    }
    if (option === 'extensions') return extensionsOf(value as Readonly<Record<string, unknown>>);
    throw new InvalidArgumentError(
      `@CacheControl knows no option \`${option}\`. Others go into \`extensions\`.`,
    );
  });
}

/**
 * A field with directives added by the rules of Django's `patch_cache_control`: those already there stay, of two lives the
 * smaller counts, `private` and `public` replace each other (both at once are both written), field names of `no-cache` and
 * `private` add up and the bare directive replaces them. To a field that cannot be read only restrictive directives are added.
 */
export function patchCacheControl(existing: string | undefined, added: readonly Directive[]): string {
  const present = readDirectives(existing ?? '');
  if (present === undefined) return [write(added.filter(isRestrictive)), existing].filter(Boolean).join(', ');
  const names = new Set(added.map(([name]) => name));
  const merged = new Map<string, string | undefined>();
  for (const [name, argument] of present) {
    if (name === 'private' && names.has('public')) continue;
    if (name === 'public' && names.has('private')) continue;
    merge(merged, [name, argument]);
  }
  for (const directive of added) merge(merged, directive);
  return write([...merged]);
}

/**
 * {@link patchCacheControl} for an answer that a handler has made: what it said about privacy stands, so `public` is not
 * added to `private`, `no-store` or `no-cache`.
 */
export function patchAnswer(existing: string | undefined, added: readonly Directive[]): string {
  const { forbidsStoring } = parseCacheControl(existing ?? '');
  return patchCacheControl(existing, forbidsStoring ? added.filter(([name]) => name !== 'public') : added);
}

/** Whether a directive suits any answer, an error as well: it only takes something away from caches. */
export function isRestrictive([name]: Directive): boolean {
  return RESTRICTIVE.has(name);
}

function merge(merged: Map<string, string | undefined>, [name, argument]: Directive): void {
  const earlier = merged.get(name);
  if (!merged.has(name)) {
    merged.set(name, argument);
  } else if (isLife(name)) {
    merged.set(name, String(Math.min(deltaSeconds(earlier), deltaSeconds(argument))));
  } else if (isFieldList(name)) {
    const isBare = earlier === undefined || argument === undefined;
    merged.set(name, isBare ? undefined : [...new Set([earlier, argument])].join(', '));
  } else {
    merged.set(name, argument);
  }
}

function isLife(name: string): boolean {
  return Object.values<string>(LIVES).includes(name);
}

function isFieldList(name: string): boolean {
  return Object.values<string>(FIELD_LISTS).includes(name);
}

/** Field names go into quotes always (RFC 9111 §5.2.2.4), other arguments where they must. */
function write(directives: Iterable<Directive>): string {
  return [...directives]
    .map(([name, argument]) => {
      if (argument === undefined) return name;
      if (isToken(argument) && !isFieldList(name)) return `${name}=${argument}`;
      return `${name}="${argument.replaceAll(/["\\]/g, '\\$&')}"`;
    })
    .join(', ');
}

function seconds(option: string, duration: Duration): string {
  const ms = toMs(duration);
  if (ms > 0 && ms < 1000) {
    throw new InvalidArgumentError(
      `@CacheControl: \`${option}\` is ${ms} milliseconds, and the header counts whole seconds. ` +
        `Use 0 or at least 1000; did you mean '${ms}s'?`,
    );
  }
  return String(Math.min(MAX_DELTA_SECONDS, Math.max(0, Math.floor(ms / 1000))));
}

function extensionsOf(extensions: Readonly<Record<string, unknown>>): Directive[] {
  return Object.entries(extensions).map(([name, value]): Directive => {
    tokens('extensions', [name]);
    const argument = value === true ? undefined : String(value);
    if (argument === undefined || /^[ -~]*$/.test(argument)) return [name.toLowerCase(), argument];
    throw new InvalidArgumentError(
      `@CacheControl: extension \`${name}\` has a value that is not plain ASCII text.`,
    );
  });
}

function tokens(option: string, names: readonly string[]): readonly string[] {
  if (names.length > 0 && names.every(isToken)) return names;
  throw new InvalidArgumentError(
    `@CacheControl: \`${option}\` takes names of letters, digits and - _ . and at least one of them.`,
  );
}
