// What the tags of an entry add to a read that hits: time in memory, commands and round trips on Redis.
import { createClient } from '@redis/client';
import { compare, KEYS, open } from '../compare.mjs';
import { commandsOf } from '../backends/redis-commands.mjs';
import { table } from '../table.mjs';

const COUNT = 100_000;
const TAGS = ['catalog', 'products', 'brand:7', 'category:12', 'shop:3'];
const NUMBERS = [0, 1, 5];

export async function benchTags({ redisUrl, rounds }) {
  const { cache, close } = await open({});
  const subjects = [];
  for (const number of NUMBERS) {
    const keys = await filled(cache, number);
    subjects.push([`get, ${number} tags`, (n) => gets(cache, keys, n)]);
  }
  await compare('Tags: reads that hit in memory', ['no tags'], subjects, COUNT, rounds);
  await close();
  await countOnRedis(redisUrl);
}

async function filled(cache, number) {
  const keys = KEYS.map((key) => `${number}:${key}`);
  for (const key of keys) await cache.set(key, { key }, { tags: TAGS.slice(0, number) });
  return keys;
}

async function gets(cache, keys, n) {
  for (let i = 0; i < n; i += 1) await cache.get(keys[i % 1000]);
}

async function countOnRedis(redisUrl) {
  const { cache, close } = await open({ url: redisUrl, keyPrefix: 'bench-tags' });
  const client = createClient({ url: redisUrl });
  await client.connect();
  const rows = [];
  for (const number of NUMBERS) {
    await cache.set(`tagged:${number}`, 'x', { tags: TAGS.slice(0, number) });
    await cache.get(`tagged:${number}`);
    const get = await commandsOf(client, () => cache.get(`tagged:${number}`));
    const getOrSet = await commandsOf(client, () =>
      cache.getOrSet(`tagged:${number}`, () => 'y', { tags: TAGS.slice(0, number) }),
    );
    rows.push([number, get.join(', '), getOrSet.join(', ')]);
  }
  table(
    'Tags: commands that Redis counts for a read that hits, each a round trip',
    ['tags', 'get', 'getOrSet that names the tags'],
    rows,
  );
  await client.close();
  await close();
}
