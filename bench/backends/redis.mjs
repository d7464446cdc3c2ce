// What CacheService adds to the bare client on the way to Redis and back.
import { createClient } from '@redis/client';
import { compare, inParallel, KEYS, open, VALUES } from '../compare.mjs';
import { table } from '../table.mjs';

export async function benchRedis({ redisUrl, rounds }) {
  const { cache, close } = await open({ url: redisUrl, keyPrefix: 'bench' });
  const client = createClient({ url: redisUrl });
  await client.connect();
  for (const name of ['small string', '100 objects']) {
    // Of the length that our keys have.
    const bare = (index) => `bare0:default:1234567890123456:v:${KEYS[index % 1000]}`;
    const record = 'bare0:default:epoch';
    await client.set(record, '1234567890123456');
    for (const [index, key] of KEYS.entries()) {
      await cache.set(key, VALUES[name]);
      await client.set(bare(index), JSON.stringify(VALUES[name]));
    }
    const ours = ['CacheService.get', (i) => cache.get(KEYS[i % 1000])];
    const one = ['bare client: GET, JSON.parse', async (i) => JSON.parse(await client.get(bare(i)))];
    const two = [
      'bare client: MGET with a record, JSON.parse',
      async (i) => JSON.parse((await client.mGet([bare(i), record]))[0]),
    ];
    await compare(
      `Reads that hit in Redis, one after another, ${name}`,
      'GET',
      [one, two, ours].map(([subject, read]) => [subject, (count) => inTurn(count, read)]),
      1000,
      rounds,
    );
    await compare(
      `The same, 200 at once`,
      'MGET',
      [two, one, ours].map(([subject, read]) => [subject, (count) => inParallel(count, read)]),
      10_000,
      rounds,
    );
  }
  await countCommands(cache, client);
  await client.close();
  await close();
}

async function inTurn(count, operation) {
  for (let i = 0; i < count; i += 1) await operation(i);
}

/** What the server was sent. */
async function countCommands(cache, client) {
  const hundred = KEYS.slice(0, 100);
  const calls = {
    'get(key)': () => cache.get(hundred[0]),
    'getMany(100 keys)': () => cache.getMany(hundred),
    'set(key)': () => cache.set(hundred[0], 'x'),
    'setMany(100 keys)': () => cache.setMany(hundred.map((key) => [key, 'x'])),
    'deleteMany(100 keys)': () => cache.deleteMany(hundred),
    'clear()': () => cache.clear(),
  };
  const rows = [];
  for (const [name, call] of Object.entries(calls)) {
    await client.configResetStat();
    await call();
    const stats = [...(await client.info('commandstats')).matchAll(/cmdstat_(\S+?):calls=(\d+)/g)];
    const sent = stats.filter(([, command]) => !/^(config|info|ping)/.test(command));
    rows.push([name, sent.map(([, command, times]) => `${times} ${command.toUpperCase()}`).join(', ')]);
  }
  table('Commands that Redis counts, sent together in one round trip', ['call', 'commands'], rows);
}
