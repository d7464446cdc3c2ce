import { Injectable } from '@nestjs/common';
import type { InvalidateOptions } from '../cache/cache-service.options.js';
import type { PageExplainer } from './page-explainer.js';
import type { ExplainedRequest, PageExplanation } from './page-explanation.js';
import type { PageInvalidations } from './page-invalidations.js';
import type { AnyPageTarget, PageTarget, PageTargetList } from './page-target.js';
import type { PageTargets } from './page-targets.js';

/** What there is to do with stored pages by hand. Inject it wherever data changes that pages show. */
@Injectable()
export class PageCache {
  constructor(
    private readonly targets: PageTargets,
    private readonly invalidations: PageInvalidations,
    private readonly explainer: PageExplainer,
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

  /**
   * Why a page is cached or not: how its key is built, what is stored there, and what a request would do now. For people
   * who develop; names only, no values of headers, cookies or identities. (Django: none)
   *
   * A request of its own goes through middleware and guards, which do their work, and comes from 127.0.0.1. The handler
   * does not run, and nothing is stored or counted. Other methods than GET and HEAD are not sent at all. What answers
   * without a handler of Nest's, such as a GraphQL server or another application that is mounted, answers as always.
   *
   * @throws InvalidArgumentError for a URL or headers that no client could send; NotStartedError before the application
   *   has started; BackendError; whatever `user` and `varyOn` of the route throw
   *
   * @example
   * await pages.explain('/products?sort=price')
   * await pages.explain({ url: 'https://shop.example/me', headers: { authorization: 'Bearer …' } })
   */
  explain(request: string | ExplainedRequest): Promise<PageExplanation> {
    return this.explainer.explain(request);
  }
}
