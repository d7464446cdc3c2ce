// A thousand callers in each of four processes ask for one cold key at once: how often the source is asked.
import { createClient } from '@redis/client';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { median, table } from '../table.mjs';
import { PEERS } from './peers.mjs';

const PROCESSES = 4;
const CALLERS = 1000;

export async function benchStampede({ redisUrl, rounds }) {
  const client = createClient({ url: redisUrl });
  await client.connect();
  const rows = [];
  for (const peer of Object.keys(PEERS)) {
    const children = Array.from({ length: PROCESSES }, () => start(peer, redisUrl));
    for (const child of children) await once(child, 'message');
    const loads = [];
    const waits = [];
    for (let round = 0; round < rounds; round += 1) {
      const source = `bench:source:${peer}:${round}`;
      const begins = Date.now() + 200;
      const answers = children.map((child) => once(child, 'message'));
      for (const child of children) child.send({ key: `cold:${round}`, source, callers: CALLERS, begins });
      const answered = (await Promise.all(answers)).map(([answer]) => answer);
      if (answered.some(({ values }) => values > 1 && peer === 'CacheService'))
        throw new Error('Callers of one process were given different values.');
      loads.push(Number(await client.get(source)));
      waits.push(Math.max(...answered.map(({ last }) => last)));
    }
    await Promise.all(children.map(leave));
    rows.push([peer, median(loads), Math.max(...loads), median(waits).toFixed(0)]);
  }
  await client.close();
  table(
    `Loads for ${CALLERS} callers × ${PROCESSES} processes on a cold key in Redis; a load takes 100 ms`,
    ['subject', 'loads, median', 'loads, most', 'ms until the last caller has it'],
    rows,
  );
}

/** Ends a process before its server is taken away. */
async function leave(child) {
  child.disconnect();
  await once(child, 'exit');
}

function start(peer, redisUrl) {
  return fork(new URL('./stampede-process.mjs', import.meta.url), [peer, redisUrl], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}
