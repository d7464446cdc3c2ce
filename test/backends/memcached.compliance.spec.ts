import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemcachedBackend } from '../../libs/caching/src/backends/memcached.backend.js';
import { describeBackend, FakeClock } from '../../libs/caching/src/testing/index.js';
import { describeService } from '../support/services.js';

describeService('memcached', (service) => {
  // The server has its own clock, so the moved one starts at the real time.
  const clock = new FakeClock(Date.now());
  const createBackend = (): MemcachedBackend =>
    new MemcachedBackend({
      servers: [`${service().host}:${service().port}`],
      connectTimeoutMs: 2000,
      socketTimeoutMs: 5000,
      maxItemBytes: 1_048_576,
      clock,
    });

  describeBackend('memcached', {
    create: async () => {
      const socket = connect(service().port, service().host).setEncoding('latin1');
      socket.write('flush_all\r\n');
      expect(await once(socket, 'data')).toEqual(['OK\r\n']);
      socket.destroy();
      return { backend: createBackend(), other: createBackend() };
    },
    passTime: (ms) => clock.advance(ms),
    runner: { describe, it, expect, beforeEach, afterEach },
  });
});
