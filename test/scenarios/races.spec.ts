import { expect, it } from '@jest/globals';
import { heldFactory } from '../support/gate.js';
import { describeScenarios, until } from '../support/scenarios.js';

describeScenarios('C-B · races between loads and changes', (world) => {
  it('20 · delete(key) during a load; then read → a new load, the old result is not stored', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    const { factory, started, finish } = heldFactory('old');
    const loading = cache.getOrSet('k', factory);
    await started;
    expect(await other.delete('k')).toBe(false);
    const next = heldFactory('new');
    const reading = cache.getOrSet('k', next.factory);
    await next.started;
    finish();
    expect(await loading).toBe('old');
    expect(await other.get('k')).toBeUndefined();
    next.finish();
    expect(await reading).toBe('new');
    expect(await other.get('k')).toBe('new');
    expect(cache.statistics.fenced).toBe(1);
  });

  it('21 · set(key, new) during a load; then read → new stays', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    for (const write of [
      () => other.set('k', 'new'),
      () => other.setMany({ k: 'new' }),
      () => other.add('k', 'new'),
    ]) {
      const { factory, started, finish } = heldFactory('old');
      const loading = cache.getOrSet('k', factory);
      await started;
      await write();
      finish();
      expect(await loading).toBe('old');
      expect(await cache.getOrSet('k', () => 'unused')).toBe('new');
      expect(await other.get('k')).toBe('new');
      await cache.delete('k');
    }
    expect(cache.statistics.fenced).toBe(3);
  });

  it.each([{ soft: false }, { soft: true }])(
    '23 · a tag is invalidated (%o) during a background refresh or eager refresh → a new load, the old result is not stored',
    async (kind) => {
      const { cache } = await world.open();
      const { cache: other } = await world.openOther();
      const life = { ttl: '80s', staleWhileRevalidate: '20s', tags: ['t'] } as const;
      await cache.set('k', 'first', life);
      world.clock.advance(81_000);
      const { factory, started, finish } = heldFactory('old');
      expect(await cache.getOrSet('k', factory, life)).toBe('first');
      await started;
      await other.invalidateTags(['t'], kind);
      finish();
      await until(() => cache.statistics.fenced === 1);
      expect(await other.get('k')).toBeUndefined();
      const read = () => cache.getOrSet('k', () => 'new', life);
      expect(await read()).toBe(kind.soft ? 'first' : 'new');
      await until(async () => (await cache.get('k')) === 'new');
    },
  );

  it('23 · a tag that only the result shows is invalidated during a background refresh → the same', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    const life = { ttl: '80s', staleWhileRevalidate: '20s' } as const;
    await cache.set('k', 'first', life);
    world.clock.advance(81_000);
    const { factory, started, finish } = heldFactory('old');
    const load = ({ addTags }: { addTags(tags: string[]): void }) => (addTags(['late']), factory());
    expect(await cache.getOrSet('k', load, life)).toBe('first');
    await started;
    await other.invalidateTags(['late']);
    finish();
    await until(() => cache.statistics.fenced === 1);
    expect(await other.get('k')).toBeUndefined();
  });

  it('24 · clear() during a load → nothing is stored under the old epoch', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    await cache.set('before', 1);
    const { factory, started, finish } = heldFactory('old');
    const loading = cache.getOrSet('k', factory);
    await started;
    await other.clear();
    await until(async () => (await world.keys()).length === 0);
    finish();
    expect(await loading).toBe('old');
    expect(await world.keys()).toEqual([]);
    expect(cache.statistics.fenced).toBe(1);
    expect(await cache.getOrSet('k', () => 'new')).toBe('new');
  });

  it.each(['delete', 'clear', 'invalidateTags'] as const)(
    '26 · two loads overlap after %s; the older finishes last → the newer survives',
    async (change) => {
      const { cache } = await world.open();
      const { cache: other } = await world.openOther();
      const options = { tags: ['t'] };
      const older = heldFactory('older');
      const newer = heldFactory('newer');
      const first = cache.getOrSet('k', older.factory, options);
      await older.started;
      await (change === 'delete'
        ? other.delete('k')
        : change === 'clear'
          ? other.clear()
          : other.invalidateTags(['t']));
      const second = other.getOrSet('k', newer.factory, options);
      await newer.started;
      newer.finish();
      expect(await second).toBe('newer');
      older.finish();
      // A caller from before the invalidation gets what its load has made.
      expect(await first).toBe('older');
      expect(await cache.get('k')).toBe('newer');
      expect(await other.get('k')).toBe('newer');
    },
  );

  it.each(['answers the same value', 'fails'])(
    '27 · a stale object is revalidated after its tag was invalidated; the factory %s ("unchanged") → not revived',
    async (outcome) => {
      const { cache } = await world.open();
      const { cache: other } = await world.openOther();
      const life = { ttl: 1000, staleWhileRevalidate: '1h', staleIfError: '1h', tags: ['t'] } as const;
      await cache.set('k', 'v', life);
      world.clock.advance(1000);
      const { factory, started, finish, runs } = heldFactory('v');
      const revalidate = async () => {
        const value = await factory();
        if (outcome === 'fails') throw new Error('304 of a kind');
        return value;
      };
      expect(await cache.getOrSet('k', revalidate, life)).toBe('v');
      await started;
      await other.invalidateTags(['t']);
      finish();
      await until(() => cache.statistics.fenced + cache.statistics.loadErrors === 1);
      expect(await other.get('k')).toBeUndefined();
      world.clock.advance(2000);
      expect(await world.pass(cache.getOrSet('k', () => 'new', life))).toBe('new');
      expect(runs()).toBe(1);
    },
  );

  it('27 · the same after delete(key)', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    const life = { ttl: 1000, staleWhileRevalidate: '1h', staleIfError: '1h' } as const;
    await cache.set('k', 'v', life);
    world.clock.advance(1000);
    const { factory, started, finish } = heldFactory('v');
    expect(
      await cache.getOrSet('k', () => factory().then(() => Promise.reject(new Error('down'))), life),
    ).toBe('v');
    await started;
    await other.delete('k');
    finish();
    await until(() => cache.statistics.loadErrors === 1);
    await expect(
      world.pass(cache.getOrSet('k', () => Promise.reject(new Error('still down')), life)),
    ).rejects.toThrow('down');
    expect(await world.keys()).toEqual([]);
  });

  it('30 · a batch load of 10 keys, one deleted midway → nine stored, one not', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    const keys = Array.from({ length: 10 }, (_, n) => `k${n}`);
    const { factory, started, finish, runs } = heldFactory('v');
    const loading = cache.getOrSetMany(keys, async (missing) => {
      const value = await factory();
      return new Map(missing.map((key) => [key, value]));
    });
    await started;
    await other.delete('k3');
    finish();
    expect((await loading).size).toBe(10);
    expect(runs()).toBe(1);
    expect([...(await other.getMany(keys)).keys()]).toEqual(keys.filter((key) => key !== 'k3'));
    expect(cache.statistics.fenced).toBe(1);
  });

  it('a lease that is being renewed when the result is stored → stored, not refused', async () => {
    const { cache, backend } = await world.open({ leaseTtl: '30s' });
    const { factory, started, finish } = heldFactory('v');
    const loading = cache.getOrSet('k', factory);
    await started;
    const renewals = () => backend.calls.get('compareAndSet') ?? 0;
    const before = renewals();
    world.clock.advance(10_000);
    expect(renewals()).toBe(before + 1);
    finish();
    expect(await loading).toBe('v');
    expect(await cache.get('k')).toBe('v');
    expect(cache.statistics.fenced).toBe(0);
  });
});
