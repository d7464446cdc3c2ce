import type { Duration, Ttl } from '../duration.js';
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
const NONE: readonly unknown[] = [];

/**
 * The options of a tag as an author wrote them. Templates know no types, so what is given and is not there is an error
 * here: a misspelt `ttl=minuts` would be the default, silently.
 *
 * @param positional values that follow the name: more of what the fragment varies on
 * @throws InvalidArgumentError, InvalidDurationError
 */
export function tagOptions(
  given: Readonly<Record<string, unknown>>,
  positional: readonly unknown[] = NONE,
): FragmentOptions<unknown> {
  const options: { -readonly [O in keyof FragmentOptions<unknown>]: FragmentOptions<unknown>[O] } = {};
  let vary = positional;
  // A page may have many tags, so nothing is copied that need not be.
  for (const key of Object.keys(given)) {
    const value = given[key];
    switch (key as (typeof TAG_OPTIONS)[number]) {
      case 'ttl':
        options.ttl = present(value) as Ttl;
        break;
      case 'staleWhileRevalidate':
        options.staleWhileRevalidate = present(value) as Duration;
        break;
      case 'staleIfError':
        options.staleIfError = present(value) as Duration;
        break;
      case 'cache':
        options.cache = text('cache', value);
        break;
      case 'tags':
        options.tags = tagList(value);
        break;
      case 'prefetched':
        options.prefetched = prefetchedOf(value);
        break;
      case 'data':
        options.data = value;
        break;
      case 'varyOn':
        vary =
          vary.length === 0 && Array.isArray(value) ? (value as unknown[]) : [...vary, ...[value].flat()];
        break;
      default:
        throw unknownOption(key);
    }
  }
  options.varyOn = vary as FragmentVary[];
  return options;
}

function unknownOption(key: string): InvalidArgumentError {
  const allowed = `${suggestion(key, TAG_OPTIONS)}; a fragment takes ${TAG_OPTIONS.join(', ')}`;
  return new InvalidArgumentError(`Unknown option "${key}"${allowed}.`);
}

function present(value: unknown): unknown {
  if (value === undefined) throw new InvalidDurationError(value);
  return value;
}

function text(option: string, value: unknown): string {
  if (typeof value === 'string') return value;
  throw new InvalidArgumentError(
    `The option "${option}" of a fragment is text, and this one is ${typeof value}.`,
  );
}

/** A list, or text with one tag or several, apart by spaces or commas: not every engine can write lists. */
function tagList(value: unknown): readonly string[] {
  if (typeof value === 'string' && /^[^\s,]+$/.test(value)) return [value];
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
