import type { OpenCache } from '../cache/cache-registry.js';
import type { Address } from '../cache/entries.js';
import { guardFor, keptFor, type Life } from '../cache/entry.js';
import type { TagVersion } from '../cache/tags.js';
import { isDirectory, type PageRecord, recordSize } from './page-record.js';
import type { PageLife } from './page-policy.js';
import type { StoredPage } from './stored-page.js';
import { directoryLife, type Variant, variantKey, withVariant } from './variant-directory.js';

/** So often a list of variants is changed anew when others were faster. */
const MAX_ATTEMPTS = 5;

/** A page that goes to another place than the one that was loaded. */
export interface DisplacedPage {
  readonly place: Address<PageRecord>;
  readonly page: StoredPage;
  readonly life: PageLife;
  /** Of its tags, before its load. */
  readonly versions: readonly TagVersion[];
  readonly createdAt: number;
}

/** Writes variants and their lists. Their tags keep the versions from before the load, so that no invalidation is lost. */
export class VariantStore {
  /** The last change of each list that is under way. */
  private readonly turns = new Map<string, Promise<void>>();

  constructor(private readonly maxVariants: number) {}

  async store(
    { entries, policy }: OpenCache,
    { place, page, life, versions, createdAt }: DisplacedPage,
  ): Promise<void> {
    const whole: Life = { ...life, tags: versions.map(({ tag }) => tag) };
    await policy.demand('set', () =>
      entries.onKey(place.codec.kind, place.segments, place.version, ({ key, fullKey }) => {
        const guard = guardFor(whole, versions, entries.now());
        const entry = {
          value: page,
          size: recordSize(page, place.segments),
          createdAt,
          loadMs: 0,
          fullKey,
          guard,
        };
        return entries.backend.set(key, entries.payloads.of<PageRecord>(place.codec, entry), keptFor(whole));
      }),
    );
  }

  /**
   * Adds a variant to the list, and removes the pages of those for which there is no more room; its own if the list could not
   * be changed, since what is on no list is dropped by none. In turns: many at once would only be in one another's way.
   */
  async list(
    cache: OpenCache,
    address: Address<PageRecord>,
    variant: Variant,
    versions: readonly TagVersion[],
  ): Promise<void> {
    const id = `${cache.service.name}:${address.segments}`;
    const earlier = this.turns.get(id) ?? Promise.resolve();
    const turn = earlier.catch(() => undefined).then(() => this.change(cache, address, variant, versions));
    this.turns.set(id, turn);
    try {
      await turn;
    } finally {
      if (this.turns.get(id) === turn) this.turns.delete(id);
    }
  }

  private async change(
    { entries, policy }: OpenCache,
    address: Address<PageRecord>,
    variant: Variant,
    versions: readonly TagVersion[],
  ): Promise<void> {
    const { backend, payloads } = entries;
    const drop = async (variants: readonly Variant[]): Promise<void> => {
      const gone = variants.map(({ digest }) =>
        entries.finalKeys.of(address.codec.kind, variantKey(address.segments, digest), address.version),
      );
      if (gone.length > 0) await backend.deleteMany(gone.map((pair) => pair.key));
    };
    await policy.demand('set', async () => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const sight = await entries.look(address, []);
        const held =
          sight.freshness === 'fresh' && typeof sight.held === 'object' ? sight.held.value : undefined;
        const now = entries.now();
        const listed = held !== undefined && isDirectory(held) ? held : undefined;
        const { directory, dropped } = withVariant(listed, variant, this.maxVariants, now);
        const { key, fullKey } = sight.pair;
        const life = { ttlMs: directoryLife(directory, now), revalidateMs: 0, errorMs: 0, tags: [] };
        const guard = guardFor(life, versions, now);
        const size = recordSize(directory, address.segments);
        const entry = { value: directory, size, createdAt: now, loadMs: 0, fullKey, guard };
        const payload = payloads.of<PageRecord>(address.codec, entry);
        const isListed = await (sight.payload === undefined
          ? backend.add(key, payload, life.ttlMs)
          : backend.compareAndSet(key, sight.payload, payload, life.ttlMs));
        if (isListed) return drop(dropped);
      }
      await drop([variant]);
    });
  }
}
