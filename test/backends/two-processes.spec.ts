import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import type { CacheOptions } from 'nestjs-caching';
import { openCache } from '../support/caches.js';
import { kill, useCacheProcesses } from '../support/processes.js';
import { until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';

/** Enough on a machine that is busy with other things. */
jest.setTimeout(60_000);

/** Generous for the same reason: what is told apart here is right and wrong, not fast and slow. */
const PATIENT = { readDeadline: '50s', writeDeadline: '50s', leaseTtl: '50s' } as const;
const WAITING = { connectTimeout: '50s', queryTimeout: '50s' } as const;

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

/** What backends promise whose atomicity is `'shared'`, in two real processes at once. */
function describeTwoProcesses(name: string, location: () => CacheOptions): void {
  describe(`two processes on ${name}`, () => {
    const start = useCacheProcesses();
    const options = () => ({ keyPrefix: randomUUID(), ...PATIENT, ...location() }) as CacheOptions;

    it('add up N parallel increments each to exactly 2 N', async () => {
      const common = options();
      const processes = await Promise.all([start(common), start(common)]);
      const sums = await Promise.all(
        processes.map(({ tell }) => tell<number[]>({ does: 'increment', key: 'count', times: 100 })),
      );
      expect(sums.flat().sort((one, two) => one - two)).toEqual(range(200).map((index) => index + 1));
      for (const { tell } of processes) expect(await tell({ does: 'get', key: 'count' })).toBe(200);
    });

    it('adding the same keys win each of them exactly once', async () => {
      const common = options();
      const processes = await Promise.all([start(common), start(common)]);
      const keys = range(50).map((index) => `key ${index}`);
      const won = await Promise.all(
        processes.map(({ tell }, index) => tell<string[]>({ does: 'add', keys, value: `process ${index}` })),
      );
      expect(won.flat().sort()).toEqual([...keys].sort());
      const cache = await openCache(common);
      for (const [index, mine] of won.entries()) {
        for (const value of (await cache.getMany(mine)).values())
          expect(value).toEqual({ by: `process ${index}` });
      }
      await cache.close();
    });

    it('wait for the lock and the load of another though they have nothing else to live for', async () => {
      const common = { ...options(), leaseTtl: '1s' } as CacheOptions;
      const [owner, waiter] = await Promise.all([start(common), start(common)]);
      const cache = await openCache(common);
      const lost = owner
        .tell({ does: 'load', key: 'k', value: 'v', callers: 1, isHeld: true })
        .catch(() => 0);
      await until(() => owner.began('k') === 1);
      await kill(owner.child);
      await lost;
      await cache.lock('k', { ttl: '500ms' });
      const gone = once(waiter.child, 'exit');
      void waiter.tell({ does: 'wait alone', key: 'k' }).catch(() => undefined);
      await gone;
      expect(await cache.getMany(['k:locked', 'k'])).toEqual(
        new Map<string, unknown>([
          ['k:locked', true],
          ['k', 'loaded'],
        ]),
      );
      await cache.close();
    });
  });
}

describe('on files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-caching-two-processes-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  describeTwoProcesses('files', () => ({ backend: 'file', directory: join(directory, 'files') }));
  describeTwoProcesses('sqlite', () => ({ url: `sqlite://${directory}/cache.db`, ...WAITING }));
});
describeService('postgres', (service) =>
  describeTwoProcesses('postgres', () => ({ url: service().url, ...WAITING })),
);
describeService('mariadb', (service) =>
  describeTwoProcesses('mariadb', () => ({ url: service().url, ...WAITING })),
);
describeService('memcached', (service) => describeTwoProcesses('memcached', () => ({ url: service().url })));
describeService('redis', (service) => describeTwoProcesses('redis', () => ({ url: service().url })));
