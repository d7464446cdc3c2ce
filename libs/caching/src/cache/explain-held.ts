import type { Payload } from '../backends/cache-backend.js';
import { codecOf } from './bodies.js';
import { CodecId } from './codec.js';
import type { Engine } from './engine.js';
import type { Address, Sight } from './entries.js';
import type { Guard } from './entry.js';
import type { HeldExplanation } from './explanation.js';
import { parseFrame } from './frame.js';
import { leaseIn } from './leases.js';
import { judgeTags } from './tags.js';

/** What a look for an explanation has shown. */
export interface ExplainedSight<T> {
  readonly sight: Sight<T>;
  readonly held: HeldExplanation;
  /** When that was, in milliseconds since 1970. */
  readonly now: number;
  readonly isLeased: boolean;
  readonly isChangePending: boolean;
}

/** Looks at a key as a read does, and changes nothing. @throws BackendError */
export async function lookToExplain<T>(
  { entries, policy, loader }: Engine,
  address: Address<T>,
): Promise<ExplainedSight<T>> {
  const [sight, ttl] = await policy.demand('explain', async () => {
    const seen = await entries.look(address, []);
    return [seen, await entries.backend.ttl(seen.pair.key)] as const;
  });
  const now = entries.now();
  const lease = leaseIn(sight, now);
  const path = entries.keys.path(address.version, address.codec.kind, address.segments);
  return {
    sight,
    held: heldIn(sight, ttl, now, lease === undefined ? undefined : loader.holds(address, lease.token)),
    now,
    isLeased: lease !== undefined,
    isChangePending: !entries.journal.isEmpty && entries.journal.isPending(path),
  };
}

/** What lies under a key, as far as a look has shown it. */
function heldIn<T>(
  sight: Sight<T>,
  ttl: number | null | undefined,
  now: number,
  isOurs: boolean | undefined,
): HeldExplanation {
  const { held, payload, recordOf } = sight;
  if (payload === undefined) return { what: 'nothing' };
  if (held === undefined) return { what: 'foreign' };
  if (typeof held === 'number') return { what: 'counter', freshFor: ttl ?? null };
  const { guard, createdAt, loadMs, size } = held;
  const lease = guard?.lease;
  const leased =
    lease === undefined
      ? {}
      : { lease: { isOurs: isOurs === true, remaining: Math.max(0, lease.until - now) } };
  if (guard?.isMarker === true) return { what: 'lease', age: now - createdAt, ...leased };
  const common = {
    what: 'value' as const,
    age: now - createdAt,
    loadMs,
    bytes: size,
    ...writtenAs(payload),
    ...leased,
  };
  if (guard === undefined) return { ...common, freshFor: ttl ?? null };
  return {
    ...common,
    freshFor: guard.freshUntil === Infinity ? (ttl ?? null) : until(guard.freshUntil, now),
    ...windowsOf(guard, now),
    tags: guard.tags.map(({ tag, hard, soft }) => {
      const record = recordOf(tag);
      return {
        tag,
        stored: { hard, soft },
        current: record && { hard: record.hard, soft: record.soft },
        state: judgeTags([{ tag, hard, soft }], recordOf),
      };
    }),
    ...(guard.failures > 0 && {
      failedRefreshes: guard.failures,
      nextRefreshIn: Math.max(0, Math.ceil(guard.retryAt - now)),
    }),
  };
}

function windowsOf(guard: Guard, now: number): Partial<HeldExplanation> {
  const { freshUntil, revalidateUntil, errorUntil } = guard;
  return {
    ...(revalidateUntil > freshUntil && { staleWhileRevalidateFor: until(revalidateUntil, now) }),
    ...(errorUntil > freshUntil && { staleIfErrorFor: until(errorUntil, now) }),
  };
}

function until(moment: number, now: number): number | null {
  return moment >= Number.MAX_SAFE_INTEGER ? null : Math.max(0, Math.ceil(moment - now));
}

function writtenAs(payload: Payload): Partial<HeldExplanation> {
  if (!(payload instanceof Uint8Array)) return { codec: 'object' };
  const { id, isCompressed } = codecOf(parseFrame(payload)?.codec ?? 0);
  const names = Object.keys(CodecId) as (keyof typeof CodecId)[];
  return { codec: names.find((name) => CodecId[name] === id) ?? 'unknown', isCompressed };
}
