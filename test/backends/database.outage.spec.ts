import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import {
  type DatabaseBackend,
  type DatabaseBackendOptions,
} from '../../libs/caching/src/backends/database.backend.js';
import { type Service, describeService } from '../support/services.js';
import { createBackend } from './database-subjects.js';
import { until } from './database-until.js';

const SHORT = { connectTimeoutMs: 300, queryTimeoutMs: 300 };

for (const name of ['postgres', 'mariadb'] as const) {
  describeService(name, (service) => describeOutages(service), { args: [] });
}

function describeOutages(service: () => Service): void {
  const backends: DatabaseBackend[] = [];
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);

  const create = (options: Partial<DatabaseBackendOptions> = {}): DatabaseBackend => {
    const backend = createBackend({ url: service().url, ...options });
    backends.push(backend);
    return backend;
  };
  const isUp = (backend: DatabaseBackend) => async () => {
    try {
      await backend.get('any');
      return true;
    } catch {
      return false;
    }
  };

  beforeEach(() => {
    process.on('unhandledRejection', note);
    process.on('uncaughtException', note);
  });
  afterEach(async () => {
    await Promise.all(backends.splice(0).map((backend) => backend.close()));
    process.off('unhandledRejection', note);
    process.off('uncaughtException', note);
    expect(unhandled.splice(0)).toEqual([]);
  });

  describe('a server that is killed and comes back', () => {
    it('is used again, its idle connections forgotten', async () => {
      const backend = create();
      await Promise.all(Array.from({ length: 5 }, (_, n) => backend.set(`k${n}`, n, null)));
      await service().kill();
      await expect(backend.get('k1')).rejects.toThrow();
      await expect(backend.set('k1', 9, null)).rejects.toThrow();
      await service().start();
      await until(isUp(backend));
      expect(await backend.get('k1')).toBe(1);
    });

    it('fails what was under way, all of it', async () => {
      const backend = create(SHORT);
      await backend.set('k', 1, null);
      const underWay = Promise.allSettled(
        Array.from({ length: 30 }, async (_, n) => backend.set(`u${n}`, Buffer.alloc(200_000), null)),
      );
      await service().kill();
      expect(await underWay).toHaveLength(30);
      await service().start();
      await until(isUp(backend));
    });
  });

  describe('a server that is down at the start', () => {
    it('fails the operations and is used when it is there, its table included', async () => {
      const table = `late_${Date.now()}`;
      await service().kill();
      const backend = create({ table });
      await expect(backend.set('a', 1, null)).rejects.toThrow(/ECONNREFUSED/);
      await expect(backend.get('a')).rejects.toThrow(/ECONNREFUSED/);
      await service().start();
      await until(isUp(backend));
      await backend.set('a', 1, null);
      expect(await backend.get('a')).toBe(1);
    });

    it('does not keep close() waiting', async () => {
      await service().kill();
      const backend = create();
      await expect(backend.get('a')).rejects.toThrow();
      await backend.close();
      await service().start();
    });
  });

  describe('a frozen server', () => {
    afterEach(() => service().thaw());

    it('fails what is sent on an open connection, and is used again when it moves', async () => {
      const backend = create(SHORT);
      await backend.set('a', 1, null);
      service().freeze();
      // The signal takes a moment.
      await until(async () => !(await isUp(backend)()));
      await expect(backend.get('a')).rejects.toThrow(/time(d )?out/i);
      service().thaw();
      await until(isUp(backend));
      expect(await backend.get('a')).toBe(1);
    });

    it('fails what needs a new connection', async () => {
      service().freeze();
      const backend = create(SHORT);
      await expect(backend.get('a')).rejects.toThrow(/time(d )?out/i);
    });

    it('leaves no socket behind after close()', async () => {
      const backend = create({ queryTimeoutMs: 60_000 });
      await backend.set('a', 1, null);
      expect(sockets(service().port)).toBeGreaterThan(0);
      service().freeze();
      const underWay = Promise.allSettled([backend.get('a'), backend.get('b'), backend.set('c', 1, null)]);
      await pause(50);
      await backend.close();
      await underWay;
      await until(() => sockets(service().port) === 0);
    });

    it('gets no more sockets than the pool has, however many statements were given up', async () => {
      const backend = create({ ...SHORT, maxConnections: 2 });
      await backend.set('a', 1, null);
      service().freeze();
      for (let n = 0; n < 4; n += 1) await expect(backend.get('a')).rejects.toThrow();
      await until(() => sockets(service().port) <= 2);
    });
  });
}

/** Connections of this process to the server. */
function sockets(port: number): number {
  const { _getActiveHandles } = process as unknown as { _getActiveHandles(): { remotePort?: number }[] };
  return _getActiveHandles.call(process).filter(({ remotePort }) => remotePort === port).length;
}
