// A million distinct keys in one memory cache, in a process of its own: what it takes, and how long it stops.
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { open } from '../compare.mjs';

const KEYS = 1_000_000;
/** Writes between two turns of the event loop, as a busy request may do. */
const BATCH = 100;
/** Milliseconds from which on a write is worth a closer look. */
const LONG = 1;

const cache = await cacheOf(process.argv[2]);
// Warm, so that no compilation is taken for a pause of the cache.
for (let i = 0; i < 20_000; i += 1) await cache.set(`warm:${i}`, valueOf(i), 1);
await nextTurn();
global.gc();
const before = process.memoryUsage();
const collections = [];
new PerformanceObserver((list) => collections.push(...list.getEntries())).observe({ entryTypes: ['gc'] });
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const long = [];
for (let i = 0; i < KEYS;) {
  for (const end = i + BATCH; i < end; i += 1) {
    const key = `distinct:key:${i}`;
    const value = valueOf(i);
    const used = process.cpuUsage();
    const startTime = performance.now();
    const done = cache.set(key, value);
    const duration = performance.now() - startTime;
    const { user, system } = process.cpuUsage(used);
    // What another process took away is not CPU of ours.
    if (duration > LONG) long.push({ startTime, duration: Math.min(duration, (user + system) / 1000) });
    await done;
  }
  await nextTurn();
}
delay.disable();
// The observer is told later.
await new Promise((resolve) => setTimeout(resolve, 100));
const peak = process.resourceUsage().maxRSS * 1024;
global.gc();
const after = process.memoryUsage();
// Only the table itself knows what it has counted.
const { count, bytes } = cache.engine?.entries.backend.table ?? { count: cache.lru?.size ?? 0, bytes: 0 };
process.send({
  count,
  bytes,
  heap: after.heapUsed + after.external - before.heapUsed - before.external,
  rss: after.rss - before.rss,
  peak,
  pauses: [longest(long.filter((write) => !isCollecting(write))), delay.max / 1e6],
  collection: longest(collections),
});
process.exit();

/** Ours with a bound of bytes; nothing that is kept, so that what stops is not the cache; or the bare table of others. */
async function cacheOf(subject) {
  if (subject === 'lru-cache') {
    const lru = new LRUCache({ max: KEYS });
    return { lru, set: (key, value) => void lru.set(key, value) };
  }
  const kind =
    subject === 'null backend' ? { url: 'null:' } : { maxEntries: KEYS, maxBytes: Number(subject) };
  return (await open({ ...kind, ttl: '1h' })).cache;
}

function valueOf(id) {
  return { id, name: `Product ${id}`, price: id * 1.5, inStock: id % 2 === 0 };
}

function longest(spans) {
  return Math.max(0, ...spans.map(({ duration }) => duration));
}

function isCollecting(write) {
  return collections.some(
    ({ startTime, duration }) =>
      startTime < write.startTime + write.duration && startTime + duration > write.startTime,
  );
}
