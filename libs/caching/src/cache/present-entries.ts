import type { Address, Entries, EntryCodec, Sight } from './entries.js';
import type { Entry, Guard } from './entry.js';
import type { FailurePolicy } from './failure-policy.js';
import { MissingKeyError, NotANumberError, NumberOutOfRangeError } from '../errors.js';

/** A failed compare-and-set is tried again so often. */
const MAX_ATTEMPTS = 10;

/** The verbs that work on what is present: lives, counters and versions. None of them revives what is not. */
export class PresentEntries<T> {
  constructor(
    private readonly codec: EntryCodec<T>,
    private readonly entries: Entries,
    private readonly policy: FailurePolicy,
  ) {}

  /** Gives a present entry a new life, counted from now; answers whether it was present. */
  async touch(segments: string, version: number, ttlMs: number | null): Promise<boolean> {
    const { backend } = this.entries;
    const touch = async (): Promise<boolean> => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
        const { pair, payload, held, freshness } = await this.entries.look(
          this.address(segments, version),
          [],
        );
        if (freshness !== 'fresh' || payload === undefined) return false;
        const guard = typeof held === 'object' ? held.guard : undefined;
        if (typeof held !== 'object' || guard === undefined) return backend.touch(pair.key, ttlMs);
        const { entry, keptMs } = this.prolonged(held, guard, ttlMs);
        await this.entries.tags.keep(
          guard.tags.map(({ tag }) => tag),
          keptMs,
        );
        if (
          await backend.compareAndSet(pair.key, payload, this.entries.payloads.of(this.codec, entry), keptMs)
        )
          return true;
      }
      return false;
    };
    return this.policy.write('touch', touch, false);
  }

  /** Remaining milliseconds; `null` for ever, `undefined` for an absent key. */
  async ttl(segments: string, version: number): Promise<number | null | undefined> {
    const look = async (): Promise<number | null | undefined> => {
      const { pair, held, freshness } = await this.entries.look(this.address(segments, version), []);
      if (freshness !== 'fresh') return undefined;
      const freshUntil = typeof held === 'object' ? (held.guard?.freshUntil ?? Infinity) : Infinity;
      if (freshUntil === Infinity) return this.entries.backend.ttl(pair.key);
      return freshUntil === Number.MAX_SAFE_INTEGER
        ? null
        : Math.max(1, Math.ceil(freshUntil - this.entries.now()));
    };
    return this.policy.read('ttl', look, undefined);
  }

  /** Adds to a counter and keeps its life; starts an absent one at `initial`, or answers `undefined`. */
  async increment(
    segments: string,
    version: number,
    delta: number,
    initial: number | undefined,
    ttlMs: number | null,
  ): Promise<number | undefined> {
    const { backend, journal, keys } = this.entries;
    const bump = () =>
      this.entries.onKey(this.codec.kind, segments, version, (pair) =>
        backend.increment(pair.key, delta, initial, ttlMs),
      );
    return this.policy.demand('increment', async () => {
      if (!journal.isEmpty) await journal.settle(keys.path(version, this.codec.kind, segments));
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await bump();
        } catch (error) {
          if (!(error instanceof NotANumberError) || attempt === MAX_ATTEMPTS) throw error;
          // A lease, or an entry that is no longer current, is as good as nothing.
          const sight = await this.entries.look(this.address(segments, version), []);
          if (sight.freshness === 'fresh' && typeof sight.held === 'object') throw error;
          if (initial === undefined) return undefined;
          if (await this.begin(sight, initial + delta, ttlMs)) return initial + delta;
        }
      }
    });
  }

  /** Moves a present entry to another version and keeps its remaining life. @throws MissingKeyError */
  async moveVersion(segments: string, from: number, to: number): Promise<void> {
    const { backend } = this.entries;
    await this.policy.demand('incrementVersion', async () => {
      const { pair, payload, held, freshness } = await this.entries.look(this.address(segments, from), []);
      if (freshness !== 'fresh' || payload === undefined) throw new MissingKeyError();
      const ttlMs = await backend.ttl(pair.key);
      if (ttlMs === undefined) throw new MissingKeyError();
      const target = this.entries.finalKeys.of(this.codec.kind, segments, to);
      const moved =
        typeof held === 'object'
          ? this.entries.payloads.of(this.codec, { ...held, fullKey: target.fullKey })
          : payload;
      await backend.set(target.key, moved, ttlMs);
      await backend.compareAndDelete(pair.key, payload);
    });
  }

  private async begin({ pair, payload }: Sight<T>, first: number, ttlMs: number | null): Promise<boolean> {
    if (!Number.isSafeInteger(first)) throw new NumberOutOfRangeError();
    const { backend } = this.entries;
    if (payload === undefined) return backend.add(pair.key, first, ttlMs);
    return backend.compareAndSet(pair.key, payload, first, ttlMs);
  }

  /** The entry with a new life; its stale windows keep their lengths. */
  private prolonged(
    entry: Entry<T>,
    guard: Guard,
    ttlMs: number | null,
  ): { readonly entry: Entry<T>; readonly keptMs: number | null } {
    const { freshUntil, revalidateUntil, errorUntil } = guard;
    if (freshUntil === Infinity) return { entry, keptMs: ttlMs };
    // A window after a life without end has no length to keep. Servers take whole milliseconds, and moments have fractions.
    const lengthOf = (end: number) => (end === Infinity ? 0 : Math.round(end - freshUntil));
    const revalidateMs = lengthOf(revalidateUntil);
    const errorMs = lengthOf(errorUntil);
    const until = ttlMs === null ? Number.MAX_SAFE_INTEGER : this.entries.now() + ttlMs;
    const windowEnd = (ms: number) => (ttlMs !== null ? until + ms : ms > 0 ? Infinity : until);
    return {
      entry: {
        ...entry,
        guard: {
          ...guard,
          freshUntil: until,
          revalidateUntil: windowEnd(revalidateMs),
          errorUntil: windowEnd(errorMs),
        },
      },
      keptMs: ttlMs === null ? null : ttlMs + Math.max(0, revalidateMs, errorMs),
    };
  }

  private address(segments: string, version: number): Address<T> {
    return { codec: this.codec, segments, version };
  }
}
