import { UnsupportedOperationError } from '../errors.js';
import type { Engine } from './engine.js';
import type { EntryCodec } from './payloads.js';
import { parseFrame } from './frame.js';
import { DIGEST_MARK, unescapeKey } from './keys.js';
import { matcherOf } from './pattern.js';

/** So many keys are looked at in one round trip. */
const PAGE = 100;

/** The keys of one layer that are present, where the backend can list. */
export class Listing<T> {
  private readonly unread: EntryCodec<T>;

  constructor(
    codec: EntryCodec<T>,
    private readonly engine: Engine,
  ) {
    this.unread = { ...codec, decode: () => undefined as T };
  }

  /** The segments of those that match, in no order. @throws UnsupportedOperationError, BackendError */
  async *segments(pattern: string, version: number): AsyncGenerator<string, void, undefined> {
    const { entries, policy } = this.engine;
    const { backend } = entries;
    const list = backend.keys?.bind(backend);
    if (list === undefined || !backend.capabilities.lists) {
      throw new UnsupportedOperationError(
        backend.name,
        'keys() and deletePattern()',
        'Give the entries a tag and use invalidateTags(), or use a backend that can list: memory, file, database, redis.',
      );
    }
    const { epoch } = await policy.demand(
      'keys',
      async () => entries.stamps.current ?? (await entries.stamps.load()),
    );
    const prefix = entries.keys.base(epoch, version, this.unread.kind);
    const matches = matcherOf(pattern);
    let page: string[] = [];
    const keys = list(prefix)[Symbol.asyncIterator]();
    for (;;) {
      const next = await policy.demand('keys', () => keys.next());
      if (next.done !== true) page.push(next.value);
      if (page.length < PAGE && next.done !== true) continue;
      for (const segments of await this.present(page, prefix, version)) {
        if (matches(unescapeKey(segments))) yield segments;
      }
      if (next.done === true) return;
      page = [];
    }
  }

  /** Hands those that match to `remove`, a page at a time; answers the sum of what it answers. */
  async remove(
    pattern: string,
    version: number,
    remove: (segments: readonly string[]) => Promise<number>,
  ): Promise<number> {
    let removed = 0;
    let page: string[] = [];
    for await (const segments of this.segments(pattern, version)) {
      if (page.push(segments) < PAGE) continue;
      removed += await remove(page);
      page = [];
    }
    return page.length === 0 ? removed : removed + (await remove(page));
  }

  private async present(keys: readonly string[], prefix: string, version: number): Promise<string[]> {
    const { entries, policy } = this.engine;
    const segments: string[] = [];
    for (const each of await this.segmentsOf(keys, prefix)) segments.push(each);
    if (segments.length === 0) return [];
    const addresses = segments.map((each) => ({ codec: this.unread, segments: each, version }));
    const sights = await policy.demand('keys', () => entries.lookAtAll(addresses, []));
    return segments.filter((_each, index) => sights[index]?.freshness === 'fresh');
  }

  /** What stands behind the prefix; under a digest, as the entry itself says. */
  private async segmentsOf(keys: readonly string[], prefix: string): Promise<string[]> {
    const { entries, policy } = this.engine;
    const digested = keys.filter((key) => key.includes(DIGEST_MARK));
    const payloads =
      digested.length === 0 ? [] : await policy.demand('keys', () => entries.backend.getMany(digested));
    const full = payloads.map((payload) => {
      if (payload === undefined || typeof payload === 'number') return undefined;
      return payload instanceof Uint8Array
        ? parseFrame(payload)?.fullKey
        : (payload as unknown as { readonly fullKey: string }).fullKey;
    });
    return [...keys.filter((key) => !key.includes(DIGEST_MARK)), ...full]
      .filter((key) => key?.startsWith(prefix) === true)
      .map((key) => (key ?? '').slice(prefix.length));
  }
}
