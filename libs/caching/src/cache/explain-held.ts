import type { Payload } from '../backends/cache-backend.js';
import { codecOf } from './bodies.js';
import { CodecId } from './codec.js';
import type { Sight } from './entries.js';
import type { Guard } from './entry.js';
import type { HeldExplanation } from './explanation.js';
import { parseFrame } from './frame.js';
import { judgeTags } from './tags.js';
import type { KeptValue } from './values.js';

/** What lies under a key, as far as a look has shown it. */
export function heldIn(
  sight: Sight<KeptValue>,
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
