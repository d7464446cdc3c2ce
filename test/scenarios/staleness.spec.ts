import { describe, expect, it } from '@jest/globals';
import { type Factory, LoadTimeoutError } from 'nestjs-caching';
import { heldFactory } from '../support/gate.js';
import { describeScenarios, until } from '../support/scenarios.js';

const DOWN = () => Promise.reject(new Error('the source is down'));

describeScenarios('C-C · staleness', (world) => {
  it.each(['staleWhileRevalidate', 'staleIfError'] as const)(
    '32 · expired long ago (still in the window, %s), the factory fails 5 times → 1 attempt per throttle period',
    async (window) => {
      const { cache } = await world.open({ errorTtl: 0 });
      const { cache: other } = await world.openOther();
      const life = { ttl: 1000, staleIfError: '7d', [window]: '7d' } as const;
      await cache.set('k', 'old', life);
      world.clock.advance(3 * 86_400_000);
      let runs = 0;
      const read = (each = cache) => each.getOrSet('k', () => ((runs += 1), DOWN()), life);
      // Each period counts from now and is longer than the one before: half to all of 1, 2, 4, 8, 16 s.
      for (const [attempt, longest] of [1000, 2000, 4000, 8000, 16_000].entries()) {
        expect(await read()).toBe('old');
        await until(() => cache.statistics.loadErrors === attempt + 1);
        for (let call = 0; call < 5; call += 1) expect(await read(other)).toBe('old');
        world.clock.advance(longest / 2 - 1);
        expect(await read()).toBe('old');
        expect(runs).toBe(attempt + 1);
        world.clock.advance(longest / 2 + 1);
      }
    },
  );

  it('33 · expired, slow factory, inside the stale window → stale at once, refresh in the background, once', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    const life = { ttl: 1000, staleWhileRevalidate: '1m' } as const;
    await cache.set('k', 'old', life);
    world.clock.advance(1000);
    const { factory, started, finish, runs } = heldFactory('new');
    expect(await cache.getOrSet('k', factory, life)).toBe('old');
    await started;
    for (let call = 0; call < 10; call += 1)
      for (const each of [cache, other]) expect(await each.getOrSet('k', factory, life)).toBe('old');
    finish();
    await until(async () => (await other.get('k')) === 'new');
    expect(await other.getOrSet('k', factory, life)).toBe('new');
    expect(runs()).toBe(1);
  });

  it.each(['staleWhileRevalidate', 'staleIfError'] as const)(
    '35 · the window (%s) has passed, the factory fails → the error, never an older value',
    async (window) => {
      const { cache } = await world.open();
      const life = { ttl: 1000, [window]: 1000 } as const;
      await cache.set('k', 'old', life);
      world.clock.advance(1999);
      expect(await cache.getOrSet('k', DOWN, life)).toBe('old');
      await until(() => cache.statistics.loadErrors === 1);
      world.clock.advance(1);
      await expect(world.pass(cache.getOrSet('k', DOWN, life))).rejects.toThrow('down');
      expect(await cache.get('k')).toBeUndefined();
      const hung = cache.getOrSet('k', () => new Promise(() => undefined), {
        ...life,
        softTimeout: 10,
        timeout: 100,
      });
      world.clock.advance(2000);
      await expect(world.pass(hung)).rejects.toThrow(/down|longer/);
    },
  );

  it.each<[string, Factory<string | undefined>]>([
    ['answers undefined', () => undefined],
    ['gives it no life', ({ setTtl }) => (setTtl(0), 'gone')],
    ['makes more than may be stored', () => 'x'.repeat(3000)],
  ])(
    'a refresh that %s → the stale value goes, and is not refreshed over and over',
    async (_how, refresh) => {
      const { cache } = await world.open({ maxValueBytes: 2048 });
      const options = { ttl: '1m', staleWhileRevalidate: '1h', staleIfError: '1h' } as const;
      await cache.set('k', 'old', options);
      world.clock.advance(60_000);
      expect(await cache.getOrSet('k', refresh, options)).toBe('old');
      await until(async () => (await world.keys()).length === 0);
      expect(await cache.getOrSet('k', () => 'new', options)).toBe('new');
    },
  );

  it('36 · the grace is shorter than the ttl → the entry still lives its full ttl', async () => {
    const { cache } = await world.open();
    const life = { ttl: '1h', staleWhileRevalidate: '1s', staleIfError: '1s' } as const;
    await cache.getOrSet('k', () => 'v', life);
    world.clock.advance(3_599_999);
    expect(await cache.get('k')).toBe('v');
    expect(await cache.ttl('k')).toBe(1);
    expect(await cache.getOrSet('k', () => 'unused', life)).toBe('v');
    world.clock.advance(1);
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.ttl('k')).toBeUndefined();
  });

  it('38 · delete, then read with the source down → the error, not stale', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    const life = { ttl: 1000, staleWhileRevalidate: '1h', staleIfError: '1h', tags: ['t'] } as const;
    const changes = [
      () => other.delete('k'),
      () => other.deleteMany(['k']),
      () => other.clear(),
      () => other.invalidateTags(['t']),
      () => other.set('k', 'x', 0),
    ];
    for (const isExpired of [false, true]) {
      for (const change of changes) {
        await cache.set('k', 'old', life);
        if (isExpired) world.clock.advance(1000);
        await change();
        await expect(cache.getOrSet('k', DOWN, { ...life, errorTtl: 0, softTimeout: 1 })).rejects.toThrow(
          'down',
        );
      }
    }
  });

  it('39 · eager refresh at 80 %: reads at 79 % and 81 % → none, then exactly one background load', async () => {
    const { cache } = await world.open();
    const life = { ttl: '80s', staleWhileRevalidate: '20s' } as const;
    await cache.set('k', 'first', life);
    const { factory, started, finish, runs } = heldFactory('second');
    const read = () => cache.getOrSet('k', factory, life);
    world.clock.advance(79_000);
    expect(await Promise.all([read(), read(), read()])).toEqual(['first', 'first', 'first']);
    expect(runs()).toBe(0);
    world.clock.advance(2000);
    expect(await Promise.all([read(), read(), read()])).toEqual(['first', 'first', 'first']);
    await started;
    finish();
    await until(async () => (await cache.get('k')) === 'second');
    expect(await read()).toBe('second');
    expect(runs()).toBe(1);
    expect(await cache.ttl('k')).toBe(80_000);
  });

  it('41 · jitter → expiry inside [ttl, ttl + jitter], reproducible with the seed', async () => {
    const lives = async (seed: number): Promise<number[]> => {
      const { cache } = await world.open({ ttl: '1m', ttlJitter: '10s', seed, staleIfError: '1m' });
      const drawn: number[] = [];
      for (let n = 0; n < 20; n += 1) {
        const key = `${seed}:${n}`;
        await (n % 2 === 0 ? cache.set(key, n) : cache.getOrSet(key, () => n));
        drawn.push((await cache.ttl(key)) ?? -1);
        await cache.delete(key);
      }
      return drawn;
    };
    const first = await lives(7);
    for (const life of first) {
      expect(life).toBeGreaterThanOrEqual(60_000);
      expect(life).toBeLessThanOrEqual(70_000);
    }
    expect(new Set(first).size).toBeGreaterThan(10);
    expect(await lives(7)).toEqual(first);
    expect(await lives(8)).not.toEqual(first);
  });

  describe('42 · the process shuts down during a background refresh', () => {
    const life = { ttl: 1000, staleWhileRevalidate: '1h', staleIfError: '1h' } as const;
    const refreshing = async () => {
      const { cache } = await world.open({ closeDeadline: '2s' });
      const { cache: other } = await world.openOther();
      await cache.set('k', 'old', life);
      world.clock.advance(1000);
      const held = heldFactory('new');
      expect(await cache.getOrSet('k', held.factory, life)).toBe('old');
      await held.started;
      return { cache, other, ...held };
    };

    it('→ drained within the grace period', async () => {
      const { cache, other, finish } = await refreshing();
      const closing = cache.close();
      finish();
      await closing;
      if (world.name === 'redis') expect(await other.get('k')).toBe('new');
      expect(cache.statistics.fenced).toBe(0);
    });

    it('→ or abandoned cleanly; no half-written entry', async () => {
      const { cache, other, finish } = await refreshing();
      await world.pass(cache.close());
      finish();
      if (world.name === 'memory') return;
      // The lease is given back, so another process refreshes at once and keeps the stale value until then.
      world.clock.advance(1000);
      expect(await other.getOrSet('k', () => 'theirs', life)).toBe('old');
      await until(async () => (await other.get('k')) === 'theirs');
    });

    it('→ callers that wait for a load are answered, also of one that a write has detached', async () => {
      const { cache } = await world.open({ closeDeadline: '2s' });
      const { factory, started } = heldFactory('never');
      const loading = cache.getOrSet('k', factory);
      await started;
      await cache.set('k', 'newer');
      const outcome = Promise.allSettled([loading]);
      await world.pass(cache.close());
      expect((await outcome)[0]).toMatchObject({ status: 'rejected', reason: { code: 'CACHING_CLOSED' } });
    });
  });

  it('a load that takes too long is an error of its own kind, so that stale values are served within their window alone', async () => {
    const { cache } = await world.open({ loadTimeout: '5s' });
    const life = { ttl: 1000, staleIfError: 6000 } as const;
    await cache.set('k', 'old', life);
    world.clock.advance(1000);
    const { factory, started } = heldFactory('never');
    const first = cache.getOrSet('k', factory, life);
    await started;
    world.clock.advance(5000);
    expect(await first).toBe('old');
    world.clock.advance(1000);
    const hung = heldFactory('never');
    const second = cache.getOrSet('k', hung.factory, life);
    second.catch(() => undefined);
    await world.pass(hung.started);
    world.clock.advance(5000);
    await expect(second).rejects.toThrow(LoadTimeoutError);
  });
});
