import type { FirstLook } from '../cache/looks.js';
import type { FragmentStore } from './fragment-store.js';

/** A look at many fragments, for the renders that follow. Opaque: made by `FragmentCache.prefetch`. */
export class PrefetchedFragments {
  private readonly looks = new Map<FragmentStore, Map<string, FirstLook<string>>>();

  /** @internal */
  add(store: FragmentStore, segments: string, look: FirstLook<string>): void {
    const looks = this.looks.get(store) ?? new Map<string, FirstLook<string>>();
    this.looks.set(store, looks.set(segments, look));
  }

  /** What was seen of a fragment. A miss says so once: whoever comes later looks again. @internal */
  take(store: FragmentStore, segments: string): FirstLook<string> | undefined {
    const looks = this.looks.get(store);
    const look = looks?.get(segments);
    if (look?.sight?.freshness !== 'fresh') looks?.delete(segments);
    return look;
  }
}
