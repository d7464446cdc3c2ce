import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { describeOutage } from 'nestjs-caching/testing';
import { RedisBackend } from '../../libs/caching/src/backends/redis.backend.js';
import { describeService, type Service } from '../support/services.js';
import { ALL, connectPlain, eventually, failing, freePort, settled } from './redis-servers.js';

/** Milliseconds: an outage is noticed within one of them. */
const LIMITS = { connectTimeoutMs: 400, socketTimeoutMs: 400 };

describeService(
  'redis',
  (service: () => Service) => {
    const made: RedisBackend[] = [];

    function create(url = service().url): RedisBackend {
      const backend = new RedisBackend({ url, ...LIMITS });
      made.push(backend);
      return backend;
    }

    afterEach(async () => {
      service().thaw();
      await Promise.all(made.splice(0).map((backend) => settled(backend.close())));
    });

    describeOutage('redis', {
      server: service,
      open: ({ host, port }, limitMs) =>
        new RedisBackend({
          url: `redis://${host}:${port}`,
          connectTimeoutMs: limitMs,
          socketTimeoutMs: limitMs,
        }),
      runner: { describe, it, expect, beforeEach, afterEach },
    });

    describe('a server that is killed', () => {
      it('has what it kept when it is back', async () => {
        const backend = create();
        await backend.set('kept:key', 7, null);
        await service().kill();
        await expect(backend.get('kept:key')).rejects.toThrow();
        await service().start();
        await eventually(async () => (await backend.get('kept:key')) === 7);
      });
    });

    describe('an idle connection', () => {
      it('comes back though nobody asks for it', async () => {
        const backend = create();
        await backend.get('app:key');
        await service().kill();
        await service().start();
        const plain = await connectPlain(service().url);
        await eventually(async () => (await backendIds(plain)).length === 1);
        expect(await failing(backend)).toEqual([]);
        plain.destroy();
      });
    });

    describe('a frozen server', () => {
      it('is given up though the application goes on writing', async () => {
        const backend = create();
        await backend.set('app:key', 1, null);
        service().freeze();
        const writing = setInterval(() => underWay.push(settled(backend.set('app:key', 1, null))), 10);
        const underWay: Promise<PromiseSettledResult<unknown>>[] = [settled(backend.get('app:key'))];
        const [first] = await Promise.all(underWay);
        clearInterval(writing);
        expect(first!.status).toBe('rejected');
        await Promise.all(underWay);
      });
    });

    describe('a slow server', () => {
      it('is not given up because the process itself was busy', async () => {
        const backend = create();
        await backend.set('app:key', 1, null);
        const plain = await connectPlain(service().url);
        const [before] = await backendIds(plain);
        // Longer than two looks at the connection take, so that the limit passes with the answer already there.
        for (let turn = 0; turn < 4; turn++) {
          const end = performance.now() + LIMITS.socketTimeoutMs * 0.9;
          while (performance.now() < end);
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(await backend.get('app:key')).toBe(1);
        expect(await backendIds(plain)).toEqual([before]);
        plain.destroy();
      });
    });

    describe('a connection that the server closes', () => {
      it('is made anew without a failed operation, again and again, and leaves nothing behind', async () => {
        const backend = create();
        await backend.set('app:key', 1, null);
        const plain = await connectPlain(service().url);
        for (let turn = 0; turn < 20; turn++) {
          const [id] = await backendIds(plain);
          await plain.sendCommand(['CLIENT', 'KILL', 'ID', id!]);
          await eventually(
            async () => (await backendIds(plain))[0] !== id && (await backend.get('app:key')) === 1,
          );
        }
        expect(await backendIds(plain)).toHaveLength(1);
        plain.destroy();
      });
    });
  },
  { own: true },
);

/** The connections other than the asking one, by the number that the server gave them. */
async function backendIds(plain: Awaited<ReturnType<typeof connectPlain>>): Promise<string[]> {
  const own = String(await plain.sendCommand(['CLIENT', 'ID']));
  const list = String(await plain.sendCommand(['CLIENT', 'LIST']));
  return [...list.matchAll(/^id=(\d+)/gm)].map(([, id]) => id!).filter((id) => id !== own);
}

describe('a server that never answers', () => {
  let server: Server;
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).on('data', () => undefined);
      socket.on('close', () => sockets.delete(socket));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(async () => {
    server.close();
    await once(server, 'close');
  });

  it('has no connection left after close(), not even one that was being made', async () => {
    const { port } = server.address() as AddressInfo;
    const backend = new RedisBackend({
      url: `redis://127.0.0.1:${port}`,
      connectTimeoutMs: 60_000,
      socketTimeoutMs: 60_000,
    });
    const underWay = settled(backend.get('app:key'));
    await eventually(async () => sockets.size === 1);
    expect((await settled(backend.close())).status).toBe('fulfilled');
    expect((await underWay).status).toBe('rejected');
    await eventually(async () => sockets.size === 0);
  });

  it('leaves no connection behind when close() comes before the socket stands', async () => {
    const { port } = server.address() as AddressInfo;
    for (const pause of [0, 1, 2, 3]) {
      const backend = new RedisBackend({
        url: `redis://127.0.0.1:${port}`,
        connectTimeoutMs: 60_000,
        socketTimeoutMs: 60_000,
      });
      const underWay = settled(backend.get('app:key'));
      for (let turn = 0; turn < pause; turn++) await new Promise((resolve) => setImmediate(resolve));
      await backend.close();
      expect((await underWay).status).toBe('rejected');
    }
    await eventually(async () => sockets.size === 0);
  });

  it('makes operations fail at once after the first attempt', async () => {
    const { port } = server.address() as AddressInfo;
    const backend = new RedisBackend({ url: `redis://127.0.0.1:${port}`, ...LIMITS });
    await settled(backend.get('app:key'));
    const turn = new Promise((resolve) => setImmediate(resolve, 'pending'));
    expect(await Promise.race([turn, settled(backend.get('app:key'))])).toMatchObject({ status: 'rejected' });
    await backend.close();
  });

  it('fails within the time for a connection, with a reason', async () => {
    const { port } = server.address() as AddressInfo;
    const backend = new RedisBackend({ url: `redis://127.0.0.1:${port}`, ...LIMITS });
    const outcome = await settled(backend.get('app:key'));
    expect(outcome).toMatchObject({ reason: { message: expect.stringContaining('400 ms') } });
    await backend.close();
  });
});

describe('a port where nothing listens', () => {
  it('makes every operation fail, and close() end', async () => {
    const backend = new RedisBackend({ url: `redis://127.0.0.1:${await freePort()}`, ...LIMITS });
    expect(await failing(backend)).toEqual(ALL);
    expect(await failing(backend)).toEqual(ALL);
    expect((await settled(backend.close())).status).toBe('fulfilled');
  });
});
