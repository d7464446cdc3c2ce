import { fork } from 'node:child_process';
import { once } from 'node:events';
import { table } from '../table.mjs';

const MIB = 1024 * 1024;

export async function benchMemory({ runs }) {
  const rows = [];
  for (const maxBytes of [64 * MIB, 1024 * MIB]) {
    for (let run = 0; run < runs; run += 1) rows.push(rowOf(maxBytes, await measure(maxBytes)));
  }
  const head = ['maxBytes', 'entries kept', 'counted', 'heap', 'RSS', 'peak RSS'];
  const pauses = ['longest set', 'longest turn', 'longest GC'];
  table('Memory: 1,000,000 distinct keys with objects (MiB, ms)', [...head, ...pauses], rows);
}

async function measure(maxBytes) {
  const child = fork(new URL('./memory-process.mjs', import.meta.url), [JSON.stringify({ maxBytes })], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
  });
  const [found] = await once(child, 'message');
  return found;
}

function rowOf(maxBytes, found) {
  const mib = (bytes) => (bytes / MIB).toFixed(0);
  const times = [found.longest, found.longestDelay, found.longestGc].map((ms) => ms.toFixed(1));
  return [mib(maxBytes), found.count, ...[found.bytes, found.heap, found.rss, found.peak].map(mib), ...times];
}
