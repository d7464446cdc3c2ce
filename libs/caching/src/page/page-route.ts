import type { OpenCache } from '../cache/cache-registry.js';
import { checkedTags } from '../cache/tags.js';
import { toMs, type Ttl, ttlToMs } from '../duration.js';
import { InvalidDecorationError } from '../errors.js';
import type { CachePageMetadata } from './cache-page.decorator.js';
import type { NamedPagePolicy, PagePolicyOptions } from './cache-page.options.js';
import { assertPageOptions } from './page-option-schemas.js';
import type { LifePolicy } from './page-policy.js';
import { QueryPolicy } from './query.js';
import type { VariantNames } from './variants.js';

/** A route whose responses are cached, with everything decided that does not depend on a request. */
export interface PageRoute extends LifePolicy {
  /** Controller, method and API version: what keeps two handlers on one path apart. */
  readonly name: string;
  readonly cache: OpenCache;
  /** The names that the route declares: request headers and cookies in every key. */
  readonly declared: VariantNames;
  /** What the route adds to `Vary`; header decorators write their own part. */
  readonly vary: readonly string[];
  readonly user: ((request: never) => unknown) | undefined;
  readonly isShared: boolean;
  readonly varyOn: ((request: never) => unknown) | undefined;
  readonly staticTags: readonly string[];
  readonly tagsOf: ((request: never, result: unknown) => readonly string[]) | undefined;
  /** Milliseconds; `undefined` for no word to browsers. */
  readonly clientTtlMs: number | undefined;
  readonly query: QueryPolicy;
  readonly honorsNoCache: boolean;
}

/** What a route is made of. */
export interface RouteParts {
  readonly name: string;
  readonly metadata: CachePageMetadata;
  readonly policies: Readonly<Record<string, NamedPagePolicy>>;
  /** The names that `@VaryOn` and `@VaryOnCookie` declare. */
  readonly declared: VariantNames;
  readonly cacheNamed: (name: string | undefined) => OpenCache;
}

/** Under this, a number was probably meant as seconds, as in Django. */
const SUSPICIOUS_TTL = 1000;

/** @throws InvalidDecorationError, UnknownCacheError, InvalidDurationError, InvalidArgumentError */
export function pageRoute({ name, metadata, policies, declared, cacheNamed }: RouteParts): PageRoute {
  const shown = shownRoute(name);
  assertPageOptions(shown, metadata);
  const options = { ...namedPolicy(shown, metadata.policy, policies), ...definedOnly(metadata) };
  const { ttl, tags } = options;
  const cache = cacheNamed(options.cache);
  const vary = options.vary ?? [];
  return {
    name,
    cache,
    ttlMs: ttl === undefined ? undefined : ttlToMs(ttl),
    statuses: options.statuses,
    revalidateMs: windowMs(options.staleWhileRevalidate, cache.options.revalidateMs),
    errorMs: windowMs(options.staleIfError, cache.options.errorMs),
    declared: {
      headers: [...new Set([...declared.headers, ...vary.map((each) => each.toLowerCase())])],
      cookies: declared.cookies,
    },
    vary,
    user: options.user,
    isShared: options.shared === true,
    varyOn: options.varyOn,
    staticTags: typeof tags === 'function' ? [] : checkedTags(tags),
    tagsOf: typeof tags === 'function' ? tags : undefined,
    clientTtlMs: options.clientTtl === undefined ? undefined : Math.max(toMs(options.clientTtl), 0),
    query: new QueryPolicy(options.query),
    honorsNoCache: options.honorNoCache === true,
  };
}

/** The {@link PageRoute.name} of a route for people: `Shop.list`, and `Shop.list@"2"` where it has a version. */
export function shownRoute(name: string): string {
  return name.replace(/@null$/, '');
}

/** A warning about a ttl that looks like seconds, if it does. */
export function suspiciousTtl(name: string, ttl: Ttl | undefined): string | undefined {
  if (typeof ttl !== 'number' || ttl <= 0 || ttl >= SUSPICIOUS_TTL) return undefined;
  return `@CachePage(${ttl}) on ${name} means ${ttl} milliseconds; did you mean '${ttl}s'?`;
}

/** Whether a route says for whom its pages are, so that what request-scoped providers read is taken care of. */
export function isDeclared({ user, varyOn, isShared }: PageRoute): boolean {
  return user !== undefined || varyOn !== undefined || isShared;
}

function namedPolicy(
  route: string,
  policy: string | undefined,
  policies: Readonly<Record<string, NamedPagePolicy>>,
): NamedPagePolicy {
  if (policy === undefined) return {};
  if (Object.hasOwn(policies, policy)) return policies[policy] as NamedPagePolicy;
  const names = Object.keys(policies).map((name) => `'${name}'`);
  throw new InvalidDecorationError(
    `@CachePage on ${route} names the policy '${policy}', and pages.policies has ` +
      `${names.length === 0 ? 'none' : names.join(', ')}. Add it there, or name another one.`,
  );
}

function windowMs(own: PagePolicyOptions['staleIfError'], ofCache: number): number | undefined {
  if (own !== undefined) return toMs(own);
  return ofCache > 0 ? ofCache : undefined;
}

function definedOnly(metadata: CachePageMetadata): CachePageMetadata {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined));
}
