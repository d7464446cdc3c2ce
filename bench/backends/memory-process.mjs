// A million distinct keys in one memory cache, in a process of its own: what it takes, and how long it stops.
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { open } from '../compare.mjs';

const KEYS = 1_000_000;
/** Writes between two turns of the event loop, as a busy request may do. */
const BATCH = 100;

const { maxBytes } = JSON.parse(process.argv[2]);
const { cache } = await open({ maxEntries: KEYS, maxBytes, ttl: '1h' });
// Warm, so that no compilation is taken for a pause of the cache.
for (let i = 0; i < 20_000; i += 1) await cache.set(`warm:${i}`, valueOf(i), 1);
await nextTurn();
global.gc();
const before = process.memoryUsage();
let longestGc = 0;
const gcs = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) longestGc = Math.max(longestGc, duration);
});
gcs.observe({ entryTypes: ['gc'] });
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const longest = Array.from({ length: 3 }, () => ({ ms: 0, at: 0 }));
for (let i = 0; i < KEYS;) {
  for (let end = i + BATCH; i < end; i += 1) {
    const key = `distinct:key:${i}`;
    const value = valueOf(i);
    const began = performance.now();
    const done = cache.set(key, value);
    const ms = performance.now() - began;
    if (ms > longest[2].ms) {
      longest[2] = { ms, at: i };
      longest.sort((a, b) => b.ms - a.ms);
    }
    await done;
  }
  await nextTurn();
}
delay.disable();
gcs.disconnect();
const peak = process.resourceUsage().maxRSS * 1024;
global.gc();
const after = process.memoryUsage();
// Only the table itself knows what it has counted.
const { count, bytes } = cache.backend.table;
process.send({
  count,
  bytes,
  heap: after.heapUsed + after.external - before.heapUsed - before.external,
  rss: after.rss - before.rss,
  peak,
  longest: longest[0].ms,
  longestDelay: delay.max / 1e6,
  longestGc,
});
process.exit();

function valueOf(id) {
  return { id, name: `Product ${id}`, price: id * 1.5, inStock: id % 2 === 0 };
}
