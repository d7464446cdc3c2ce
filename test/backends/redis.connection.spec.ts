import { readFile, rm } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { createClient } from '@keyv/redis';
import { RedisBackend } from '../../libs/caching/src/backends/redis.backend.js';
import { startService } from '../support/services.js';
import { createCertificate, describeOnRedis, eventually, freePort, LIMITS } from './redis-servers.js';

function text(payload: unknown): string {
  return Buffer.from(payload as Uint8Array).toString('latin1');
}

describeOnRedis((server) => {
  async function connections(): Promise<number> {
    const list = String(await server.plain.sendCommand(['CLIENT', 'LIST']));
    return list.trim().split('\n').length;
  }

  describe('connection', () => {
    it('is not made before the first operation, and then once', async () => {
      const before = await connections();
      const backend = server.create();
      expect(await connections()).toBe(before);
      await Promise.all(Array.from({ length: 50 }, (_, n) => backend.set(`app:${n}`, n, null)));
      expect(await connections()).toBe(before + 1);
      await backend.close();
      await expect(backend.get('app:1')).rejects.toThrow('closed');
      await eventually(async () => (await connections()) === before);
    });

    it('uses the database of the URL', async () => {
      await server.create({ url: `${server.service.url}/3` }).set('app:key', 7, null);
      expect(await server.plain.get('app:key')).toBeNull();
      expect(await server.create().get('app:key')).toBeUndefined();
      expect(await server.create({ url: `${server.service.url}/3` }).get('app:key')).toBe(7);
    });

    it('logs in as an ACL user whose password has special characters', async () => {
      const password = 'p@ss:w/rd%#?';
      const rules = [
        'reset',
        'on',
        `>${password}`,
        '~app:*',
        '+@read',
        '+@write',
        '+@scripting',
        '+@keyspace',
      ];
      await server.plain.sendCommand(['ACL', 'SETUSER', 'cache', ...rules]);
      const { host, port } = server.service;
      const backend = server.create({ url: `redis://cache:${encodeURIComponent(password)}@${host}:${port}` });
      await backend.set('app:key', 1, 60_000);
      expect(await backend.increment('app:key', 1, undefined, null)).toBe(2);
      await backend.clear('app:');
      expect(await backend.get('app:key')).toBeUndefined();
      await expect(backend.set('other:key', 1, null)).rejects.toThrow(/^NOPERM/);
    });

    it('fails with the reason of the server, and without the password, if it is refused', async () => {
      const { host, port } = server.service;
      const backend = server.create({ url: `redis://nobody:open-sesame@${host}:${port}` });
      for (let attempt = 0; attempt < 3; attempt++) {
        const error = await backend.get('app:key').catch((reason: Error) => reason);
        expect((error as Error).message).toMatch(/^WRONGPASS/);
        expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('sesame');
      }
    });

    it.each([
      'redis://user:open-sesame@host:port',
      'http://user:open-sesame@host',
      'redis://u:open-sesame@host/x',
      'redis://',
    ])('does not repeat an address that cannot be read: %s', (url) => {
      const error = (() => {
        try {
          return server.create({ url });
        } catch (reason) {
          return reason;
        }
      })() as Error;
      expect(error).toBeInstanceOf(TypeError);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('sesame');
    });
  });

  describe("a client of the application's", () => {
    it('is used and left open, with the listeners it had', async () => {
      const client = createClient({ url: server.service.url });
      client.on('error', () => undefined);
      await client.connect();
      const listeners = client.listenerCount('error');
      const backend = server.create({ client });
      await backend.set('app:key', Buffer.from('42'), null);
      expect(text(await backend.get('app:key'))).toBe('42');
      expect(await backend.increment('app:n', 1, 0, null)).toBe(1);
      await backend.clear('app:');
      expect(await backend.getMany(['app:key', 'app:n'])).toEqual([undefined, undefined]);
      await backend.close();
      await expect(backend.get('app:key')).rejects.toThrow('closed');
      expect(await client.ping()).toBe('PONG');
      expect(client.listenerCount('error')).toBe(listeners);
      client.destroy();
    });

    it('that is not connected makes operations fail at once', async () => {
      const client = createClient({ url: server.service.url });
      await expect(server.create({ client }).get('app:key')).rejects.toThrow('not connected');
    });
  });
});

describe('TLS', () => {
  it('trusts the given authority and nothing else', async () => {
    const { folder, cert, key } = await createCertificate();
    const port = await freePort();
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
    const args = ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files];
    const service = await startService('redis', { own: true, args });
    const ca = await readFile(cert, 'utf8');
    const url = `rediss://127.0.0.1:${port}`;
    const trusting = new RedisBackend({ url, tls: { ca }, ...LIMITS });
    const suspicious = new RedisBackend({ url, ...LIMITS });
    const plain = new RedisBackend({ url: `redis://127.0.0.1:${port}`, ...LIMITS });
    try {
      await trusting.set('app:key', 5, 60_000);
      expect(await trusting.get('app:key')).toBe(5);
      await expect(suspicious.get('app:key')).rejects.toThrow(/self.signed/);
      await expect(plain.get('app:key')).rejects.toThrow();
    } finally {
      await Promise.all([trusting, suspicious, plain].map((backend) => backend.close()));
      await service.stop();
      await rm(folder, { recursive: true });
    }
  });
});
