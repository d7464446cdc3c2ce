// One of the processes: told a key and a moment, it asks for the key as often as it is told, all at once.
import { createClient } from '@redis/client';
import { setTimeout as sleep } from 'node:timers/promises';
import { PEERS } from './peers.mjs';

const [peer, redisUrl] = process.argv.slice(2);
const { getOrSet } = await PEERS[peer](redisUrl);
const client = createClient({ url: redisUrl });
await client.connect();
// Connected, and compiled.
for (let i = 0; i < 200; i += 1) await getOrSet(`warm:${process.pid}:${i % 10}`, () => i);

process.on('message', async ({ key, source, callers, begins }) => {
  await sleep(begins - Date.now());
  const load = async () => {
    const value = await client.incr(source);
    await sleep(100);
    return value;
  };
  const values = await Promise.all(Array.from({ length: callers }, () => getOrSet(key, load)));
  process.send({ values: new Set(values).size, last: Date.now() - begins });
});
process.on('disconnect', () => process.exit());
process.send('ready');
