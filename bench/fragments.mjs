// A page of 50 cached fragments in memory, beside their markup as it stands in a template, beside the same markup by the loop
// that is around the fragments, and beside rendering them, for each engine, in turns.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { compareTimes } from './fragments-table.mjs';

const ENGINES = ['handlebars', 'pug', 'nunjucks', 'liquid', 'ejs', 'eta'];
const PAGES = ['static', 'loop', 'cached', 'rendered'];
/** How many requests a turn takes; what is slow is asked for less. */
const REQUESTS = { static: 300, loop: 300, cached: 300, rendered: 5 };

export async function benchFragments({ rounds }) {
  for (const platform of ['express', 'fastify']) {
    const results = [];
    for (const engine of ENGINES) results.push([engine, await measure(platform, engine, rounds)]);
    compareTimes(platform, results);
  }
}

async function measure(platform, engine, rounds) {
  const child = fork(new URL('./fragments-server.mjs', import.meta.url), [platform, engine], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    const [{ url }] = await once(child, 'message');
    const times = { static: [], loop: [], cached: [], rendered: [] };
    for (let round = -1; round < rounds; round += 1) {
      for (const page of PAGES) {
        const time = await timeOf(child, `${url}/${page}`, REQUESTS[page]);
        if (round >= 0) times[page].push(time);
      }
    }
    return times;
  } finally {
    child.disconnect();
  }
}

/** Milliseconds of CPU that the server takes for one request: the client and other load of the machine do not show. */
async function timeOf(child, url, count) {
  const began = await cpuOf(child);
  for (let i = 0; i < count; i += 1) {
    const response = await fetch(url);
    if (!(await response.text()).includes('<li>')) throw new Error(`${url} answered ${response.status}`);
  }
  return ((await cpuOf(child)) - began) / count / 1000;
}

async function cpuOf(child) {
  child.send('cpu');
  const [microseconds] = await once(child, 'message');
  return microseconds;
}
