import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createCluster } from '@keyv/redis';
import { RedisBackend, type RedisBackendOptions } from '../../libs/caching/src/backends/redis.backend.js';
import { slotOf } from '../../libs/caching/src/backends/redis/slot.js';
import { describeBackend } from '../../libs/caching/src/testing/index.js';
import { describeWith } from '../support/services.js';
import {
  type Cluster,
  connectPlain,
  eventually,
  freePort,
  LIMITS,
  type PlainClient,
  settled,
  startCluster,
} from './redis-servers.js';

const runner = { describe, it, expect, beforeEach, afterEach };
const START_TIMEOUT_MS = 120_000;
const TEST_TIMEOUT_MS = 60_000;

describeWith('redis')('on a redis cluster', () => {
  let cluster: Cluster;
  let plain: PlainClient[];
  const made: RedisBackend[] = [];

  function create(
    options: Partial<RedisBackendOptions> = { cluster: { nodes: cluster.nodes } },
  ): RedisBackend {
    const backend = new RedisBackend({ ...LIMITS, ...options });
    made.push(backend);
    return backend;
  }

  beforeAll(async () => {
    cluster = await startCluster();
    plain = await Promise.all(cluster.masters.map(({ url }) => connectPlain(url)));
  }, START_TIMEOUT_MS);
  beforeEach(async () => {
    await Promise.all(plain.map((client) => client.flushAll()));
  });
  afterEach(async () => {
    await Promise.all(made.splice(0).map((backend) => backend.close()));
  });
  afterAll(async () => {
    for (const client of plain ?? []) client.destroy();
    await cluster?.stop();
  }, START_TIMEOUT_MS);

  describeBackend('redis cluster', {
    create: () => ({ backend: create(), other: create() }),
    runner,
  });

  const keys = Array.from({ length: 300 }, (_, n) => `app:${n}`);

  it('spreads keys over all masters and reads them in their order', async () => {
    const backend = create();
    await backend.setMany(keys.map((key, n) => ({ key, payload: n, ttlMs: null })));
    for (const client of plain) expect(await client.dbSize()).toBeGreaterThan(50);
    expect(await backend.getMany([...keys, 'app:absent'])).toEqual([...keys.map((_, n) => n), undefined]);
    const listed: string[] = [];
    for await (const key of backend.keys('app:')) listed.push(key);
    expect(listed.sort()).toEqual([...keys].sort());
    expect(await backend.deleteMany(keys.slice(0, 100))).toBe(100);
    await backend.clear('app:');
    for (const client of plain) expect(await client.dbSize()).toBe(0);
  });

  it('needs one command for keys that share a slot', async () => {
    const backend = create();
    await backend.set('app:{a}:1', 1, null);
    await Promise.all(plain.map((client) => client.configResetStat()));
    expect(await backend.getMany(['app:{a}:1', '{a}:2'])).toEqual([1, undefined]);
    const stats = (await Promise.all(plain.map((client) => client.info('commandstats')))).join('');
    expect([...stats.matchAll(/cmdstat_mget:calls=(\d+)/g)].map(([, calls]) => calls)).toEqual(['1']);
  });

  it('finds the cluster as long as one of the named nodes answers', async () => {
    const gone = await Promise.all([freePort(), freePort(), freePort()]);
    const nodes = [...gone.map((port) => `127.0.0.1:${port}`), cluster.nodes[2]!];
    const backend = create({ cluster: { nodes } });
    await backend.set('app:key', 1, null);
    expect(await backend.get('app:key')).toBe(1);
  });

  it('fails, and closes, if none does', async () => {
    const backend = create({ cluster: { nodes: [`redis://u:open-sesame@127.0.0.1:${await freePort()}`] } });
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(backend.get('app:key')).rejects.toThrow('None of 1 nodes');
    }
    await expect(backend.clear('app:')).rejects.not.toThrow('sesame');
    expect((await settled(backend.close())).status).toBe('fulfilled');
  });

  it("uses the application's cluster client, and leaves it open", async () => {
    const client = createCluster({ rootNodes: cluster.nodes.map((url) => ({ url })) });
    client.on('error', () => undefined);
    await client.connect();
    const backend = create({ client });
    await backend.setMany(keys.map((key, n) => ({ key, payload: n, ttlMs: null })));
    expect(await backend.getMany(keys)).toEqual(keys.map((_, n) => n));
    expect(await backend.increment('app:1', 1, undefined, null)).toBe(2);
    await backend.clear('app:');
    expect(await backend.getMany(keys)).toEqual(keys.map(() => undefined));
    await backend.close();
    expect(await client.get('app:1')).toBeNull();
    client.destroy();
  });

  it('follows a key while its slot moves and when it has moved', async () => {
    const backend = create();
    const [here, there] = ['{0}:here', '{0}:there']; // A slot of the last master.
    const slot = String(slotOf(here));
    await backend.set(here, 1, null);
    const [target, , source] = plain;
    const ids = await Promise.all(
      plain.map(async (client) => String(await client.sendCommand(['CLUSTER', 'MYID']))),
    );
    await target!.sendCommand(['CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[2]!]);
    await source!.sendCommand(['CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[0]!]);
    // What is not at the source any more is asked for at the target.
    await backend.set(there, 2, null);
    expect(await backend.get(here)).toBe(1);
    expect(await backend.get(there)).toBe(2);
    expect(await source!.exists(there).catch((error: Error) => error.message)).toMatch(/ASK/);
    const { host, port } = cluster.masters[0]!;
    await source!.sendCommand(['MIGRATE', host, String(port), here, '0', '1000']);
    for (const client of plain) await client.sendCommand(['CLUSTER', 'SETSLOT', slot, 'NODE', ids[0]!]);
    expect(await backend.getMany([here, there])).toEqual([1, 2]);
    expect(await backend.increment(here, 1, undefined, null)).toBe(2);
    expect(await target!.get(here)).toBe('2');
  });

  it(
    'goes on with the other masters while one is away, and finds the replica that takes over',
    async () => {
      const backend = create();
      await backend.setMany(keys.map((key, n) => ({ key, payload: n, ttlMs: null })));
      const copied = await connectPlain(cluster.replica.url);
      await eventually(async () => (await copied.dbSize()) === (await plain[0]!.dbSize()));
      await cluster.masters[0]!.kill();
      const lost = keys.find((key) => slotOf(key) < 5461 && slotOf(key) !== slotOf('{0}'))!;
      const kept = keys.find((key) => slotOf(key) > 5461 && slotOf(key) < 10_000)!;
      expect((await settled(backend.get(lost))).status).toBe('rejected');
      expect(await settled(backend.get(kept))).toMatchObject({ status: 'fulfilled' });
      await eventually(async () => (await backend.get(lost)) === keys.indexOf(lost));
      await backend.set(lost, 5, null);
      expect(await copied.get(lost)).toBe('5');
      expect((await backend.getMany(keys)).filter((payload) => payload === undefined)).toEqual([]);
      copied.destroy();
    },
    TEST_TIMEOUT_MS,
  );
});
