import { expect, it } from '@jest/globals';
import { LoadCycleError, LoadTimeoutError, TooManyLoadsError } from 'nestjs-caching';
import { gate, heldFactory } from '../support/gate.js';
import { describeScenarios, until } from '../support/scenarios.js';

const never = () => new Promise<never>(() => undefined);

describeScenarios('C-A · stampede and factories', (world) => {
  const failing = (error: Error) => {
    const factory = async (): Promise<never> => {
      factory.runs += 1;
      await world.after(20);
      throw error;
    };
    factory.runs = 0;
    return factory;
  };

  it('2 · 20 concurrent callers, the factory rejects after 20 ms → 1 run, 20 rejections with the same error, 20 ms in all', async () => {
    const { cache } = await world.open();
    const error = new Error('the source is down');
    const factory = failing(error);
    const outcomes = Promise.allSettled(Array.from({ length: 20 }, () => cache.getOrSet('k', factory)));
    await until(() => factory.runs === 1 && cache.statistics.coalesced === 19);
    world.clock.advance(20);
    for (const outcome of await outcomes) expect((outcome as PromiseRejectedResult).reason).toBe(error);
    expect(factory.runs).toBe(1);
    expect(await world.keys()).toEqual([]);
  });

  it('3 · after scenario 2, the next call inside the error window → the same error at once, no run; after the window one run', async () => {
    const { cache } = await world.open({ errorTtl: '1s' });
    const error = new Error('the source is down');
    const factory = failing(error);
    const fail = async () => expect(await world.pass(cache.getOrSet('k', factory).catch(same))).toBe(error);
    const same = (reason: unknown) => reason;
    await fail();
    for (let call = 0; call < 5; call += 1) await expect(cache.getOrSet('k', factory)).rejects.toBe(error);
    world.clock.advance(850);
    await expect(cache.getOrSet('k', factory)).rejects.toBe(error);
    expect(factory.runs).toBe(1);
    world.clock.advance(250);
    await fail();
    expect(factory.runs).toBe(2);
  });

  it('8 · the factory never settles → callers get stale or a timeout error at their deadline; the key works again after the flight ended', async () => {
    const { cache } = await world.open({ loadTimeout: '30s' });
    const { cache: other } = await world.openOther();
    const started = gate();
    const impatient = cache.getOrSet('k', () => (started.open(), never()), { timeout: 100 });
    await started.opened;
    const patient = cache.getOrSet('k', never);
    await until(() => cache.statistics.coalesced === 1);
    world.clock.advance(100);
    await expect(impatient).rejects.toThrow(LoadTimeoutError);
    world.clock.advance(29_900);
    await expect(patient).rejects.toThrow(LoadTimeoutError);
    expect(await world.pass(cache.getOrSet('k', () => 'again'))).toBe('again');
    expect(await other.get('k')).toBe('again');

    const life = { ttl: 1000, staleIfError: '1h' } as const;
    await cache.set('s', 'stale', life);
    world.clock.advance(1000);
    const soft = cache.getOrSet('s', never, { ...life, softTimeout: 100 });
    const hard = cache.getOrSet('s', never, life);
    await until(() => cache.statistics.coalesced === 2);
    world.clock.advance(100);
    expect(await soft).toBe('stale');
    world.clock.advance(29_900);
    expect(await hard).toBe('stale');
    expect(cache.statistics.stale).toBe(2);
    world.clock.advance(60_000);
    expect(await world.pass(cache.getOrSet('s', () => 'again', life))).toBe('again');
  });

  it('9 · the factory ignores its abort signal and returns after eviction → the result is not stored', async () => {
    const { cache } = await world.open({ loadTimeout: '30s' });
    const { factory, started, finish } = heldFactory('late');
    let signal: AbortSignal | undefined;
    const loading = cache.getOrSet('k', (context) => ((signal = context.signal), factory()));
    await started;
    world.clock.advance(30_000);
    await expect(loading).rejects.toThrow(LoadTimeoutError);
    expect(signal?.aborted).toBe(true);
    finish();
    await until(() => cache.statistics.fenced === 1);
    expect(await cache.get('k')).toBeUndefined();
    expect(await world.pass(cache.getOrSet('k', () => 'new'))).toBe('new');
    expect(await cache.get('k')).toBe('new');
  });

  it("11 · A's factory needs B, B's factory needs A → a typed error, no hang", async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    const inside = gate();
    let entered = 0;
    const both = () => {
      if ((entered += 1) === 2) inside.open();
      return inside.opened;
    };
    const ring = await Promise.allSettled([
      cache.getOrSet('A', async () => (await both(), cache.getOrSet('B', () => 'B'))),
      cache.getOrSet('B', async () => (await both(), cache.getOrSet('A', () => 'A'))),
    ]);
    for (const outcome of ring)
      expect((outcome as PromiseRejectedResult).reason).toBeInstanceOf(LoadCycleError);
    expect(await cache.getOrSet('A', () => 'A')).toBe('A');

    const nested: Promise<string> = cache.getOrSet('C', () =>
      other.getOrSet('D', () => cache.getOrSet('C', () => 'C')),
    );
    await expect(nested).rejects.toThrow('C → D → C');
  });

  it('12 · A needs B while B is loading independently → works, B run once', async () => {
    const { cache } = await world.open();
    const b = heldFactory('B');
    const loadingB = cache.getOrSet('B', b.factory);
    await b.started;
    const loadingA = cache.getOrSet('A', async () => `A${await cache.getOrSet('B', b.factory)}`);
    await until(() => cache.statistics.coalesced === 1);
    b.finish();
    expect(await Promise.all([loadingA, loadingB])).toEqual(['AB', 'B']);
    expect(b.runs()).toBe(1);
    expect(await cache.get('A')).toBe('AB');
  });

  it.each([0, 5])(
    '14 · one of 10 callers aborts (number %i, counted from 0) → the others are unaffected',
    async (leaver) => {
      const { cache } = await world.open();
      const { factory, started, finish, runs } = heldFactory('v');
      const controller = new AbortController();
      const callers = Array.from({ length: 10 }, (_, index) =>
        cache.getOrSet('k', factory, {
          whenAbandoned: 'abort',
          ...(index === leaver && { signal: controller.signal }),
        }),
      );
      const outcomes = Promise.allSettled(callers);
      await started;
      await until(() => cache.statistics.coalesced === 9);
      controller.abort(new Error('gone'));
      await expect(callers[leaver]).rejects.toThrow('gone');
      finish();
      expect((await outcomes).filter(({ status }) => status === 'fulfilled')).toHaveLength(9);
      expect(runs()).toBe(1);
      expect(await cache.get('k')).toBe('v');
    },
  );

  it('15 · all callers abort → the signal is aborted (abort) or the load is finished and stored (finish)', async () => {
    const { cache } = await world.open();
    for (const whenAbandoned of ['abort', 'finish'] as const) {
      const { factory, started, finish } = heldFactory('v');
      const controller = new AbortController();
      let signal: AbortSignal | undefined;
      const before = cache.statistics.coalesced;
      const outcomes = Promise.allSettled(
        Array.from({ length: 3 }, () =>
          cache.getOrSet(whenAbandoned, (context) => ((signal = context.signal), factory()), {
            whenAbandoned,
            signal: controller.signal,
          }),
        ),
      );
      await started;
      await until(() => cache.statistics.coalesced === before + 2);
      controller.abort();
      for (const { status } of await outcomes) expect(status).toBe('rejected');
      expect(signal?.aborted).toBe(whenAbandoned === 'abort');
      finish();
      if (whenAbandoned === 'finish') await until(async () => (await cache.get('finish')) === 'v');
      else await until(() => cache.statistics.fenced === 1);
    }
    expect(await cache.get('abort')).toBeUndefined();
  });

  it('15 · a caller that leaves before its load has begun begins none, if nobody is to finish it', async () => {
    const { cache, backend } = await world.open();
    const controller = new AbortController();
    let runs = 0;
    backend.hang('get');
    backend.hang('getMany');
    const leaving = cache.getOrSet('k', () => (runs += 1), {
      signal: controller.signal,
      whenAbandoned: 'abort',
    });
    controller.abort(new Error('gone'));
    await expect(leaving).rejects.toThrow('gone');
    backend.heal();
    expect(await world.pass(cache.getOrSet('k', () => 'theirs'))).toBe('theirs');
    expect(runs).toBe(0);
  });

  it('15 · a background refresh is not abandoned by callers that joined it and left', async () => {
    const { cache } = await world.open();
    const life = { ttl: 1000, staleWhileRevalidate: 1000, staleIfError: '1h' } as const;
    await cache.set('k', 'old', life);
    world.clock.advance(1000);
    const { factory, started, finish } = heldFactory('new');
    expect(await cache.getOrSet('k', factory, life)).toBe('old');
    await started;
    world.clock.advance(1000);
    const controller = new AbortController();
    const joined = cache.getOrSet('k', factory, {
      ...life,
      signal: controller.signal,
      whenAbandoned: 'abort',
    });
    await until(() => cache.statistics.coalesced === 1);
    controller.abort(new Error('gone'));
    await expect(joined).rejects.toThrow('gone');
    finish();
    await until(async () => (await cache.get('k')) === 'new');
  });

  it('17 · the key is usable after a failed load → the next call after errorTtl runs the factory', async () => {
    const { cache } = await world.open();
    const { cache: other } = await world.openOther();
    await expect(cache.getOrSet('k', () => Promise.reject(new Error('once')))).rejects.toThrow('once');
    world.clock.advance(1101);
    expect(await cache.getOrSet('k', () => 'v')).toBe('v');
    expect(await other.get('k')).toBe('v');

    const options = { errorTtl: 0 };
    await expect(cache.getOrSet('l', () => Promise.reject(new Error('once')), options)).rejects.toThrow(
      'once',
    );
    expect(await cache.getOrSet('l', () => 'v', options)).toBe('v');
  });

  it('as many loads run as maxConcurrentLoads allows → one more is a typed error, or a stale value; afterwards there is room', async () => {
    const { cache } = await world.open({ maxConcurrentLoads: 2 });
    const life = { ttl: '1m', staleIfError: '1h' } as const;
    await cache.set('stale', 'old', life);
    world.clock.advance(60_000);
    const [one, two] = [heldFactory('1'), heldFactory('2')];
    const running = [cache.getOrSet('one', one.factory), cache.getOrSet('two', two.factory)];
    await Promise.all([one.started, two.started]);
    const followers = cache.getOrSet('one', () => 'never');
    await expect(cache.getOrSet('three', () => '3')).rejects.toThrow(TooManyLoadsError);
    expect(await cache.getOrSet('stale', () => 'new', life)).toBe('old');
    one.finish();
    expect([await running[0], await followers]).toEqual(['1', '1']);
    expect(await cache.getOrSet('three', () => '3')).toBe('3');
    two.finish();
    await running[1];
  });

  it('a batch is one of maxConcurrentLoads, however many of its keys are missing', async () => {
    const { cache } = await world.open({ maxConcurrentLoads: 2 });
    const keys = Array.from({ length: 10 }, (_each, n) => `k${n}`);
    const [one, many] = [heldFactory('1'), heldFactory('v')];
    const loadMany = async (missing: readonly string[]) => {
      const value = await many.factory();
      return new Map(missing.map((key) => [key, value]));
    };
    const running = cache.getOrSet('one', one.factory);
    await one.started;
    const batch = cache.getOrSetMany(keys, loadMany);
    await Promise.race([many.started, batch]);
    await expect(cache.getOrSet('two', () => '2')).rejects.toThrow(TooManyLoadsError);
    await expect(cache.getOrSetMany(['k0', 'two'], () => new Map())).rejects.toThrow(TooManyLoadsError);
    many.finish();
    expect(await batch).toEqual(new Map(keys.map((key) => [key, 'v'])));
    expect(many.runs()).toBe(1);
    expect(await cache.getOrSet('two', () => '2')).toBe('2');
    one.finish();
    await running;
  });

  it('18 · caller A soft 50 ms, caller B soft 500 ms on one flight, stale present → A stale at 50 ms, B fresh if ready', async () => {
    const { cache } = await world.open();
    const life = { ttl: 1000, staleIfError: '1h' } as const;
    await cache.set('k', 'stale', life);
    world.clock.advance(1000);
    const { factory, started, finish, runs } = heldFactory('fresh');
    let isSettled = false;
    const b = cache.getOrSet('k', factory, { ...life, softTimeout: 500 }).finally(() => (isSettled = true));
    const a = cache.getOrSet('k', factory, { ...life, softTimeout: 50 });
    await started;
    await until(() => cache.statistics.coalesced === 1);
    world.clock.advance(50);
    expect(await a).toBe('stale');
    expect(isSettled).toBe(false);
    world.clock.advance(449);
    finish();
    expect(await b).toBe('fresh');
    expect(runs()).toBe(1);
    expect(cache.statistics.stale).toBe(1);
  });
});
