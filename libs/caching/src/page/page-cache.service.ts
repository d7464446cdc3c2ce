import { Injectable } from '@nestjs/common';
import type { InvalidateOptions } from '../cache/cache-service.options.js';
import type { PageInvalidations } from './page-invalidations.js';
import type { AnyPageTarget, PageTarget, PageTargetList } from './page-target.js';
import type { PageTargets } from './page-targets.js';

/** What there is to do with stored pages by hand. Inject it wherever data changes that pages show. */
@Injectable()
export class PageCache {
  constructor(
    private readonly targets: PageTargets,
    private readonly invalidations: PageInvalidations,
  ) {}

  /**
   * Makes pages absent: from now on, in every process and in every cache that pages use. Costs the same for one page and
   * for a million. A page that is being made meanwhile is not stored. With `soft`, pages with stale windows become stale
   * instead.
   *
   * Resolves when no reader sees them any more. If a backend fails, it rejects, and the change is made up for as soon as the
   * backend is back.
   *
   * @throws InvalidPageTargetError for a route that is unknown or not cached, wrong parameters, a prefix without cached
   *   routes; InvalidArgumentError for what are no tags; BackendError
   *
   * @example
   * await pages.invalidate({ route: [ProductsController, 'findOne'], params: { id: 42 } })
   * await pages.invalidate([{ prefix: '/products' }, { tags: ['prices'] }])
   */
  async invalidate<C>(target: PageTarget<C>, options?: InvalidateOptions): Promise<void>;
  async invalidate<Cs extends readonly unknown[]>(
    targets: PageTargetList<Cs>,
    options?: InvalidateOptions,
  ): Promise<void>;
  async invalidate(
    targets: AnyPageTarget | readonly AnyPageTarget[],
    options?: InvalidateOptions,
  ): Promise<void> {
    const tags = this.targets.tagsOf([targets].flat());
    await this.invalidations.invalidate(tags, options?.soft === true);
  }
}
