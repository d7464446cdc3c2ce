// npm run bench [-- low-level|backends|pages|rules|fragments|heap …]: everything beside its peers in one run, ratios first. Parts can be named
// too: hits, tags, stampede, stall of `low-level`; redis, file, memory, database, each of `backends`.
import { startService } from '../scripts/services/index.mjs';

// Read when the library is loaded, so it comes before.
process.env.NODE_ENV = 'production';
const { benchBackends } = await import('./backends.mjs');
const { benchFragments } = await import('./fragments.mjs');
const { benchHeap } = await import('./heap.mjs');
const { benchLowLevel } = await import('./low-level.mjs');
const { benchPageRules } = await import('./page-rules.mjs');
const { benchPages } = await import('./pages.mjs');
const wanted = process.argv.slice(2);
const isWanted = (...names) => wanted.length === 0 || names.some((name) => wanted.includes(name));
const redis = await startService('redis', { own: true });
try {
  await benchLowLevel({ redis, isWanted: (part) => isWanted('low-level', part) });
  await benchBackends({ redisUrl: redis.url, isWanted: (part) => isWanted('backends', part) });
  if (isWanted('pages')) await benchPages({ redisUrl: redis.url, rounds: 3, seconds: 2 });
  if (isWanted('rules')) await benchPageRules({ rounds: 15 });
  if (isWanted('fragments')) await benchFragments({ rounds: 5 });
  if (isWanted('heap')) await benchHeap();
} finally {
  await redis.stop();
}
process.exit();
