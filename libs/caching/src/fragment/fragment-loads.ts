import type { CacheRegistry } from '../cache/cache-registry.js';
import type { LoadContext } from '../cache/cache-service.options.js';
import type { Life } from '../cache/entry.js';
import type { Made, RunContext } from '../cache/load-plan.js';
import type { LoadRequest, Served } from '../cache/loader.js';
import type { FirstLook } from '../cache/looks.js';
import { isInPreview } from '../cache/preview.js';
import { currentTagScope } from '../cache/tag-scope.js';
import { stringBytes } from '../cache/value-size.js';
import { ttlToMs } from '../duration.js';
import { InvalidArgumentError } from '../errors.js';
import type { ResolvedFragmentsOptions } from '../resolve-options.js';
import { fragmentKey } from './fragment-key.js';
import type { FragmentIdentity, FragmentOptions } from './fragment.options.js';
import { FragmentStore } from './fragment-store.js';

/** One fragment that a page asks for. */
export interface FragmentRequest {
  readonly name: string;
  readonly store: FragmentStore;
  readonly segments: string;
  readonly life: Life;
  /** A value, a promise, or a function that answers either. */
  readonly data: unknown;
  /** What was seen of it beforehand. */
  readonly look: FirstLook<string> | undefined;
}

/** Where a fragment is kept, and what was seen there. */
type Place = Pick<FragmentRequest, 'store' | 'segments' | 'look'>;

/** Makes the markup of a fragment that is not at hand. */
export type MakeMarkup = (context: RunContext) => Promise<string>;

/** What is asked of the loader for one fragment. */
export interface FragmentLoad {
  readonly request: FragmentRequest;
  readonly make: MakeMarkup;
  /** Told when the block will not be rendered soon, or not at all. */
  readonly standsBack?: () => void;
  readonly refreshesInPlace?: boolean;
}

/** How fragments come from the engine: what every template engine's adapter and {@link FragmentCache} stand on. */
export class FragmentLoads {
  private readonly stores = new Map<string, FragmentStore>();

  constructor(
    private readonly registry: CacheRegistry,
    private readonly options: ResolvedFragmentsOptions,
  ) {}

  /** Whether fragments are rendered anew and not stored. */
  get isPreview(): boolean {
    return this.options.preview || isInPreview();
  }

  /**
   * The markup, if it is at hand without waiting; else what to ask for. A hit needs no life, so none is made of the options.
   *
   * @throws UnknownCacheError, InvalidArgumentError, InvalidDurationError: all that can be wrong with a request is, here
   */
  find<D>(name: string, options: FragmentOptions<D>): string | FragmentRequest {
    const place = this.place(name, options);
    const held = this.isPreview ? undefined : place.store.peek(place.segments, place.look);
    return held ?? requestAt(place, name, options);
  }

  /** What to ask for, be it at hand or not. @throws as {@link find} does */
  request<D>(name: string, options: FragmentOptions<D>): FragmentRequest {
    return requestAt(this.place(name, options), name, options);
  }

  private place<D>(name: string, options: FragmentOptions<D>): Place {
    const { store, segments } = this.locate(name, options);
    silence(options.data);
    return { store, segments, look: options.prefetched?.take(store, segments) };
  }

  /** Where a fragment is kept. @throws UnknownCacheError, InvalidArgumentError */
  locate(
    name: string,
    { cache: given, varyOn }: FragmentIdentity,
  ): { readonly store: FragmentStore; readonly segments: string } {
    const cache = given ?? this.options.cache;
    let store = this.stores.get(cache);
    if (store === undefined) {
      store = new FragmentStore(this.registry.get(cache));
      this.stores.set(cache, store);
    }
    return { store, segments: fragmentKey(name, varyOn) };
  }

  /** The stores of every cache that fragments use or could use, and with them the pages'. */
  allStores(): readonly FragmentStore[] {
    return this.registry.all.map(({ service }) => this.locate('-', { cache: service.name }).store);
  }

  /** The markup of one fragment: what is held, or what is made. */
  async load(load: FragmentLoad): Promise<string> {
    const { request } = load;
    if (this.isPreview) return load.make(previewContext());
    const { look, store } = request;
    return markupOf(await store.loader.load({ ...loadRequest(load), first: look }));
  }

  /** The markups of many fragments that were looked at. `begun` is told how many of them are to be made here, if nobody stands back. */
  async loadMany(
    loads: readonly FragmentLoad[],
    looks: readonly (FirstLook<string> | undefined)[],
    begun: (flights: number) => void,
  ): Promise<string[]> {
    if (this.isPreview) {
      begun(loads.length);
      return Promise.all(loads.map(async ({ make }) => make(previewContext())));
    }
    let flights = 0;
    const served = loads.map(async (load, index) => {
      const look = looks[index];
      const answer = load.request.store.loader.loadMany(
        [loadRequest(load)],
        (started) => (flights += started),
        look === undefined ? undefined : [look],
      );
      return markupOf((await answer)[0]);
    });
    begun(flights);
    return Promise.all(served);
  }

  /** One look at many fragments for each cache that they are in, unless it was taken before; none in a preview. */
  async lookAhead(requests: readonly FragmentRequest[]): Promise<(FirstLook<string> | undefined)[]> {
    const looks = requests.map(({ look }) => look);
    if (this.isPreview) return looks;
    const byStore = new Map<FragmentStore, number[]>();
    requests.forEach(({ store, look }, index) => {
      if (look !== undefined) return;
      const indexes = byStore.get(store);
      if (indexes === undefined) byStore.set(store, [index]);
      else indexes.push(index);
    });
    await Promise.all(
      [...byStore].map(async ([store, indexes]) => {
        const asked = indexes.map((index) => requests[index]!);
        const seen = await store.loader.looks.ahead<string>(
          asked.map(({ segments, life }) => ({ address: store.address(segments), life })),
        );
        indexes.forEach((index, position) => (looks[index] = seen[position]));
      }),
    );
    return looks;
  }
}

/** What a fragment is made of, got only now. */
export async function dataOf({ data }: Pick<FragmentRequest, 'data'>): Promise<unknown> {
  return typeof data === 'function' ? (data as () => unknown)() : data;
}

/** Whether a fragment must wait for what it is made of. */
export function isDataPending({ data }: Pick<FragmentRequest, 'data'>): boolean {
  return typeof data === 'function' || isThenable(data);
}

function requestAt<D>(
  { store, segments, look }: Place,
  name: string,
  options: FragmentOptions<D>,
): FragmentRequest {
  return { name, store, segments, life: store.life(options), data: options.data, look };
}

/** On a hit nobody waits for a promise, and its failure would be the process's. */
export function silence(data: unknown): void {
  if (isThenable(data)) data.then(undefined, () => undefined);
}

function isThenable(data: unknown): data is PromiseLike<unknown> {
  return typeof (data as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/** What is given to whoever makes a fragment in code. */
export function loadContext({ signal, setLife, addTags }: RunContext): LoadContext {
  return { signal, setTtl: (ttl) => setLife({ ttlMs: ttlToMs(ttl) }), addTags };
}

function loadRequest({ request, make, ...rest }: FragmentLoad): LoadRequest<string> {
  const { name, store, segments, life } = request;
  return {
    address: store.address(segments),
    life,
    make: async (context) => madeOf(name, await make(context)),
    shownKey: segments,
    errorTtlMs: store.errorTtlMs,
    ...rest,
  };
}

function madeOf(name: string, markup: unknown): Made<string> {
  if (typeof markup !== 'string') {
    throw new InvalidArgumentError(
      `Fragment "${name}" was rendered to something of type ${typeof markup}; it must be text.`,
    );
  }
  return { value: markup, counter: undefined, size: stringBytes(markup) };
}

/** A flight may end with nothing if its process gave it up; the empty string is a value. */
function markupOf(served: Served<string> | undefined): string {
  return typeof served?.content === 'string' ? served.content : '';
}

/** What is made of a preview must not be kept either. */
function previewContext(): RunContext {
  const scope = currentTagScope();
  if (scope !== undefined) scope.isTransient = true;
  const { signal } = new AbortController();
  return {
    signal,
    setLife: () => undefined,
    addTags: () => undefined,
    settleTags: () => Promise.resolve(undefined),
  };
}
