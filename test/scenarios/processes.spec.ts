import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import type { CacheOptions } from 'nestjs-caching';
import type { Loaded } from '../support/cache-process.js';
import { openCache } from '../support/caches.js';
import { type CacheProcess, kill, useCacheProcesses } from '../support/processes.js';
import { until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';

/** Enough on a machine that is busy with other things. */
jest.setTimeout(60_000);

/** Generous, since four processes share a machine here with whatever else it does. */
const DEADLINES = { readDeadline: '20s', writeDeadline: '20s' } as const;
/** A thousand callers wait for ten connections. */
const POOL = { connectTimeout: '20s', queryTimeout: '20s' } as const;
/** Longer than a busy machine lets a process wait, so that only the dead lose theirs. */
const LEASE_MS = 3000;

function describeProcesses(name: string, location: () => CacheOptions): void {
  describe(`several processes on ${name}`, () => {
    const start = useCacheProcesses();
    const options = (more: object = {}) =>
      ({ keyPrefix: randomUUID(), ...DEADLINES, ...location(), ...more }) as CacheOptions;
    const load = (process: CacheProcess, more: object = {}) =>
      process.tell<Loaded>({ does: 'load', key: 'k', value: 'v', callers: 1, ...more });

    it('1,000 callers × 4 processes on a cold key → 1 load', async () => {
      const common = options();
      const processes = await Promise.all([1, 2, 3, 4].map(() => start(common)));
      const loading = processes.map((process) => load(process, { callers: 1000, isHeld: true }));
      const runs = () => processes.reduce((sum, { began }) => sum + began('k'), 0);
      await until(() => runs() > 0);
      const others = processes.filter(({ began }) => began('k') === 0);
      expect(others).toHaveLength(3);
      await Promise.all(processes.map((process) => process.tell({ does: 'finish', key: 'k' })));
      const loaded = await Promise.all(loading);
      for (const { values, errors } of loaded) expect([values, errors]).toEqual([{ v: 1000 }, {}]);
      expect(runs()).toBe(1);
      expect(loaded.reduce((sum, { statistics }) => sum + statistics.loads, 0)).toBe(1);
      expect(loaded.reduce((sum, { statistics }) => sum + statistics.unleased, 0)).toBe(0);
      for (const process of processes) expect(await process.tell({ does: 'get', key: 'k' })).toBe('v');
    });

    it('5 · the lease owner is killed in mid-load → one follower takes over within the lease time; nobody waits longer than its own deadline', async () => {
      const common = options({ leaseTtl: LEASE_MS });
      const [owner, ...followers] = await Promise.all([1, 2, 3].map(() => start(common)));
      const lost = load(owner as CacheProcess, { isHeld: true }).catch((error: unknown) => error);
      await until(() => owner?.began('k') === 1);
      const waiting = followers.map((follower) => load(follower, { callers: 10, value: 'taken over' }));
      const impatient = await load(followers[0] as CacheProcess, { timeout: 50 });
      expect(impatient.errors).toEqual({ CACHING_LOAD_TIMEOUT: 1 });
      await kill((owner as CacheProcess).child);
      expect(await lost).toBeInstanceOf(Error);
      for (const { values, errors } of await Promise.all(waiting))
        expect([values, errors]).toEqual([{ 'taken over': 10 }, {}]);
      expect(followers.reduce((sum, { began }) => sum + began('k'), 0)).toBe(1);
    });

    it('6 · the lease owner is paused (SIGSTOP) past its lease, then resumes and writes → the late write is refused, counted `fenced`', async () => {
      const common = options({ leaseTtl: LEASE_MS });
      const [owner, follower] = await Promise.all([start(common), start(common)]);
      const paused = load(owner, { value: 'late', isHeld: true });
      await until(() => owner.began('k') === 1);
      owner.child.kill('SIGSTOP');
      expect((await load(follower, { value: 'new' })).values).toEqual({ new: 1 });
      owner.child.kill('SIGCONT');
      await owner.tell({ does: 'finish', key: 'k' });
      const { values, statistics } = await paused;
      expect(values).toEqual({ late: 1 });
      expect(statistics.fenced).toBe(1);
      for (const process of [owner, follower])
        expect(await process.tell({ does: 'get', key: 'k' })).toBe('new');
    });

    it.each(['delete', 'set', 'clear', 'invalidateTags'] as const)(
      '20, 21, 23, 24 · %s in one process during a load in another always wins',
      async (change) => {
        const common = options();
        const loader = await start(common);
        const cache = await openCache(common);
        const loading = load(loader, { value: 'old', isHeld: true, tags: ['t'] });
        await until(() => loader.began('k') === 1);
        await {
          delete: () => cache.delete('k'),
          set: () => cache.set('k', 'newer'),
          clear: () => cache.clear(),
          invalidateTags: () => cache.invalidateTags(['t']),
        }[change]();
        await loader.tell({ does: 'finish', key: 'k' });
        const { values, statistics } = await loading;
        expect([values, statistics.fenced]).toEqual([{ old: 1 }, 1]);
        const expected = change === 'set' ? 'newer' : undefined;
        expect(await cache.get('k')).toBe(expected);
        expect(await loader.tell({ does: 'get', key: 'k' })).toBe(expected);
        await cache.close();
      },
    );

    it("11 · A's factory in one process needs B, B's factory in another needs A → a typed error at the load's deadline, no hang", async () => {
      const common = options({ loadTimeout: '1s' });
      const [one, two] = await Promise.all([start(common), start(common)]);
      const loading = [
        load(one, { key: 'A', isHeld: true, needs: 'B' }),
        load(two, { key: 'B', isHeld: true, needs: 'A' }),
      ];
      await until(() => one.began('A') === 1 && two.began('B') === 1);
      await Promise.all([one.tell({ does: 'finish', key: 'A' }), two.tell({ does: 'finish', key: 'B' })]);
      const outcomes = await Promise.all(loading);
      expect(outcomes.some(({ errors }) => errors['CACHING_LOAD_TIMEOUT'] === 1)).toBe(true);
    });

    it('111 · closing during a load that never ends → the process exits by itself', async () => {
      const process = await start(options({ closeDeadline: 200 }));
      const loading = load(process, { isHeld: true }).catch((error: unknown) => error);
      await until(() => process.began('k') === 1);
      const gone = once(process.child, 'exit');
      await process.tell({ does: 'close' }).catch(() => undefined);
      expect((await gone)[0]).toBe(0);
      await loading;
    });
  });
}

describeService('redis', (service) => describeProcesses('redis', () => ({ url: service().url })));
describeService('memcached', (service) => describeProcesses('memcached', () => ({ url: service().url })));
describeService('postgres', (service) =>
  describeProcesses('postgres', () => ({ url: service().url, ...POOL })),
);

describe('on files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'nestjs-caching-processes-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  describeProcesses('files', () => ({ backend: 'file', directory }));
});
