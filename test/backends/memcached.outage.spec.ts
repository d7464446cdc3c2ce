import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { describeOutage } from 'nestjs-caching/testing';
import { MemcachedBackend } from '../../libs/caching/src/backends/memcached.backend.js';
import { systemClock } from '../../libs/caching/src/clock.js';
import { describeService } from '../support/services.js';

function backendOn(host: string, port: number, limitMs = 300): MemcachedBackend {
  return new MemcachedBackend({
    servers: [`${host}:${port}`],
    connectTimeoutMs: limitMs,
    socketTimeoutMs: limitMs,
    maxItemBytes: 1_048_576,
    clock: systemClock,
  });
}

describeService(
  'memcached',
  (service) => {
    describeOutage('memcached', {
      server: service,
      open: ({ host, port }, limitMs) => backendOn(host, port, limitMs),
      runner: { describe, it, expect, beforeEach, afterEach },
    });

    it('refuses a connection in its own words', async () => {
      const backend = backendOn(service().host, service().port);
      await service().kill();
      await expect(backend.get('k')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await backend.close();
    });
  },
  { own: true },
);

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
