import type { LoadContext, SetOptions } from '../cache/cache-service.options.js';
import type { FragmentVary } from './fragment-key.js';
import type { PrefetchedFragments } from './prefetched-fragments.js';

/** Where a fragment is kept. */
export interface FragmentPlace {
  /** The name of a cache. Default: `fragments.cache` of the module, which is `fragments` if there is such a cache, else `default`. */
  readonly cache?: string;
}

/** What a fragment is known by. */
export interface FragmentIdentity extends FragmentPlace {
  /** What the markup differs by: an id, a language, a role. Default: nothing, one fragment for everybody. */
  readonly varyOn?: readonly FragmentVary[];
}

/** How a fragment is kept. */
export interface FragmentOptions<D = undefined>
  extends FragmentIdentity, Pick<SetOptions, 'ttl' | 'tags' | 'staleWhileRevalidate' | 'staleIfError'> {
  /** What the markup is made of, or a function that gets it, which is called only if the fragment is not at hand. */
  readonly data?: D | Promise<D> | (() => D | Promise<D>);
  /** What {@link FragmentCache.prefetch} has read. Default: the fragment is read by itself. */
  readonly prefetched?: PrefetchedFragments;
}

/** Makes the markup of a fragment from its data. It is stored as it is: escape in here what needs it. */
export type RenderFragment<D> = (data: D, context: LoadContext) => string | Promise<string>;

/** A fragment to prefetch. */
export interface FragmentReference extends FragmentIdentity, Pick<SetOptions, 'tags'> {
  readonly name: string;
}
