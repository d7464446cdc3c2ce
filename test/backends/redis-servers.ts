import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { createClient } from '@keyv/redis';
import { RedisBackend, type RedisBackendOptions } from '../../libs/caching/src/backends/redis.backend.js';
import { describeService, type Service, startService } from '../support/services.js';

/** Short, so that outages are noticed soon; long enough for a busy machine. */
export const LIMITS = { connectTimeoutMs: 1000, socketTimeoutMs: 1000 };

/** How long a condition may take to come true. */
const PATIENCE_MS = 30_000;

/** A plain client beside the backend, to look at the server and to disturb it. */
export async function connectPlain(url: string) {
  const client = createClient({ url });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export type PlainClient = Awaited<ReturnType<typeof connectPlain>>;

/** What the tests against one server work with. */
export interface OneServer {
  readonly service: Service;
  readonly plain: PlainClient;
  /** A backend that is closed after the test; by default on the server. */
  create(options?: Partial<RedisBackendOptions>): RedisBackend;
}

/** A `describe` around a server of its own, which is emptied before each test. */
export function describeOnRedis(body: (server: OneServer) => void): void {
  const declare = (service: () => Service) => {
    let plain: PlainClient;
    const made: RedisBackend[] = [];
    beforeAll(async () => {
      plain = await connectPlain(service().url);
    });
    beforeEach(async () => {
      await plain.flushAll();
    });
    afterEach(async () => {
      await Promise.all(made.splice(0).map((backend) => backend.close()));
    });
    afterAll(() => {
      plain.destroy();
    });
    body({
      get service() {
        return service();
      },
      get plain() {
        return plain;
      },
      create(options = { url: service().url }) {
        const backend = new RedisBackend({ ...LIMITS, ...options });
        made.push(backend);
        return backend;
      },
    });
  };
  describeService('redis', declare, { own: true });
}

/** Waits until the action neither rejects nor answers `false`. */
export async function eventually<T>(action: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + PATIENCE_MS; ;) {
    try {
      const answer = await action();
      if (answer !== false) return answer;
      if (performance.now() > end) throw new Error(`Still false after ${PATIENCE_MS} ms.`);
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await sleep(10);
  }
}

/** Rejects if the promise is still pending when patience is at its end: what hangs does not time the whole test out. */
export async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const patience = new AbortController();
  const hung = sleep(PATIENCE_MS, undefined, { signal: patience.signal }).then(
    () => Promise.reject(new Error(`Still pending after ${PATIENCE_MS} ms.`)),
    () => undefined as never,
  );
  try {
    const [outcome] = (await Promise.race([Promise.allSettled([promise]), hung])) as [
      PromiseSettledResult<T>,
    ];
    return outcome;
  } finally {
    patience.abort();
  }
}

/** Every operation of a backend. */
const OPERATIONS: Readonly<Record<string, (backend: RedisBackend) => Promise<unknown>>> = {
  get: (backend) => backend.get('app:key'),
  set: (backend) => backend.set('app:key', 1, 60_000),
  delete: (backend) => backend.delete('app:key'),
  ttl: (backend) => backend.ttl('app:key'),
  clear: (backend) => backend.clear('app:'),
  keys: async (backend) => {
    for await (const key of backend.keys('app:')) return key;
    return undefined;
  },
  add: (backend) => backend.add('app:key', 1, 60_000),
  increment: (backend) => backend.increment('app:key', 1, 0, 60_000),
  touch: (backend) => backend.touch('app:key', 60_000),
  persist: (backend) => backend.touch('app:key', null),
  compareAndSet: (backend) => backend.compareAndSet('app:key', 1, 2, 60_000),
  compareAndDelete: (backend) => backend.compareAndDelete('app:key', 1),
  getMany: (backend) => backend.getMany(['app:key', 'app:other']),
  setMany: (backend) => backend.setMany([{ key: 'app:key', payload: 1, ttlMs: null }]),
  deleteMany: (backend) => backend.deleteMany(['app:key', 'app:other']),
};

/** Every operation at once; which of them failed. */
export async function failing(backend: RedisBackend): Promise<string[]> {
  const names = Object.keys(OPERATIONS);
  const outcomes = await Promise.all(names.map((name) => settled(OPERATIONS[name]!(backend))));
  return names.filter((_, index) => outcomes[index]!.status === 'rejected');
}

/** The names of all operations. */
export const ALL = Object.keys(OPERATIONS);

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** A certificate for 127.0.0.1 that signs itself. */
export async function createCertificate(): Promise<{ folder: string; cert: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-tls-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ]);
  // The server may run as another user.
  await chmod(folder, 0o755);
  await chmod(key, 0o644);
  return { folder, cert, key };
}

/** Servers of one cluster: three masters that share the slots, and a replica of the first. */
export interface Cluster {
  readonly masters: readonly Service[];
  readonly replica: Service;
  readonly nodes: string[];
  stop(): Promise<void>;
}

/** A port that was free may be another's by the time its server starts, so that a cluster may need a second attempt. */
export async function startCluster(): Promise<Cluster> {
  return tryToStartCluster().catch(tryToStartCluster);
}

async function tryToStartCluster(): Promise<Cluster> {
  const services: Service[] = [];
  const stop = async () => {
    await Promise.all(services.map((service) => service.stop()));
  };
  try {
    const buses: number[] = [];
    for (let index = 0; index < 4; index++) {
      buses.push(await freePort());
      const args = [
        '--cluster-enabled',
        'yes',
        '--cluster-node-timeout',
        '1000',
        '--cluster-port',
        String(buses[index]),
      ];
      services.push(await startService('redis', { own: true, args: [...args, '--appendonly', 'no'] }));
    }
    await joinCluster(services, buses);
  } catch (error) {
    await stop();
    throw error;
  }
  const masters = services.slice(0, 3);
  return { masters, replica: services[3]!, nodes: masters.map(({ url }) => url), stop };
}

async function joinCluster(services: readonly Service[], buses: readonly number[]): Promise<void> {
  const clients = await Promise.all(services.map(({ url }) => connectPlain(url)));
  const [first] = clients;
  for (const [index, { host, port }] of services.entries()) {
    if (index > 0) await first!.sendCommand(['CLUSTER', 'MEET', host, String(port), String(buses[index])]);
  }
  const shares = [0, 5461, 10_923, 16_384];
  for (const [index, client] of clients.slice(0, 3).entries()) {
    const [begin, end] = [shares[index]!, shares[index + 1]!];
    const slots = Array.from({ length: end - begin }, (_, offset) => String(begin + offset));
    await client.sendCommand(['CLUSTER', 'ADDSLOTS', ...slots]);
  }
  const id = String(await first!.sendCommand(['CLUSTER', 'MYID']));
  await eventually(() => clients[3]!.sendCommand(['CLUSTER', 'REPLICATE', id]));
  await eventually(async () => {
    const states = await Promise.all(clients.map((client) => client.sendCommand(['CLUSTER', 'INFO'])));
    const replicas = await first!.sendCommand(['CLUSTER', 'REPLICAS', id]);
    const sees = String(replicas).includes('connected');
    return sees && states.every((state) => /cluster_state:ok[^]*cluster_known_nodes:4/.test(String(state)));
  });
  for (const client of clients) client.destroy();
}

/** A master, its replica, and a sentinel that may decide alone. */
export interface Sentinels {
  readonly master: Service;
  readonly replica: Service;
  /** `host:port` of the sentinel. */
  readonly node: string;
  stop(): Promise<void>;
}

export async function startSentinels(): Promise<Sentinels> {
  const master = await startService('redis', { own: true, args: ['--appendonly', 'no'] });
  const follow = ['--replicaof', master.host, String(master.port), '--repl-diskless-sync-delay', '0'];
  const replica = await startService('redis', { own: true, args: ['--appendonly', 'no', ...follow] });
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-sentinel-'));
  const port = await freePort();
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor main ${master.host} ${master.port} 1`,
    // A master that a loaded machine holds up for a moment is not down.
    'sentinel down-after-milliseconds main 2000',
    'sentinel failover-timeout main 2000',
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const sentinel = spawn('redis-server', [file, '--sentinel'], { stdio: 'ignore' });
  const node = `127.0.0.1:${port}`;
  const client = await eventually(() => connectPlain(`redis://${node}`));
  await eventually(async () => {
    const replicas = (await client.sendCommand(['SENTINEL', 'REPLICAS', 'main'])) as unknown as string[][];
    const fields = replicas[0]?.map(String) ?? [];
    return fields[fields.indexOf('master-link-status') + 1] === 'ok';
  });
  client.destroy();
  return {
    master,
    replica,
    node,
    async stop() {
      await end(sentinel);
      await Promise.all([master.stop(), replica.stop(), rm(folder, { recursive: true })]);
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
