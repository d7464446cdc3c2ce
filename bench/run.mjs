// npm run bench [-- values|backends|pages|heap …]: everything beside its peers in one run, ratios first. Parts of `backends`
// can be named too: redis, file, memory, database, each.
import { startService } from '../scripts/services/index.mjs';

// Read when the library is loaded, so it comes before.
process.env.NODE_ENV = 'production';
const { benchBackends } = await import('./backends.mjs');
const { benchHeap } = await import('./heap.mjs');
const { benchLowLevel } = await import('./low-level.mjs');
const { benchPages } = await import('./pages.mjs');
const wanted = process.argv.slice(2);
const isWanted = (...names) => wanted.length === 0 || names.some((name) => wanted.includes(name));
const redis = await startService('redis', { own: true });
try {
  if (isWanted('values')) await benchLowLevel({ rounds: 7 });
  await benchBackends({ redisUrl: redis.url, isWanted: (part) => isWanted('backends', part) });
  if (isWanted('pages')) await benchPages({ redisUrl: redis.url, rounds: 3, seconds: 2 });
  if (isWanted('heap')) await benchHeap();
} finally {
  await redis.stop();
}
process.exit();
