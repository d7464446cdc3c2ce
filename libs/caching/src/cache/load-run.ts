import type { Clock } from '../clock.js';
import { LoadTimeoutError, ValueTooLargeError } from '../errors.js';
import type { Entries, Sight } from './entries.js';
import { type Entry, type Guard, guardFor, keptFor, type Life } from './entry.js';
import type { FailurePolicy } from './failure-policy.js';
import type { Flight } from './flight.js';
import { type Landing, landingOf, NOTHING } from './landing.js';
import { type HeldLease, leaseIn, type Leases } from './leases.js';
import { NO_TAGS, NO_VERSIONS, type TagVersion } from './tags.js';
import { TagDependencies } from './tag-dependencies.js';
import { type LoadPlan, type Made, runFactory } from './load-plan.js';

/** How often a follower looks whether the holder of the lease is done, in milliseconds: at first, and at most. */
const FIRST_POLL_MS = 20;
const LAST_POLL_MS = 250;
/** After a failed refresh the next waits so long, then twice as long, up to a bound, in milliseconds. */
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;
const MAX_DOUBLINGS = 16;

/** One run of a factory, from the lease to the stored entry. */
export class LoadRun {
  constructor(
    private readonly entries: Entries,
    private readonly policy: FailurePolicy,
    private readonly leases: Leases,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  timeout(cache: string, timeoutMs: number): LoadTimeoutError {
    this.entries.counters.loadErrors += 1;
    return new LoadTimeoutError(cache, timeoutMs);
  }

  /**
   * Loads under a lease, or waits for whoever has it. `begun` is called when the factory begins; `order` tells when a look
   * begins.
   */
  async run<T>(
    flight: Flight<T>,
    plan: LoadPlan<T>,
    first: Sight<T> | undefined,
    begun: () => void,
    order: () => number,
  ): Promise<Landing<T>> {
    let sight = first;
    for (let poll = FIRST_POLL_MS; sight !== undefined && this.entries.backend.capabilities.stores;) {
      const isHeld = leaseIn(sight, this.entries.now()) !== undefined;
      const taken = isHeld ? 'busy' : await this.takeLease(plan, sight);
      if (taken === 'unavailable') break;
      if (taken !== 'busy') return this.runLeased(flight, plan, taken, begun, order);
      plan.standsBack?.();
      await this.pause(poll);
      poll = Math.min(2 * poll, LAST_POLL_MS);
      const seenAt = order();
      sight = await this.policy.read<Sight<T> | undefined>('get', () => this.lookAgain(plan), undefined);
      if (sight?.freshness === 'fresh') return landingOf(sight, seenAt);
      // Whoever has given up on this flight has begun another.
      if (flight.isOver) return NOTHING;
    }
    return this.runUnleased(flight, plan, sight, begun);
  }

  private lookAgain<T>({ address, life }: LoadPlan<T>) {
    return this.entries.look(address, life.tags);
  }

  private async takeLease<T>(
    plan: LoadPlan<T>,
    sight: Sight<T>,
  ): Promise<{ readonly lease: HeldLease<T>; readonly tags: TagDependencies } | 'busy' | 'unavailable'> {
    let taken: Awaited<ReturnType<LoadRun['takeLease']>> = 'unavailable';
    const take = async (): Promise<void> => {
      const tags = await this.policy.demand('lease', () => this.dependenciesOf(plan, sight));
      const lease = await this.leases.take(plan.address, sight, this.entries.now(), tags.known);
      taken = lease === 'busy' ? lease : { lease, tags };
    };
    await this.policy.forgive('lease', take).catch(() => undefined);
    return taken;
  }

  private async runLeased<T>(
    flight: Flight<T>,
    plan: LoadPlan<T>,
    { lease, tags }: { readonly lease: HeldLease<T>; readonly tags: TagDependencies },
    begun: () => void,
    order: () => number,
  ): Promise<Landing<T>> {
    flight.token = lease.token;
    const stopRenewing = this.leases.keepRenewed(lease, this.clock);
    const giveUp = (): void => {
      stopRenewing();
      void this.leases.release(lease, this.afterFailure(lease.stale));
    };
    const { signal } = flight.controller;
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      begun();
      const startedAt = this.clock.monotonic();
      const settle = async (): Promise<readonly TagVersion[] | undefined> => {
        const { versions, outdatedFrom } = await tags.settle();
        return outdatedFrom === undefined && !flight.isOver && !lease.isLost ? versions : undefined;
      };
      const factory = await runFactory(flight, plan, tags, this.entries, settle);
      const loadMs = Math.round(this.clock.monotonic() - startedAt);
      return await this.keep(flight, plan, lease, tags, { ...factory, loadMs }, order);
    } catch (error) {
      plan.standsBack?.();
      if (!signal.aborted) await this.leases.release(lease, this.afterFailure(lease.stale));
      throw error;
    } finally {
      stopRenewing();
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** The tags that are known before the load, at the versions of the look; those without a record get one. */
  private async dependenciesOf<T>({ life }: LoadPlan<T>, sight: Sight<T>): Promise<TagDependencies> {
    const missing = life.tags.filter((tag) => sight.recordOf(tag) === undefined);
    const created = missing.length === 0 ? [] : await this.entries.tags.create(missing, sight.stamp);
    const known = life.tags.map((tag): TagVersion => {
      const record = sight.recordOf(tag) ?? created[missing.indexOf(tag)];
      return { tag, hard: record?.hard ?? 0, soft: record?.soft ?? 0 };
    });
    return new TagDependencies(this.entries, sight.stamp, known);
  }

  /** Without a lease nobody knows what happens meanwhile, so the result is for its callers and is not stored. */
  private async runUnleased<T>(
    flight: Flight<T>,
    plan: LoadPlan<T>,
    sight: Sight<T> | undefined,
    begun: () => void,
  ): Promise<Landing<T>> {
    begun();
    if (this.entries.backend.capabilities.stores) this.entries.counters.unleased += 1;
    const createdAt = this.entries.now();
    const tags = new TagDependencies(this.entries, sight?.stamp ?? 0, []);
    tags.learn(plan.life.tags);
    const { made, isTransient } = await runFactory(flight, plan, tags, this.entries, async () => undefined);
    return { ...NOTHING, content: made?.value, createdAt, names: tags.names, isTransient };
  }

  /** Stores what was made, unless something has come in between: then it is for its callers alone. */
  private async keep<T>(
    flight: Flight<T>,
    plan: LoadPlan<T>,
    lease: HeldLease<T>,
    tags: TagDependencies,
    {
      made,
      life,
      isTransient,
      loadMs,
    }: {
      readonly made: Made<T> | undefined;
      readonly life: Life;
      readonly isTransient: boolean;
      readonly loadMs: number;
    },
    order: () => number,
  ): Promise<Landing<T>> {
    const landing = { ...NOTHING, content: made?.value, createdAt: lease.createdAt };
    if (made === undefined || (life.ttlMs !== null && life.ttlMs <= 0)) {
      await this.leases.discard(lease);
      return { ...landing, names: tags.names, isTransient };
    }
    // Until the tags have been compared, whoever came after another invalidation had better not have it.
    const kept = {
      outcome: 'failed' as Outcome,
      versions: NO_VERSIONS,
      outdatedFrom: tags.doubtFrom as number | undefined,
    };
    const seenAt = order();
    const store = async (): Promise<void> => {
      Object.assign(kept, await tags.settle());
      const isOutdated = kept.outdatedFrom !== undefined || flight.isOver || lease.isLost;
      kept.outcome = isOutdated ? 'fenced' : await this.store(plan, lease, made, life, kept.versions, loadMs);
    };
    await this.policy.forgive('set', async () => this.policy.demand('set', store));
    if (kept.outcome === 'fenced') this.entries.counters.fenced += 1;
    // A backend that has just failed may let the release wait as well, and the callers have waited long enough.
    if (kept.outcome === 'failed') void this.leases.release(lease);
    else if (kept.outcome === 'refused') await this.leases.discard(lease);
    else if (kept.outcome === 'fenced') await this.leases.release(lease);
    const { versions, outdatedFrom, outcome } = kept;
    const names = versions.length === 0 ? tags.names : NO_TAGS;
    return {
      ...landing,
      outdatedFrom,
      seenAt,
      tags: versions,
      names,
      ttlMs: outcome === 'stored' ? life.ttlMs : 0,
    };
  }

  private async store<T>(
    { address }: LoadPlan<T>,
    lease: HeldLease<T>,
    { value, counter, size }: Made<T>,
    life: Life,
    tags: readonly TagVersion[],
    loadMs: number,
  ): Promise<Outcome> {
    const { backend, keys, stamps, counters } = this.entries;
    const { createdAt, pair } = lease;
    const { fullKey } = pair;
    const guard = guardFor(life, tags, this.entries.now());
    const keptMs = keptFor(life);
    try {
      const payload =
        counter !== undefined && guard === undefined
          ? counter
          : this.entries.payloads.of(address.codec, { value, size, createdAt, loadMs, fullKey, guard });
      if (tags.length > 0) await this.keepTags(tags, keptMs);
      const { shared } = backend.capabilities;
      const { latest } = stamps;
      const [isStored, record] = await Promise.all([
        this.leases.store(lease, payload, keptMs),
        shared ? backend.get(keys.controlKey) : undefined,
      ]);
      if (shared) stamps.accept(record, latest);
      return isStored && this.entries.finalKeys.isCurrent(fullKey) ? 'stored' : 'fenced';
    } catch (error) {
      if (!(error instanceof ValueTooLargeError)) throw error;
      counters.tooLarge += 1;
      return 'refused';
    }
  }

  private async keepTags(tags: readonly TagVersion[], keptMs: number | null): Promise<void> {
    const names = tags.map(({ tag }) => tag);
    await this.entries.tags.keep(names, keptMs);
  }

  /** After a failed refresh the next one waits from now, longer each time. */
  private afterFailure<T>(stale: Entry<T> | undefined): Partial<Guard> {
    const failures = (stale?.guard?.failures ?? 0) + 1;
    const pause = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, MAX_DOUBLINGS), LAST_RETRY_MS);
    return { failures, retryAt: this.entries.now() + pause * (1 - this.random() / 2) };
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(ms * (1 - this.random() / 2), resolve, true));
  }
}

type Outcome = 'stored' | 'fenced' | 'refused' | 'failed';
