// What CacheService adds to the bare client on the way to Redis and back.
import { createClient } from '@redis/client';
import { decode } from '../../libs/caching/dist/cache/codec.js';
import { parseFrame } from '../../libs/caching/dist/cache/frame.js';
import { compare, inParallel, inTurn, KEYS, open, VALUES } from '../compare.mjs';
import { table } from '../table.mjs';
import { commandsOf } from './redis-commands.mjs';

/**
 * The bare client reads the very keys that the cache reads, and decodes what the cache decodes: a frame with its checksum, and
 * the JSON in it. A second row is what a program would do that stores bare JSON.
 */
export async function benchRedis({ redisUrl, rounds }) {
  const client = createClient({ url: redisUrl });
  await client.connect();
  const bytes = client.withTypeMapping({ 36: Buffer });
  for (const [name, parallel, keyPrefix] of [
    ['small string', 50_000, 'bench1'],
    ['100 objects', 10_000, 'bench2'],
  ]) {
    // No read may be given up: it would count as a fast one.
    const { cache, close } = await open({ url: redisUrl, keyPrefix, readDeadline: '1m' });
    const names = await filled(cache, client, keyPrefix, VALUES[name]);
    const { control } = names;
    const key = (index) => names.keys[index % 1000];
    const json = (index) => names.json[index % 1000];
    const get = ['bare GET, decoded', async (i) => decoded(await bytes.get(key(i)))];
    const mget = ['bare MGET, decoded', async (i) => decoded((await bytes.mGet([key(i), control]))[0])];
    const getJson = ['bare GET of JSON', async (i) => JSON.parse(await client.get(json(i)))];
    const mgetJson = [
      'bare MGET of JSON',
      async (i) => JSON.parse((await client.mGet([json(i), control]))[0]),
    ];
    const ours = ['CacheService.get', (i) => cache.get(KEYS[i % 1000])];
    await compare(
      `Reads that hit in Redis, one after another, ${name}`,
      ['GET', 'GET of JSON'],
      [get, getJson, mget, ours].map(([subject, read]) => [subject, (count) => inTurn(count, read)]),
      2000,
      rounds,
    );
    await compare(
      `Reads that hit in Redis, 200 at once, ${name}`,
      ['MGET', 'MGET of JSON'],
      [mget, mgetJson, get, ours].map(([subject, read]) => [subject, (count) => inParallel(count, read)]),
      parallel,
      rounds,
    );
    if (keyPrefix === 'bench2') await countCommands(cache, client);
    await close();
  }
  await client.close();
}

/** The value under all keys of the cache, and as JSON under keys of the same length; answers what they are called. */
async function filled(cache, client, keyPrefix, value) {
  for (const key of KEYS) await cache.set(key, value);
  const stored = await client.keys(`${keyPrefix}:default:*:v:*`);
  const keys = KEYS.map((key) => stored.find((name) => name.endsWith(`:v:${key}`)));
  const json = keys.map((key) => key.replace('bench', 'plain'));
  for (const key of json) await client.set(key, JSON.stringify(value));
  return { keys, json, control: `${keyPrefix}:default:@control` };
}

function decoded(payload) {
  const { codec, body } = parseFrame(payload);
  return decode(codec, body);
}

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
    rows.push([name, (await commandsOf(client, call)).join(', ')]);
  }
  table('Commands that Redis counts, sent together in one round trip', ['call', 'commands'], rows);
}
