import { benchHits } from './low-level/hits.mjs';
import { benchStall } from './low-level/stall.mjs';
import { benchStampede } from './low-level/stampede.mjs';
import { benchTags } from './low-level/tags.mjs';

/** What the low-level API costs and withstands, beside its peers. */
export async function benchLowLevel({ redis, isWanted }) {
  if (isWanted('hits')) await benchHits({ rounds: 15 });
  if (isWanted('tags')) await benchTags({ redisUrl: redis.url, rounds: 15 });
  if (isWanted('stampede')) await benchStampede({ redisUrl: redis.url, rounds: 5 });
  if (isWanted('stall')) await benchStall({ redis, seconds: 30 });
}
