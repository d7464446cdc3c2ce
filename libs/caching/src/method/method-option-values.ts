import { type GetOrSetOptions, optionalMs } from '../cache/cache-service.options.js';
import { checkedTags } from '../cache/tags.js';
import { type Ttl, ttlToMs } from '../duration.js';
import { ask, type Call } from './decorate.js';
import { assertKeyName } from './method-key.js';
import { assertMethodOptions } from './method-option-schemas.js';
import type { CachedManyOptions, CachedOptions, CachePutOptions } from './method-options.js';

/** A ttl alone, or options, as options; checked where they are written rather than on the first call. */
export function checkedOptions<Options extends CachedOptions | CachePutOptions>(
  decorator: 'Cached' | 'CachedMany' | 'CachePut',
  given: Ttl | Options | undefined,
): Options {
  const options = (typeof given === 'object' && given !== null ? given : { ttl: given }) as Options;
  assertMethodOptions(decorator, options);
  const {
    ttl,
    staleWhileRevalidate,
    staleIfError,
    timeout,
    softTimeout,
    errorTtl,
    tags,
    name,
  }: CachedOptions = options;
  if (ttl !== undefined) ttlToMs(ttl);
  for (const duration of [staleWhileRevalidate, staleIfError, timeout, softTimeout, errorTtl])
    optionalMs(duration);
  if (typeof tags === 'object') checkedTags(tags);
  if (name !== undefined) assertKeyName(name);
  return options;
}

/** What of a decorator's options goes to `getOrSet` as it is. */
export function loadOptions({
  cache: _cache,
  name: _name,
  key: _key,
  condition: _condition,
  unless: _unless,
  resultTags: _resultTags,
  answers: _answers,
  tags,
  ...loading
}: CachedManyOptions): GetOrSetOptions {
  return typeof tags === 'object' ? { ...loading, tags } : loading;
}

/** The tags that options give for arguments. */
export function tagsFor(
  tags: CachedOptions['tags'],
  call: Call,
  args: readonly unknown[],
): readonly string[] {
  return typeof tags === 'function' ? ask(tags, call, args) : (tags ?? []);
}
