import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createSentinel } from '@keyv/redis';
import { RedisBackend, type RedisBackendOptions } from '../../libs/caching/src/backends/redis.backend.js';
import { describeBackend } from '../../libs/caching/src/testing/index.js';
import { describeWith } from '../support/services.js';
import {
  connectPlain,
  eventually,
  freePort,
  LIMITS,
  type Sentinels,
  settled,
  startSentinels,
} from './redis-servers.js';

const runner = { describe, it, expect, beforeEach, afterEach };
const START_TIMEOUT_MS = 120_000;
const TEST_TIMEOUT_MS = 60_000;

describeWith('redis')('behind redis sentinel', () => {
  let servers: Sentinels;
  const made: RedisBackend[] = [];

  function create(
    options: Partial<RedisBackendOptions> = { sentinel: { name: 'main', nodes: [servers.node] } },
  ) {
    const backend = new RedisBackend({ ...LIMITS, ...options });
    made.push(backend);
    return backend;
  }

  beforeAll(async () => {
    servers = await startSentinels();
  }, START_TIMEOUT_MS);
  afterEach(async () => {
    await Promise.all(made.splice(0).map((backend) => backend.close()));
  });
  afterAll(() => servers?.stop(), START_TIMEOUT_MS);

  describeBackend('redis sentinel', {
    async create() {
      const plain = await connectPlain(servers.master.url);
      await plain.flushAll();
      plain.destroy();
      return { backend: create(), other: create() };
    },
    runner,
  });

  it('finds the master as long as one of the sentinels answers', async () => {
    const nodes = [`127.0.0.1:${await freePort()}`, `redis://${servers.node}`];
    const backend = create({ sentinel: { name: 'main', nodes } });
    await backend.set('app:key', 1, null);
    const plain = await connectPlain(servers.master.url);
    expect(await plain.get('app:key')).toBe('1');
    plain.destroy();
  });

  it('fails, and closes, if no sentinel answers or none knows the master', async () => {
    const nowhere = create({ sentinel: { name: 'main', nodes: [`127.0.0.1:${await freePort()}`] } });
    const unknown = create({ sentinel: { name: 'other', nodes: [servers.node] } });
    for (const backend of [nowhere, unknown]) {
      await expect(backend.get('app:key')).rejects.toThrow('None of 1 sentinels');
      await expect(backend.get('app:key')).rejects.toThrow('None of 1 sentinels');
      expect((await settled(backend.close())).status).toBe('fulfilled');
    }
  });

  it("uses the application's sentinel client, and leaves it open", async () => {
    const [host, port] = servers.node.split(':');
    const client = createSentinel({ name: 'main', sentinelRootNodes: [{ host: host!, port: Number(port) }] });
    client.on('error', () => undefined);
    await client.connect();
    const backend = create({ client });
    await backend.set('app:key', Buffer.from('1'), null);
    expect(Buffer.from((await backend.get('app:key')) as Uint8Array).toString()).toBe('1');
    expect(await backend.increment('app:n', 1, 0, null)).toBe(1);
    await backend.clear('app:');
    expect(await backend.get('app:key')).toBeUndefined();
    await backend.close();
    expect(await client.get('app:key')).toBeNull();
    await client.destroy();
  });

  it('looks for the new master when the old one refuses writes', async () => {
    const backend = create();
    await backend.set('app:key', 1, null);
    const plain = await connectPlain(servers.master.url);
    const connections = async () =>
      [...String(await plain.sendCommand(['CLIENT', 'LIST', 'TYPE', 'normal'])).matchAll(/^id=(\d+)/gm)].map(
        ([, id]) => id,
      );
    const before = await connections();
    // Demoted behind the back of the sentinels, and without its connections being closed.
    await plain.sendCommand(['REPLICAOF', servers.replica.host, String(servers.replica.port)]);
    expect(await settled(backend.set('app:key', 2, null))).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('READONLY') },
    });
    await eventually(
      async () => before.length > (await connections()).filter((id) => before.includes(id)).length,
    );
    await plain.sendCommand(['REPLICAOF', 'NO', 'ONE']);
    plain.destroy();
    await eventually(() => backend.set('app:key', 3, null));
    expect(await backend.get('app:key')).toBe(3);
  });

  it(
    'finds the new master after the old one has died',
    async () => {
      const backend = create();
      await backend.set('app:key', 1, null);
      await eventually(async () => {
        const plain = await connectPlain(servers.replica.url);
        const copied = await plain.get('app:key');
        plain.destroy();
        return copied === '1';
      });
      await servers.master.kill();
      expect((await settled(backend.get('app:key'))).status).toBe('rejected');
      await eventually(() => backend.set('app:new', 2, null));
      const plain = await connectPlain(servers.replica.url);
      expect(await plain.get('app:new')).toBe('2');
      expect(await backend.get('app:key')).toBe(1);
      plain.destroy();
    },
    TEST_TIMEOUT_MS,
  );
});
