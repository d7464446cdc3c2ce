// A Redis that stops answering for half a minute (SIGSTOP) while requests keep coming, as they do, at a fixed rate.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { table } from '../table.mjs';
import { PEERS } from './peers.mjs';

/** Seconds before and after the stall. */
const AROUND = 5;
const PHASES = ['before', 'stalled', 'after'];

export async function benchStall({ redis, seconds }) {
  const rows = [];
  const children = [];
  for (const peer of Object.keys(PEERS)) {
    const child = fork(new URL('./stall-process.mjs', import.meta.url), [peer, redis.url], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    await once(child, 'message');
    children.push([peer, child]);
  }
  const tell = (message) => children.forEach(([, child]) => child.send(message));
  tell('before');
  await sleep(AROUND * 1000);
  redis.freeze();
  tell('stalled');
  await sleep(seconds * 1000);
  redis.thaw();
  tell('after');
  await sleep(AROUND * 1000);
  const reports = children.map(([, child]) => once(child, 'message'));
  tell('report');
  for (const [index, [peer, child]] of children.entries()) {
    const [report] = await reports[index];
    child.disconnect();
    // Before its server is taken away.
    await once(child, 'exit');
    for (const phase of PHASES) rows.push([peer, phase, ...report[phase]]);
  }
  const calls = ['calls', 'failed', 'unanswered'];
  table(
    `getOrSet, 500 a second over 1,000 keys, loads of 20 ms, Redis stalled for ${seconds} s (ms)`,
    ['subject', 'phase', ...calls, 'loads', 'p50', 'p99', 'slowest'],
    rows,
  );
}
