import type { OpenCache } from '../cache/cache-registry.js';
import type { PageRoutes } from './page-routes.js';
import type { TargetTags } from './page-targets.js';

/** Invalidates pages in every cache that pages use. */
export class PageInvalidations {
  private known: readonly OpenCache[] | undefined;

  constructor(private readonly routes: PageRoutes) {}

  /**
   * Makes the pages with any of these tags absent, or stale if soft. Tags that pages have from the beginning cost a look,
   * and a write only where there may be such a page.
   *
   * @throws BackendError
   */
  async invalidate(tags: TargetTags, isSoft: boolean): Promise<void> {
    await Promise.all(this.caches.map((cache) => invalidateIn(cache, tags, isSoft)));
  }

  /** As {@link invalidate}; a failing backend is logged, and what it missed is made up for. Never rejects. */
  async invalidateAnyway(tags: TargetTags, isSoft: boolean): Promise<void> {
    await Promise.all(
      this.caches.map((cache) =>
        cache.policy.forgive('invalidateTags', () => invalidateIn(cache, tags, isSoft)),
      ),
    );
  }

  private get caches(): readonly OpenCache[] {
    return (this.known ??= this.routes.caches());
  }
}

async function invalidateIn(
  { engine: { invalidations } }: OpenCache,
  { builtIn, own }: TargetTags,
  isSoft: boolean,
): Promise<void> {
  // A page may learn a tag of the application's while it is made, so that no record says nothing.
  if (own.length > 0) await invalidations.invalidateTags([...builtIn, ...own], isSoft);
  else await invalidations.invalidateTagsInUse(builtIn, isSoft);
}
