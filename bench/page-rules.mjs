// What each rule of a page adds to a hit, beside a page without rules, in turns, in one process for each platform.
import { fork } from 'node:child_process';
import { once } from 'node:events';

export async function benchPageRules({ rounds }) {
  for (const platform of ['express', 'fastify']) {
    const child = fork(new URL('./page-rules-process.mjs', import.meta.url), [platform, rounds]);
    const [code] = await once(child, 'exit');
    if (code !== 0) throw new Error(`the rules on ${platform} ended with ${code}`);
  }
}
