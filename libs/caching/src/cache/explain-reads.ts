import type { Sight } from './entries.js';
import type { Explanation } from './explanation.js';
import { judgeTags } from './tags.js';

/** What `get` would answer, and why. */
export function getOf<T>(sight: Sight<T>, now: number, isChangePending: boolean): Explanation['get'] {
  if (sight.freshness === 'fresh') return { answers: 'value', because: 'the entry is fresh' };
  const because = whyNotFresh(sight, now, isChangePending);
  const remedy = sight.freshness === 'stale' ? '; only getOrSet uses stale values' : '';
  return { answers: 'undefined', because: because + remedy };
}

/** Why what lies under a key is not what readers get who use no stale windows. */
export function whyNotFresh<T>(
  { held, payload, recordOf }: Sight<T>,
  now: number,
  isChangePending: boolean,
): string {
  if (isChangePending)
    return 'a change of it failed in an outage, and is made up for when the backend is back';
  if (payload === undefined) return 'nothing is stored';
  if (held === undefined) return 'what is stored was not written by this cache, or by another version of it';
  const guard = typeof held === 'object' ? held.guard : undefined;
  if (guard?.isMarker === true) return 'the value is still being loaded';
  for (const version of guard?.tags ?? []) {
    const state = judgeTags([version], recordOf);
    if (state === 'current') continue;
    if (recordOf(version.tag) === undefined) return `the record of its tag "${version.tag}" is gone`;
    return `its tag "${version.tag}" was invalidated${state === 'soft' ? ' softly' : ''} after it was stored`;
  }
  return guard !== undefined && now >= guard.freshUntil ? 'its life has ended' : 'it is not current';
}

/** What `getOrSet` would do, and why. */
export function getOrSetOf<T>(
  { freshness, held }: Sight<T>,
  now: number,
  isLeased: boolean,
): Explanation['getOrSet'] {
  if (freshness === 'fresh') return { does: 'answer', because: 'the entry is fresh' };
  const guard = typeof held === 'object' ? held.guard : undefined;
  if (freshness === 'stale' && guard !== undefined) {
    if (now < guard.retryAt)
      return { does: 'answer', because: 'the last refresh failed, and the next has to wait' };
    if (now < guard.revalidateUntil) {
      return isLeased
        ? { does: 'answer', because: 'somebody refreshes the stale value already' }
        : { does: 'answer and refresh', because: 'the entry is within staleWhileRevalidate' };
    }
  }
  if (isLeased) return { does: 'wait', because: 'somebody is loading the value' };
  return {
    does: 'load',
    because:
      freshness === 'stale'
        ? 'the entry is within staleIfError: served if the load fails'
        : 'nothing is usable',
  };
}
