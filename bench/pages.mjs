// Requests a second on a warm page, each way of answering beside the others, in turns.
import autocannon from 'autocannon';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { median, spread, table } from './table.mjs';

const VARIANTS = [
  ['prepared string'],
  ['@CachePage, memory'],
  ['CacheInterceptor, memory'],
  ['uncached, library absent'],
  ['uncached, interceptor idle'],
  ['@CachePage, Redis', 'redis'],
  ['CacheInterceptor, Redis', 'redis'],
];

export async function benchPages({ redisUrl, rounds, seconds }) {
  for (const platform of ['express', 'fastify']) {
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
      servers.push({ variant, child, url, rates: { small: [], large: [] } });
    }
    for (let round = -1; round < rounds; round += 1) {
      for (const size of ['small', 'large']) {
        for (const server of servers) {
          const { requests, non2xx } = await autocannon({
            url: `${server.url}/${size}`,
            connections: 50,
            duration: round < 0 ? 1 : seconds,
          });
          if (non2xx > 0) throw new Error(`${server.variant} answered ${non2xx} errors`);
          if (round >= 0) server.rates[size].push(requests.average);
        }
      }
    }
    for (const { child } of servers) child.disconnect();
    for (const size of ['small', 'large']) {
      const base = median(servers[0].rates[size]);
      const rows = servers.map(({ variant, rates }) => [
        variant,
        (median(rates[size]) / base).toFixed(2),
        Math.round(median(rates[size])),
        spread(rates[size]),
      ]);
      table(
        `Page hits on ${platform}, ${size} (about ${size === 'small' ? '1.5' : '33'} kB)`,
        ['route', '× prepared string', 'req/s', 'spread'],
        rows,
      );
    }
  }
}
