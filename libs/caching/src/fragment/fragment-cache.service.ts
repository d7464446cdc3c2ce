import type { CacheRegistry } from '../cache/cache-registry.js';
import type { InvalidateOptions } from '../cache/cache-service.options.js';
import { runInPreview } from '../cache/preview.js';
import { checkedTags } from '../cache/tags.js';
import { withholding } from '../cache/withheld-tags.js';
import { InvalidArgumentError } from '../errors.js';
import type { ResolvedFragmentsOptions } from '../resolve-options.js';
import type { FragmentVary } from './fragment-key.js';
import { dataOf, FragmentLoads, loadContext } from './fragment-loads.js';
import type {
  FragmentOptions,
  FragmentPlace,
  FragmentReference,
  RenderFragment,
} from './fragment.options.js';
import { PrefetchedFragments } from './prefetched-fragments.js';

/**
 * An entry of one cache knows tags of another by name. While the first round is on its way, it may be made of something that
 * is yet to go. Nothing of the kind is stored by this process; the second round outdates loads that have read it, and the
 * third one whoever has joined them. Each round also reaches one level more of what other processes have stored meanwhile.
 */
const ROUNDS = 3;

/**
 * Parts of a page, each rendered once and kept: a sidebar, a list of categories, a widget. Inject it, or let a template
 * engine do so: see `nestjs-caching/fragments/…`. (Django: the `cache` template tag)
 *
 * Fragments have what values have: one render for all who ask at once, stale windows, tags, and pages that come out right,
 * only slower, while the backend is away. Whatever is made of a fragment has its tags: the fragment or the page around it.
 */
export class FragmentCache {
  /** For the template engines. @internal */
  readonly loads: FragmentLoads;

  /** @internal Made by the module. */
  constructor(registry: CacheRegistry, options: ResolvedFragmentsOptions) {
    this.loads = new FragmentLoads(registry, options);
  }

  /**
   * The markup of a fragment; on a miss it is rendered, once for all who ask meanwhile, and stored as it is. The empty
   * string is markup like any other.
   *
   * @throws whatever the render throws; UnknownCacheError, InvalidDurationError, InvalidArgumentError, LoadCycleError for a
   * fragment that contains itself
   *
   * @example
   * await fragments.render('popular', { ttl: '15m', tags: ['products'], data: () => shop.popular() }, (products) => list(products))
   */
  async render<D = undefined>(
    name: string,
    options: FragmentOptions<D>,
    render: RenderFragment<D>,
  ): Promise<string> {
    if (typeof render !== 'function')
      throw new InvalidArgumentError('A function is missing: render(name, options, (data) => markup).');
    const found = this.loads.find(name, options);
    if (typeof found === 'string') return found;
    return this.loads.load({
      request: found,
      make: async (context) => render((await dataOf(found)) as D, loadContext(context)),
    });
  }

  /** Removes a fragment; answers whether it was there. @throws BackendError, UnknownCacheError, InvalidArgumentError */
  async delete(name: string, varyOn?: readonly FragmentVary[], place: FragmentPlace = {}): Promise<boolean> {
    const { store, segments } = this.loads.locate(name, { ...place, ...(varyOn && { varyOn }) });
    return store.delete(segments);
  }

  /**
   * Reads many fragments in one round trip, for renders that get the answer as `prefetched`. Handlebars and Pug do so by
   * themselves; other engines read one fragment after the other.
   *
   * @example
   * const prefetched = await fragments.prefetch(products.map(({ id }) => ({ name: 'product', varyOn: [id] })));
   */
  async prefetch(fragments: Iterable<FragmentReference>): Promise<PrefetchedFragments> {
    const requests = [...fragments].map(({ name, ...options }) => this.loads.request(name, options));
    const prefetched = new PrefetchedFragments();
    const looks = await this.loads.lookAhead(requests);
    looks.forEach((look, index) => {
      const { store, segments } = requests[index]!;
      if (look !== undefined) prefetched.add(store, segments, look);
    });
    return prefetched;
  }

  /**
   * Makes every fragment, page and value with any of these tags absent, in every cache: fragments may be in any of them, and
   * what is around a fragment in another one. With `soft` it makes them stale instead.
   *
   * @throws InvalidArgumentError; BackendError of the first cache that failed, after all were tried
   */
  async invalidateTags(tags: readonly string[], options?: InvalidateOptions): Promise<void> {
    const checked = checkedTags(tags);
    const stores = this.loads.allStores();
    const rounds = stores.length === 1 ? 1 : ROUNDS;
    const failures: unknown[] = [];
    await withholding(checked, async () => {
      for (let round = 0; round < rounds; round += 1) {
        const done = await Promise.allSettled(
          stores.map((store) => store.invalidateTags(checked, options?.soft === true)),
        );
        for (const each of done) if (each.status === 'rejected') failures.push(each.reason);
      }
    });
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Runs something in which, and in all that follows from it, every fragment is rendered anew and nothing is stored: a request
   * of an author, in a middleware. Such a request passes the cache of pages by. Values are cached as ever, unless they are made
   * of fragments.
   *
   * @example
   * consumer.apply((request, _response, next) => (isAuthor(request) ? fragments.preview(next) : next())).forRoutes(ShopController)
   */
  preview<R>(run: () => R): R {
    return runInPreview(run);
  }
}
