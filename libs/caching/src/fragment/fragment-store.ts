import type { OpenCache } from '../cache/cache-registry.js';
import type { SetOptions } from '../cache/cache-service.options.js';
import type { Address } from '../cache/entries.js';
import type { Life } from '../cache/entry.js';
import { isPromise } from '../cache/failure-policy.js';
import { Lives } from '../cache/lives.js';
import type { Loader } from '../cache/loader.js';
import type { FirstLook } from '../cache/looks.js';
import { noteRead } from '../cache/tag-scope.js';
import { Writes } from '../cache/writes.js';
import { fragmentCodec } from './fragment-codec.js';

/** One cache, as fragments use it. */
export class FragmentStore {
  private readonly lives: Lives;
  private readonly writes: Writes<string>;

  constructor(private readonly cache: OpenCache) {
    const { engine, options } = cache;
    this.lives = new Lives(options, engine.random);
    this.writes = new Writes(fragmentCodec, engine.entries, engine.policy, engine.loader);
  }

  get name(): string {
    return this.cache.service.name;
  }

  get loader(): Loader {
    return this.cache.engine.loader;
  }

  get errorTtlMs(): number {
    return this.cache.options.errorTtlMs;
  }

  address(segments: string): Address<string> {
    return { codec: fragmentCodec, segments, version: this.cache.options.version };
  }

  /** How a fragment is to live. @throws InvalidDurationError, InvalidArgumentError */
  life(options: SetOptions): Life {
    return this.lives.of(options);
  }

  /** The markup, if it is at hand without waiting: in this process, or in a look that was taken. */
  peek(segments: string, look: FirstLook<string> | undefined): string | undefined {
    const { entries } = this.cache.engine;
    let held: ReturnType<typeof entries.read<string>>;
    if (look !== undefined) held = look.sight?.freshness === 'fresh' ? look.sight.held : undefined;
    else if (entries.answersAtOnce) held = entries.read(fragmentCodec, segments, this.cache.options.version);
    if (held === undefined || isPromise(held) || typeof held !== 'object') return undefined;
    entries.counters.hits += 1;
    noteRead(entries.tags, held);
    return held.value;
  }

  async delete(segments: string): Promise<boolean> {
    return this.writes.delete(segments, this.cache.options.version);
  }

  async invalidateTags(tags: readonly string[], isSoft: boolean): Promise<void> {
    await this.cache.engine.invalidations.invalidateTags(tags, isSoft);
  }
}
