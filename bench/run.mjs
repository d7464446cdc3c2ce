// npm run bench [-- pages|values|heap]: everything beside its peers in one run, ratios first.
import { startService } from '../scripts/services/index.mjs';

// Read when the library is loaded, so it comes before.
process.env.NODE_ENV = 'production';
const { benchHeap } = await import('./heap.mjs');
const { benchLowLevel } = await import('./low-level.mjs');
const { benchPages } = await import('./pages.mjs');
const wanted = process.argv.slice(2);
const isWanted = (name) => wanted.length === 0 || wanted.includes(name);
const redis = await startService('redis', { own: true });
try {
  if (isWanted('values')) await benchLowLevel({ redisUrl: redis.url, rounds: 7 });
  if (isWanted('pages')) await benchPages({ redisUrl: redis.url, rounds: 3, seconds: 2 });
  if (isWanted('heap')) await benchHeap();
} finally {
  await redis.stop();
}
process.exit();
