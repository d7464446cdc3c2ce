import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { describeOutage } from 'nestjs-caching/testing';

import { type Service, describeService } from '../support/services.js';
import { createBackend } from './database-subjects.js';
import { until } from './database-until.js';

const MAX_CONNECTIONS = 4;

// SQLite has no server that could be away: it runs in the process.
describeService('postgres', (service) => describeOutages('postgres', service), { own: true });
describeService('mariadb', (service) => describeOutages('mysql', service), { own: true });

function describeOutages(scheme: 'postgres' | 'mysql', service: () => Service): void {
  /** The URL of the server, by way of another address. */
  const urlBy = (host: string, port: number): string => {
    const { username, pathname } = new URL(service().url);
    return `${scheme}://${username}@${host}:${port}${pathname}`;
  };

  describeOutage('database', {
    server: service,
    open: ({ host, port }, limitMs) =>
      createBackend({
        url: urlBy(host, port),
        connectTimeoutMs: limitMs,
        queryTimeoutMs: limitMs,
        maxConnections: MAX_CONNECTIONS,
      }),
    maxConnections: MAX_CONNECTIONS,
    runner: { describe, it, expect, beforeEach, afterEach },
  });

  it('keeps its entries over a crash of the server', async () => {
    const backend = createBackend({ url: service().url });
    await Promise.all(Array.from({ length: 5 }, (_, n) => backend.set(`k${n}`, n, null)));
    await service().kill();
    await expect(backend.get('k1')).rejects.toThrow();
    await service().start();
    await until(() =>
      backend.get('k1').then(
        (payload) => payload === 1,
        () => false,
      ),
    );
    await backend.close();
  });

  it('makes its table when the server is there at last', async () => {
    const backend = createBackend({ url: service().url, table: `late_${Date.now()}` });
    await service().kill();
    await expect(backend.set('a', 1, null)).rejects.toThrow(/ECONNREFUSED/);
    await service().start();
    await backend.set('a', 1, null);
    expect(await backend.get('a')).toBe(1);
    await backend.close();
  });
}
