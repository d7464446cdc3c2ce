import { randomUUID } from 'node:crypto';
import type { Awaitable, Payload } from '../backends/cache-backend.js';
import type { Clock } from '../clock.js';
import type { Address, Entries, KeyPair, Sight } from './entries.js';
import { type Entry, type Guard, type Lease, OPEN_GUARD, usableUntil } from './entry.js';
import type { FailurePolicy } from './failure-policy.js';
import { judgeTags, type TagVersion } from './tags.js';

/** A lease that this process holds. It lies in the key's own place, so whoever writes to the key takes it away. */
export interface HeldLease<T> {
  readonly address: Address<T>;
  readonly pair: KeyPair;
  readonly token: string;
  /** The versions of the tags that were known when it was taken. */
  readonly tags: readonly TagVersion[];
  /** The stale value that lies beside the lease, if any. */
  readonly stale: Entry<T> | undefined;
  readonly createdAt: number;
  /** What lies under the key as long as the lease holds. */
  payload: Payload;
  isLost: boolean;
  /** A renewal that is on its way: until it is answered nobody knows what lies under the key. */
  renewal: Promise<void> | undefined;
}

/** The lease that somebody holds on a key, if it has not run out and no tag was invalidated since. */
export function leaseIn<T>({ held, recordOf }: Sight<T>, now: number): Lease | undefined {
  const lease = typeof held === 'object' ? held.guard?.lease : undefined;
  if (lease === undefined || now >= lease.until) return undefined;
  return judgeTags(lease.tags, recordOf) === 'current' ? lease : undefined;
}

/**
 * The right to load a key across processes. A lease is taken, renewed, used and given back by compare-and-set on the one
 * key, so a `set`, `delete` or `clear` of anybody cancels it, and a write with a cancelled lease is refused.
 */
export class Leases {
  constructor(
    private readonly entries: Entries,
    private readonly policy: FailurePolicy,
    private readonly leaseMs: number,
  ) {}

  /** Takes the lease on what the look has shown; `busy` if somebody else was faster. @throws BackendError */
  async take<T>(
    address: Address<T>,
    sight: Sight<T>,
    createdAt: number,
    tags: readonly TagVersion[],
  ): Promise<HeldLease<T> | 'busy'> {
    const { pair, payload: expected, held, freshness } = sight;
    const stale = typeof held === 'object' && freshness === 'stale' ? held : undefined;
    const token = randomUUID();
    const lease: HeldLease<T> = {
      address,
      pair,
      token,
      tags,
      stale,
      createdAt,
      payload: this.leased({ address, pair, stale, createdAt, token, tags }),
      isLost: false,
      renewal: undefined,
    };
    const { backend } = this.entries;
    const isOurs = await this.policy.demand('lease', () =>
      expected === undefined
        ? backend.add(pair.key, lease.payload, this.life(stale))
        : backend.compareAndSet(pair.key, expected, lease.payload, this.life(stale)),
    );
    return isOurs ? lease : 'busy';
  }

  /** Renews a lease from now on, until it is lost or the result is told to stop. */
  keepRenewed<T>(lease: HeldLease<T>, clock: Clock): () => void {
    const renewLater = (): (() => void) =>
      clock.after(this.leaseMs / 3, () => {
        void this.renew(lease).then(() => {
          if (!isStopped && !lease.isLost) cancel = renewLater();
        });
      });
    let isStopped = false;
    let cancel = renewLater();
    return () => {
      isStopped = true;
      cancel();
    };
  }

  /** Prolongs a lease; one that is found to be somebody else's is lost. A failing backend is asked again next time. */
  renew<T>(lease: HeldLease<T>): Promise<void> {
    return (lease.renewal ??= this.prolong(lease).finally(() => (lease.renewal = undefined)));
  }

  /** Stores in the lease's place, without failure policy; answers whether the lease still held. */
  async store<T>(lease: HeldLease<T>, payload: Payload, ttlMs: number | null): Promise<boolean> {
    if (lease.renewal !== undefined) await lease.renewal;
    return this.entries.backend.compareAndSet(lease.pair.key, lease.payload, payload, ttlMs);
  }

  /** Gives a lease back, and with it the stale value as it was, but for what the guard says anew. */
  async release<T>(lease: HeldLease<T>, change: Partial<Guard> = {}): Promise<void> {
    const { pair, stale, address } = lease;
    if (stale === undefined) return this.discard(lease);
    await this.end(lease, () => {
      const guard = { ...OPEN_GUARD, ...stale.guard, ...change, lease: undefined };
      const given = this.entries.payloads.of(address.codec, { ...stale, guard });
      return this.entries.backend.compareAndSet(pair.key, lease.payload, given, this.life(stale));
    });
  }

  /** Gives a lease back, and lets a stale value go as well: the load has shown that there is nothing to keep. */
  async discard<T>(lease: HeldLease<T>): Promise<void> {
    await this.end(lease, () => this.entries.backend.compareAndDelete(lease.pair.key, lease.payload));
  }

  /** @param write is called when no renewal is on its way that would change what lies under the key */
  private async end<T>(lease: HeldLease<T>, write: () => Awaitable<boolean>): Promise<void> {
    if (lease.renewal !== undefined) await lease.renewal;
    if (lease.isLost) return;
    await this.policy.forgive('lease', async () => void (await this.policy.demand('lease', write)));
  }

  private async prolong<T>(lease: HeldLease<T>): Promise<void> {
    const { pair, stale } = lease;
    const renewed = this.leased(lease);
    await this.policy.forgive('lease', async () => {
      const isOurs = await this.policy.demand('lease', () =>
        this.entries.backend.compareAndSet(pair.key, lease.payload, renewed, this.life(stale)),
      );
      if (isOurs) lease.payload = renewed;
      else lease.isLost = true;
    });
  }

  private leased<T>({
    address,
    pair,
    stale,
    createdAt,
    token,
    tags,
  }: Omit<HeldLease<T>, 'payload' | 'isLost' | 'renewal'>): Payload {
    const lease = { token, until: this.entries.now() + this.leaseMs, tags };
    if (stale !== undefined)
      return this.entries.payloads.of(address.codec, {
        ...stale,
        guard: { ...OPEN_GUARD, ...stale.guard, lease },
      });
    return this.entries.payloads.marker(pair.fullKey, createdAt, { ...OPEN_GUARD, lease, isMarker: true });
  }

  /** How long the backend keeps it: a lease alone as long as it holds, a stale value as long as it is of use. */
  private life<T>(stale: Entry<T> | undefined): number | null {
    if (stale === undefined) return this.leaseMs;
    const until = stale.guard === undefined ? Infinity : usableUntil(stale.guard);
    return until === Infinity ? null : Math.max(1, Math.ceil(until - this.entries.now()));
  }
}
