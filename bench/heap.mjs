// 10,000 hits over one keep-alive connection: the heap after each 2,000, on both platforms.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { table } from './table.mjs';

export async function benchHeap() {
  const rows = [];
  for (const platform of ['express', 'fastify']) {
    const child = fork(new URL('./heap-server.mjs', import.meta.url), [platform], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: ['--expose-gc'],
    });
    const [{ url }] = await once(child, 'message');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const heaps = [];
    for (let part = 0; part < 6; part += 1) {
      for (let i = 0; i < (part === 0 ? 1000 : 2000); i += 1) await hit(`${url}/small`, agent);
      child.send('heap');
      heaps.push((await once(child, 'message'))[0].heap);
    }
    agent.destroy();
    child.disconnect();
    rows.push([platform, ...heaps.map((heap) => (heap / 1024 / 1024).toFixed(2))]);
  }
  table(
    'Heap in MB after 1,000 warm-up hits and each further 2,000',
    ['platform', 'warm', '2k', '4k', '6k', '8k', '10k'],
    rows,
  );
}

function hit(url, agent) {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => response.resume().on('end', resolve)).on('error', reject);
  });
}
