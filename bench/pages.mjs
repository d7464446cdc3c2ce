// Requests a second on a warm page, each way of answering beside the others, in turns.
import autocannon from 'autocannon';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { median, spread, table } from './table.mjs';

const VARIANTS = [
  ['prepared string'],
  ['prepared string, from an interceptor'],
  ['@CachePage, memory'],
  ['CacheInterceptor, memory'],
  ['uncached, library absent'],
  ['uncached, interceptor idle'],
  ['@CachePage, Redis', 'redis'],
  ['CacheInterceptor, Redis', 'redis'],
];

const SIZES = ['small', 'large'];

/** Microseconds of CPU that a process has used: what others do on the machine hardly shows in it. */
async function cpuOf(child) {
  child.send('cpu');
  const [{ user, system }] = await once(child, 'message');
  return user + system;
}

export async function benchPages({ redisUrl, rounds, seconds, platforms = ['express', 'fastify'] }) {
  for (const platform of platforms) {
    const servers = [];
    for (const [variant, store] of VARIANTS) {
      const child = fork(
        new URL('./page-server.mjs', import.meta.url),
        [platform, variant, ...(store ? [redisUrl] : [])],
        {
          stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        },
      );
      const [{ url }] = await once(child, 'message');
      // A hit is measured, not a stampede: V8 may take what fifty waiting requests hold for long-lived, and then allocates so.
      for (const size of SIZES) await (await fetch(`${url}/${size}`)).text();
      servers.push({ variant, child, url, rates: { small: [], large: [] }, costs: { small: [], large: [] } });
    }
    for (let round = -1; round < rounds; round += 1) {
      for (const size of SIZES) {
        for (const server of servers) {
          const before = await cpuOf(server.child);
          const { requests, non2xx } = await autocannon({
            url: `${server.url}/${size}`,
            connections: 50,
            duration: round < 0 ? 1 : seconds,
          });
          if (non2xx > 0) throw new Error(`${server.variant} answered ${non2xx} errors`);
          const cost = ((await cpuOf(server.child)) - before) / requests.total;
          if (round < 0) continue;
          server.rates[size].push(requests.average);
          server.costs[size].push(cost);
        }
      }
    }
    for (const { child } of servers) child.disconnect();
    for (const size of SIZES) {
      const [base] = servers;
      // Of one round each: what slows a whole round down does not show.
      const ratio = (own, others) => median(own.map((each, round) => each / others[round])).toFixed(2);
      const rows = servers.map(({ variant, rates, costs }) => [
        variant,
        ratio(rates[size], base.rates[size]),
        ratio(base.costs[size], costs[size]),
        Math.round(median(rates[size])),
        median(costs[size]).toFixed(1),
        spread(rates[size]),
      ]);
      table(
        `Page hits on ${platform}, ${size} (about ${size === 'small' ? '1.5' : '33'} kB)`,
        ['route', '× prepared string, by rate', 'by CPU', 'req/s', 'CPU µs', 'spread of rate'],
        rows,
      );
    }
  }
}
