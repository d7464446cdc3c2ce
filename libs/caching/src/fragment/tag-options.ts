import { type Duration, type Ttl, toMs } from '../duration.js';
import { InvalidArgumentError, InvalidDurationError } from '../errors.js';
import { suggestion } from '../option-problems.js';
import type { FragmentVary } from './fragment-key.js';
import type { FragmentOptions } from './fragment.options.js';
import { PrefetchedFragments } from './prefetched-fragments.js';

/** What a tag takes in a template, by name. */
const TAG_OPTIONS = [
  'ttl',
  'varyOn',
  'tags',
  'cache',
  'staleWhileRevalidate',
  'staleIfError',
  'data',
  'prefetched',
] as const;

/**
 * The options of a tag as an author wrote them. Templates know no types, so what is given and is not there is an error
 * here: a misspelt `ttl=minuts` would be the default, silently.
 *
 * @param positional values that follow the name: more of what the fragment varies on
 * @throws InvalidArgumentError, InvalidDurationError
 */
export function tagOptions(
  given: Readonly<Record<string, unknown>>,
  positional: readonly unknown[] = [],
): FragmentOptions<unknown> {
  for (const key of Object.keys(given)) {
    if (TAG_OPTIONS.includes(key as (typeof TAG_OPTIONS)[number])) continue;
    const allowed = `${suggestion(key, TAG_OPTIONS)}; a fragment takes ${TAG_OPTIONS.join(', ')}`;
    throw new InvalidArgumentError(`Unknown option "${key}"${allowed}.`);
  }
  return {
    ...('ttl' in given && { ttl: present(given['ttl']) as Ttl }),
    ...('staleWhileRevalidate' in given && { staleWhileRevalidate: window(given['staleWhileRevalidate']) }),
    ...('staleIfError' in given && { staleIfError: window(given['staleIfError']) }),
    ...('cache' in given && { cache: text('cache', given['cache']) }),
    ...('tags' in given && { tags: tagList(given['tags']) }),
    ...('prefetched' in given && { prefetched: prefetchedOf(given['prefetched']) }),
    data: given['data'],
    varyOn: [...positional, ...('varyOn' in given ? [given['varyOn']].flat() : [])] as FragmentVary[],
  };
}

function present(value: unknown): unknown {
  if (value === undefined) throw new InvalidDurationError(value);
  return value;
}

function window(value: unknown): Duration {
  toMs(present(value) as Duration);
  return value as Duration;
}

function text(option: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new InvalidArgumentError(
    `The option "${option}" of a fragment is text, and this one is ${typeof value}.`,
  );
}

/** A list, or text with one tag or several, apart by spaces or commas: not every engine can write lists. */
function tagList(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.split(/[\s,]+/).filter((tag) => tag !== '');
  if (Array.isArray(value)) return value as readonly string[];
  throw new InvalidArgumentError(
    'The tags of a fragment are text such as "products shop", or a list of text.',
  );
}

function prefetchedOf(value: unknown): PrefetchedFragments {
  if (value instanceof PrefetchedFragments) return value;
  throw new InvalidArgumentError('The option "prefetched" takes what FragmentCache.prefetch() has answered.');
}
