import { fork } from 'node:child_process';
import { once } from 'node:events';
import { table } from '../table.mjs';

const MIB = 1024 * 1024;

export async function benchMemory({ runs }) {
  const rows = [];
  for (const subject of ['null backend', 'lru-cache', 64 * MIB, 1024 * MIB]) {
    for (let run = 0; run < runs; run += 1) rows.push(rowOf(subject, await measure(subject)));
  }
  const sizes = ['maxBytes', 'entries kept', 'counted', 'heap', 'RSS', 'peak RSS'];
  const pauses = ['longest set outside GC, CPU', 'longest turn', 'longest GC'];
  table('Memory: 1,000,000 distinct keys with objects (MiB, ms)', [...sizes, ...pauses], rows);
}

async function measure(subject) {
  const child = fork(new URL('./memory-process.mjs', import.meta.url), [String(subject)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
  });
  const [found] = await once(child, 'message');
  return found;
}

function rowOf(subject, { count, bytes, heap, rss, peak, pauses, collection }) {
  const mib = (size) => (size / MIB).toFixed(0);
  const kept = [typeof subject === 'number' ? mib(subject) : subject, count];
  return [
    ...kept,
    ...[bytes, heap, rss, peak].map(mib),
    ...[...pauses, collection].map((ms) => ms.toFixed(1)),
  ];
}
