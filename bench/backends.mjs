import { startService } from '../scripts/services/index.mjs';
import { benchDatabase } from './backends/database.mjs';
import { benchEach } from './backends/each.mjs';
import { benchFile } from './backends/file.mjs';
import { benchMemory } from './backends/memory.mjs';
import { benchRedis } from './backends/redis.mjs';

/** What each backend costs, and whether it keeps to its bounds. */
export async function benchBackends({ redisUrl, isWanted }) {
  if (isWanted('redis')) await benchRedis({ redisUrl, rounds: 21 });
  if (isWanted('file')) await benchFile({ rounds: 11 });
  if (isWanted('memory')) await benchMemory({ runs: 3 });
  const servers = [];
  const started = async (name) => {
    servers.push(await startService(name, { own: true }));
    return servers.at(-1).url;
  };
  try {
    if (isWanted('database') || isWanted('each')) {
      const postgresUrl = await started('postgres');
      const mysqlUrl = await started('mariadb');
      if (isWanted('database')) await benchDatabase({ postgresUrl, mysqlUrl });
      if (isWanted('each')) {
        const memcached = await started('memcached');
        const urls = { PostgreSQL: postgresUrl, MariaDB: mysqlUrl, memcached, Redis: redisUrl };
        await benchEach({ urls, rounds: 25 });
      }
    }
  } finally {
    for (const server of servers) await server.stop();
  }
}
