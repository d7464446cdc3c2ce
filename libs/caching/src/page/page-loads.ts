import type { IncomingHttpHeaders } from 'node:http';
import type { Address, Awaitable, Sight } from '../cache/entries.js';
import type { Entry } from '../cache/entry.js';
import { isPromise } from '../cache/failure-policy.js';
import type { Made, RunContext } from '../cache/load-plan.js';
import type { Served } from '../cache/loader.js';
import type { FirstLook } from '../cache/looks.js';
import type { PageCall } from './page-call.js';
import { isDirectory, pageCodec, type PageRecord, recordSize } from './page-record.js';
import { shownRoute } from './page-route.js';
import type { FreshPage } from './page-run.js';
import type { StoredPage } from './stored-page.js';
import { digestFor, type Variant, variantDigest, variantKey } from './variant-directory.js';
import { VariantStore } from './variant-store.js';

/** Pages know one version; a new form of them gets a new codec. */
const VERSION = 1;

/** What a look at the place of a page has shown. */
export interface PageSight {
  readonly address: Address<PageRecord>;
  readonly look: FirstLook<PageRecord>;
  /** Whether the place is that of a variant, and the list of variants is above it. */
  readonly isVariant: boolean;
}

/** Makes the page of a call; `undefined` if it is for nobody else. */
export type MakePage = (context: RunContext) => Promise<FreshPage | undefined>;

/** Where pages are looked for and loaded: under their key, or under that of the variant which a request matches. */
export class PageLoads {
  private readonly variants: VariantStore;

  constructor(
    private readonly flightTimeoutMs: number,
    maxVariants: number,
  ) {
    this.variants = new VariantStore(maxVariants);
  }

  /** Looks for the page: one round trip, and one more where it has variants. */
  look(call: PageCall): Awaitable<PageSight> {
    const first = this.lookAt(call, call.segments, false);
    return isPromise(first) ? first.then((seen) => this.follow(seen, call)) : this.follow(first, call);
  }

  /** The page of a call: the stored one, a stale one that may be used, or what is made. `undefined`: nothing to share. */
  async load(call: PageCall, seen: PageSight, make: MakePage): Promise<Served<PageRecord>> {
    const { engine } = call.route.cache;
    // Which variant the page is goes by what the client sent, whatever the handler does to it.
    const headers = { ...call.exchange.headers };
    const { ttlMs, revalidateMs, errorMs, name } = call.route;
    return engine.loader.load<PageRecord>({
      address: seen.address,
      first: seen.look,
      life: {
        ttlMs: ttlMs ?? null,
        revalidateMs: revalidateMs ?? 0,
        errorMs: errorMs ?? 0,
        tags: call.tags,
      },
      shownKey: shownRoute(name),
      errorTtlMs: 0,
      flightTimeoutMs: this.flightTimeoutMs,
      make: async (context) => {
        const fresh = await make(context);
        return fresh && this.keep({ ...call, headers }, seen, fresh, context);
      },
    });
  }

  /** Removes what lies in the place of a page. */
  async remove({ route }: PageCall, { address }: PageSight): Promise<void> {
    const { entries, policy } = route.cache;
    await policy.forgive('delete', async () => {
      await entries.onKey(address.codec.kind, address.segments, VERSION, ({ key }) =>
        entries.backend.delete(key),
      );
    });
  }

  /** Where a page belongs by what it varies by: its own entry, or that and the list of variants. */
  private async keep(
    { segments, headers, route }: PageCall & { readonly headers: IncomingHttpHeaders },
    { address, isVariant }: PageSight,
    { page, life, vary, tags, createdAt }: FreshPage,
    context: RunContext,
  ): Promise<Made<PageRecord> | undefined> {
    context.setLife(life);
    context.addTags(tags);
    const place = vary.length === 0 ? segments : variantKey(segments, variantDigest(headers, vary));
    if (place === address.segments && !isVariant) return made(page, place);
    const versions = await context.settleTags();
    if (versions === undefined) return undefined;
    const { entries } = route.cache;
    const keptMs = life.ttlMs === null ? null : life.ttlMs + Math.max(life.revalidateMs, life.errorMs);
    const stored = { place: addressOf(place), page, life, versions, createdAt };
    if (vary.length === 0) {
      // A response without `Vary` is for everybody: no list any more.
      await this.variants.store(route.cache, stored);
      return undefined;
    }
    const variant: Variant = {
      names: vary,
      digest: variantDigest(headers, vary),
      createdAt,
      keptUntil: keptMs === null ? null : entries.now() + keptMs,
    };
    if (place !== address.segments) await this.variants.store(route.cache, stored);
    if (isVariant) {
      await this.variants.list(route.cache, addressOf(segments), variant, versions);
      return place === address.segments ? made(page, place) : undefined;
    }
    context.setLife({ ttlMs: keptMs, revalidateMs: 0, errorMs: 0 });
    return made({ variants: [variant] }, segments);
  }

  private follow(seen: PageSight, call: PageCall): Awaitable<PageSight> {
    const record = freshRecord(seen.look.sight);
    if (record === undefined || !isDirectory(record)) return seen;
    const digest = digestFor(record, call.exchange.headers);
    return digest === undefined ? seen : this.lookAt(call, variantKey(call.segments, digest), true);
  }

  private lookAt({ route, tags }: PageCall, segments: string, isVariant: boolean): Awaitable<PageSight> {
    const address = addressOf(segments);
    const look = route.cache.engine.loader.looks.first(address, tags);
    return isPromise(look)
      ? look.then((later) => ({ address, look: later, isVariant }))
      : { address, look, isVariant };
  }
}

/** The page that a look has found, with when it was made. */
export function freshPage({ look }: PageSight): Entry<StoredPage> | undefined {
  const { sight } = look;
  if (sight?.freshness !== 'fresh' || typeof sight.held !== 'object') return undefined;
  return isDirectory(sight.held.value) ? undefined : (sight.held as Entry<StoredPage>);
}

function freshRecord(sight: Sight<PageRecord> | undefined): PageRecord | undefined {
  return sight?.freshness === 'fresh' && typeof sight.held === 'object' ? sight.held.value : undefined;
}

/** Where the record of these segments is kept. */
export function addressOf(segments: string): Address<PageRecord> {
  return { codec: pageCodec, segments, version: VERSION };
}

function made(record: PageRecord, segments: string): Made<PageRecord> {
  return { value: record, counter: undefined, size: recordSize(record, segments) };
}
