import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { MemcachedBackend } from '../../libs/caching/src/backends/memcached.backend.js';
import { systemClock } from '../../libs/caching/src/clock.js';
import { describeService } from '../support/services.js';

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
beforeAll(() => void process.on('unhandledRejection', onUnhandled));
afterAll(() => void process.off('unhandledRejection', onUnhandled));
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  expect(unhandled.splice(0)).toEqual([]);
});

function backendOn(host: string, port: number): MemcachedBackend {
  return new MemcachedBackend({
    servers: [`${host}:${port}`],
    connectTimeoutMs: 300,
    socketTimeoutMs: 200,
    maxItemBytes: 1_048_576,
    clock: systemClock,
  });
}

/** Every operation once, some of them in each other's way. */
function everything(backend: MemcachedBackend): Promise<unknown>[] {
  return [
    backend.get('k'),
    backend.getMany(['k', 'l']),
    backend.set('k', 1, null),
    backend.setMany([{ key: 'k', payload: Buffer.alloc(100_000), ttlMs: null }]),
    backend.add('a', 1, null),
    backend.delete('k'),
    backend.deleteMany(['k', 'l']),
    backend.ttl('k'),
    backend.touch('k', null),
    backend.increment('n', 1, 0, null),
    backend.increment('n', 1, 0, null),
    backend.increment('n', 1, 0, null),
    backend.compareAndSet('k', 1, 2, null),
    backend.compareAndDelete('k', 1),
  ];
}

async function expectAllToReject(operations: Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(operations);
  expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map(() => 'rejected'));
}

describeService('memcached', (service) => {
  describe('an outage of memcached', () => {
    let backend: MemcachedBackend;
    beforeEach(() => {
      backend = backendOn(service().host, service().port);
    });
    afterEach(() => backend.close());

    /** Stops the process, and waits until none of its threads answers any more. */
    async function freeze(): Promise<void> {
      service().freeze();
      const probe = backendOn(service().host, service().port);
      while (
        await probe.get('k').then(
          () => true,
          () => false,
        )
      );
      await probe.close();
    }

    it('at the start fails every operation until the server is there', async () => {
      await service().kill();
      await expectAllToReject(everything(backend));
      await expect(backend.get('k')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await service().start();
      await backend.set('k', 1, null);
      expect(await backend.get('k')).toBe(1);
    });

    it('in mid-operation fails what is under way and nothing after the restart', async () => {
      await backend.set('k', 1, null);
      await freeze();
      const underWay = everything(backend);
      await Promise.all([service().kill(), expectAllToReject(underWay)]);
      await expectAllToReject(everything(backend));
      await service().start();
      expect(await backend.get('k')).toBeUndefined();
      expect(await backend.increment('n', 1, 0, null)).toBe(1);
    });

    it('while nobody asks is not noticed', async () => {
      await backend.set('k', 1, null);
      await service().kill();
      await service().start();
      const answer = await backend.get('k').catch(() => backend.get('k'));
      expect(answer).toBeUndefined();
    });

    it('by freezing fails in time, and a thawed server works', async () => {
      await backend.set('k', 1, null);
      await freeze();
      await expectAllToReject(everything(backend));
      await expectAllToReject(everything(backend));
      service().thaw();
      await backend.set('k', 2, null);
      expect(await backend.get('k')).toBe(2);
    });

    it('does not keep close() waiting', async () => {
      await backend.set('k', 1, null);
      await freeze();
      const underWay = expectAllToReject(everything(backend));
      await backend.close();
      await underWay;
      await backend.close();
      await expectAllToReject(everything(backend));
      service().thaw();
    });

    it('ends with close() while the connection is being made', async () => {
      const underWay = expectAllToReject(everything(backend));
      await backend.close();
      await underWay;
    });
  });
});

describe('a memcached server out of step', () => {
  let server: Server;
  let backend: MemcachedBackend;
  let replies: string[];
  let connections: Socket[];

  /** Answers each command that arrives with the next of the replies; none is silence. */
  beforeEach(async () => {
    replies = [];
    connections = [];
    server = createServer((socket) => {
      connections.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write(replies.shift() ?? ''));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    backend = backendOn('127.0.0.1', (server.address() as AddressInfo).port);
  });
  afterEach(async () => {
    await backend.close();
    for (const socket of connections) socket.destroy();
    server.close();
    await once(server, 'close');
  });

  it.each([
    ['an item that nobody asked for', 'VALUE other 0 1\r\nx\r\nEND\r\n'],
    ['a block without an end', 'VALUE k 0 1\r\nxyz\r\nEND\r\n'],
    ['a size that is none', 'VALUE k 0 -1\r\nEND\r\n'],
    ['an item larger than any', 'VALUE k 0 99999999999\r\n'],
    ['the reply to another command', 'STORED\r\n'],
    ['ERROR', 'ERROR\r\n'],
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['a line without end', 'x'.repeat(5000)],
    ['silence', ''],
    ['half a reply', 'VALUE k 0 100\r\nx'],
  ])('is left after %s', async (_, reply) => {
    replies = [reply, 'END\r\n'];
    await expect(backend.get('k')).rejects.toThrow(/memcached at 127\.0\.0\.1:\d+ (answered|did not answer)/);
    expect(await backend.get('k')).toBeUndefined();
    expect(connections).toHaveLength(2);
  });

  it('is left after one reply too many, before it is taken for the next', async () => {
    replies = ['END\r\nVALUE k 0 1\r\nx\r\nEND\r\n', 'END\r\n'];
    expect(await backend.get('k')).toBeUndefined();
    const [first] = connections;
    if (first?.closed === false) await once(first, 'close');
    expect(await backend.get('k')).toBeUndefined();
    expect(connections).toHaveLength(2);
  });

  it('shows nothing of what it said', async () => {
    replies = ['personal data\r\n'];
    await expect(backend.get('k')).rejects.not.toThrow(/personal/);
  });

  it('is kept after a refusal, and the refused value is gone', async () => {
    replies = ['SERVER_ERROR out of memory storing object\r\n', 'DELETED\r\n', 'END\r\n'];
    await expect(backend.set('k', 1, null)).rejects.toThrow('out of memory storing object');
    expect(replies).toEqual(['END\r\n']);
    expect(await backend.get('k')).toBeUndefined();
    expect(connections).toHaveLength(1);
  });

  it('refuses one value of many in setMany', async () => {
    replies = ['SERVER_ERROR out of memory storing object\r\nSTORED\r\n', 'NOT_FOUND\r\n'];
    const writes = ['k', 'l'].map((key) => ({ key, payload: 1, ttlMs: null }));
    expect(await backend.setMany(writes)).toEqual(['k']);
  });

  it('says what to do if it has no compare-and-swap', async () => {
    replies = ['VALUE k 0 1\r\nx\r\nEND\r\n'];
    await expect(backend.touch('k', null)).rejects.toThrow('start it without -C');
  });
});
