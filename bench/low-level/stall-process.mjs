// One library under a fixed rate of requests. Latency counts from the moment at which a request was due.
import { setTimeout as sleep } from 'node:timers/promises';
import { KEYS } from '../compare.mjs';
import { PEERS } from './peers.mjs';

const INTERVAL_MS = 2;
const LOAD_MS = 20;

const [peer, redisUrl] = process.argv.slice(2);
const { getOrSet } = await PEERS[peer](redisUrl);
const phases = {};
let phase;

const load = async () => {
  if (phase !== undefined) phase.loads += 1;
  await sleep(LOAD_MS);
  return { made: Date.now() };
};
// Not all at once: a busy machine would miss the deadlines, and find the cache half empty.
for (let at = 0; at < KEYS.length; at += 50)
  await Promise.all(KEYS.slice(at, at + 50).map((key) => getOrSet(key, load)));

/** Sends what is due since the last look: a timer that comes late must not thin out the requests. */
function beginRequests() {
  let due = performance.now();
  let sent = 0;
  setInterval(() => {
    for (const now = performance.now(); due <= now; due += INTERVAL_MS) {
      request(KEYS[(sent * 7) % KEYS.length], due, phase);
      sent += 1;
    }
  }, INTERVAL_MS);
}

function request(key, due, of) {
  of.calls += 1;
  getOrSet(key, load).then(
    () => of.latencies.push(performance.now() - due),
    () => {
      of.failed += 1;
      of.latencies.push(performance.now() - due);
    },
  );
}

function reportOf({ calls, failed, loads, latencies }) {
  const sorted = latencies.sort((a, b) => a - b);
  const at = (share) => (sorted[Math.floor((sorted.length - 1) * share)] ?? NaN).toFixed(1);
  return [calls, failed, calls - sorted.length, loads, at(0.5), at(0.99), at(1)];
}

process.on('message', (message) => {
  if (message === 'report') {
    process.send(Object.fromEntries(Object.entries(phases).map(([name, of]) => [name, reportOf(of)])));
    return;
  }
  phase = phases[message] = { calls: 0, failed: 0, loads: 0, latencies: [] };
  if (message === 'before') beginRequests();
});
process.on('disconnect', () => process.exit());
process.send('ready');
