import { describe, expect, it } from '@jest/globals';
import {
  cacheKey,
  type CacheService,
  type CommonCacheOptions,
  InvalidKeyError,
  UnserializableValueError,
  ValueTooLargeError,
} from 'nestjs-caching';
import { FakeClock, FailingBackend } from 'nestjs-caching/testing';
import { openCache } from '../support/caches.js';
import { assertSameValue } from '../support/same-value.js';
import { describeScenarios, memory } from '../support/scenarios.js';
import { SAMPLE_VALUES } from '../support/values.js';

const DAY_MS = 86_400_000;

describeScenarios('C-E · values, keys, clocks', (world) => {
  it.each(SAMPLE_VALUES)(
    '65, 66 · through every backend → deep-equal, of identical types: $name',
    async ({ make }) => {
      const { cache } = await world.open();
      const { cache: other } = await world.openOther();
      const isPresent = make() !== undefined;
      assertSameValue(await cache.getOrSet('k', make), make());
      if (!isPresent) return;
      for (const each of [cache, other]) {
        assertSameValue(await each.get('k'), make());
        assertSameValue(await each.get('k', { copy: true }), make());
      }
      await cache.set('l', make());
      assertSameValue((await other.getMany(['l'])).get('l'), make());
    },
  );

  it('65 · cyclic, Error, functions, symbols → a typed refusal, and the key is not held up', async () => {
    const { cache } = await world.open();
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const refused = [cyclic, new Error('no'), { deep: [() => 1] }, Symbol('no'), new (class Entity {})()];
    for (const value of refused) {
      await expect(cache.set('k', value)).rejects.toThrow(UnserializableValueError);
      await expect(cache.getOrSet('k', () => value, { errorTtl: 0 })).rejects.toThrow(
        UnserializableValueError,
      );
    }
    expect(await cache.getOrSet('k', () => 'fine', { errorTtl: 0 })).toBe('fine');
  });

  it('68 · null, 0, "", false, NaN → each cached and told apart from a miss; undefined is answered and not cached', async () => {
    const { cache } = await world.open();
    let runs = 0;
    for (const [n, value] of [null, 0, '', false, Number.NaN].entries()) {
      const load = () => {
        runs += 1;
        return value;
      };
      const key = `k${n}`;
      expect(await cache.getOrSet(key, load)).toBe(value);
      expect(await cache.getOrSet(key, load)).toBe(value);
      expect(await cache.has(key)).toBe(true);
      expect(await cache.get(key, { default: 'missing' as never })).toBe(value);
      expect((await cache.getMany([key])).has(key)).toBe(true);
      expect(runs).toBe(n + 1);
    }
    expect(await cache.get('none', { default: 'missing' })).toBe('missing');
    for (let call = 1; call <= 2; call += 1) {
      expect(await cache.getOrSet('u', () => void (runs += 1))).toBeUndefined();
      expect(runs).toBe(5 + call);
    }
    expect(await world.keys()).toHaveLength(5);
    await expect(cache.set('u', undefined)).rejects.toThrow(UnserializableValueError);
  });

  it('69 · a ttl of 60 days, 25 days, 2³¹ ms → no overflow, no instant expiry', async () => {
    const { cache } = await world.open();
    for (const ttl of [60 * DAY_MS, 25 * DAY_MS, 2 ** 31, 2 ** 31 - 1, 2 ** 32, '3650d', null] as const) {
      for (const windows of [{}, { staleIfError: '60d', staleWhileRevalidate: 2 ** 31 }] as const) {
        const key = `${ttl}:${Object.keys(windows).length}`;
        await cache.set(key, 'v', { ttl, ...windows });
        expect(await cache.get(key)).toBe('v');
        const left = await cache.ttl(key);
        if (ttl === null) expect(left).toBeNull();
        else expect(left).toBeGreaterThan((typeof ttl === 'number' ? ttl : 3650 * DAY_MS) - 60_000);
        expect(await cache.touch(key, ttl)).toBe(true);
        expect(await cache.get(key)).toBe('v');
      }
    }
    world.clock.advance(24 * DAY_MS);
    expect(await cache.get(`${25 * DAY_MS}:2`)).toBe('v');
  });

  it('70 · a negative ttl is no error: nothing is kept, and what was there goes', async () => {
    const { cache } = await world.open();
    await cache.set('k', 'v');
    await cache.set('k', 'w', -1);
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.getOrSet('k', () => 'v', -5)).toBe('v');
    expect(await world.keys()).toEqual([]);
  });

  it('72 · keys ["a","b"], ["a,b"], [1], ["1"], [null], [undefined], [] → all different, as text; refused as what they are', async () => {
    const { cache } = await world.open();
    const lists: unknown[] = [['a', 'b'], ['a,b'], [1], ['1'], [null], [undefined], [], { a: 1, b: 2 }];
    for (const list of lists) await expect(cache.get(list as string)).rejects.toThrow(InvalidKeyError);
    const texts = [
      'a,b',
      '["a","b"]',
      '["a,b"]',
      '[1]',
      '["1"]',
      '[null]',
      '[undefined]',
      '[]',
      '',
      ' ',
      '%20',
    ];
    const nasty = [
      'a:b',
      'a%3Ab',
      'a\u0000',
      'a',
      'A',
      'é',
      'e\u0301',
      '{a}',
      '~',
      'x'.repeat(300),
      'x'.repeat(301),
    ];
    const keys = [...texts, ...nasty];
    await cache.setMany(keys.map((key, n) => [key, n] as const));
    for (const [n, key] of keys.entries()) expect(await cache.get(key)).toBe(n);
    expect(await world.keys()).toHaveLength(keys.length);
  });

  it('71, 72 · the same as arguments: {a:1,b:2} and {b:2,a:1} → same key; the lists → all different', async () => {
    const { cache } = await world.open();
    await cache.set(cacheKey('k', { a: 1, b: 2 }), 'object');
    expect(await cache.get(cacheKey('k', { b: 2, a: 1 }))).toBe('object');
    const lists: unknown[][] = [['a', 'b'], ['a,b'], [1], ['1'], [null], [undefined], []];
    for (const list of [...lists, ...lists.map((each) => [each])]) {
      expect(await cache.add(cacheKey('k', ...list), list.length)).toBe(true);
    }
    expect(await world.keys()).toHaveLength(2 * lists.length + 1);
  });

  it('74 · two keys forced to one digest → the full-key check gives a miss', async () => {
    const { cache, backend } = await world.open();
    const [one, two] = ['x'.repeat(400), 'y'.repeat(400)];
    await cache.set(one, { of: 'one' });
    const [placeOne = ''] = await world.keys();
    const payload = await backend.get(placeOne);
    await cache.set(two, { of: 'two' });
    const placeTwo = (await world.keys()).find((key) => key !== placeOne) ?? '';
    await backend.set(placeTwo, payload as never, null);
    expect(await cache.get(two)).toBeUndefined();
    expect(await cache.has(two)).toBe(false);
    expect(await cache.getOrSet(two, () => ({ of: 'two' }))).toEqual({ of: 'two' });
    expect(await cache.get(two)).toEqual({ of: 'two' });
    expect(await cache.get(one)).toEqual({ of: 'one' });
  });

  describe('75 · a frame cut short, a bit flipped, wrong magic, a future version → a miss + metric; the entry is rewritten', () => {
    const damages: readonly (readonly [string, (frame: Buffer) => Buffer])[] = [
      ['nothing left', () => Buffer.alloc(0)],
      ['cut in its header', (frame) => frame.subarray(0, 10)],
      ['cut in its body', (frame) => frame.subarray(0, frame.length - 3)],
      ['a bit flipped in its body', (frame) => flipped(frame, frame.length - 2)],
      ['a bit flipped in its key', (frame) => flipped(frame, 30)],
      ['a bit flipped in its lengths', (frame) => flipped(frame, 19)],
      ['wrong magic', (frame) => flipped(frame, 0)],
      [
        'a future version',
        (frame) => Buffer.concat([frame.subarray(0, 1), Buffer.of(99), frame.subarray(2)]),
      ],
      ['text of somebody else’s', () => Buffer.from('{"value":"theirs"}')],
      ['somebody else’s text, longer', () => Buffer.alloc(10_000, '🙂')],
    ];

    it.each(damages)('%s', async (_name, damage) => {
      const { cache, backend } = await openBytes();
      for (const life of [{}, { tags: ['t'], staleIfError: '1h', staleWhileRevalidate: '1h' }] as const) {
        await cache.set('k', { v: 1 }, life);
        const corruptBefore = cache.statistics.corrupt;
        const [place = ''] = await keysOf(backend);
        const frame = (await backend.get(place)) as unknown as Uint8Array;
        await backend.set(place, damage(Buffer.from(frame)), null);
        expect(await cache.get('k')).toBeUndefined();
        expect(cache.statistics.corrupt).toBeGreaterThan(corruptBefore);
        expect(await cache.getOrSet('k', () => ({ v: 2 }), life)).toEqual({ v: 2 });
        expect(await cache.get('k')).toEqual({ v: 2 });
        await cache.delete('k');
      }
    });

    it('any single byte changed → never another value, never an exception', async () => {
      const { cache, backend } = await openBytes();
      await cache.set('k', { v: 1 }, { tags: ['t'], staleIfError: '1h' });
      const [place = ''] = await keysOf(backend);
      const frame = Buffer.from((await backend.get(place)) as unknown as Uint8Array);
      for (let at = 0; at < frame.length; at += 1) {
        await backend.set(place, flipped(frame, at), null);
        expect(await cache.get('k')).toBeUndefined();
      }
      expect(cache.statistics.corrupt).toBe(frame.length);
    });
  });

  it('77 · a value over the size limit → returned, not stored, counted', async () => {
    const limits: [CommonCacheOptions, FailingBackend | undefined][] = [
      [{ maxValueBytes: 10_000 }, undefined],
    ];
    // The backend's own limit, where it has one that a test can set.
    if (world.name === 'memory')
      limits.push([{}, new FailingBackend(memory(world.clock, { maxBytes: 10_000 }), world.clock)]);
    for (const [options, on] of limits) {
      const { cache } = await world.open(options, on);
      const large = 'x'.repeat(20_000);
      expect(await cache.getOrSet('k', () => large)).toBe(large);
      expect(await cache.get('k')).toBeUndefined();
      expect(cache.statistics.tooLarge).toBe(1);
      expect(await cache.getOrSet('k', () => 'small')).toBe('small');
      await expect(cache.set('k', large)).rejects.toThrow(ValueTooLargeError);
      expect(await cache.get('k')).toBeUndefined();
      await cache.set('k', 'small');
      expect(await cache.setMany({ k: large, l: 'small' })).toEqual(['k']);
      expect(await cache.getMany(['k', 'l'])).toEqual(new Map([['l', 'small']]));
      await expect(cache.add('n', large)).rejects.toThrow(ValueTooLargeError);
      expect(await cache.has('n')).toBe(false);
    }
  });

  it.each([-3_600_000, 3_600_000])(
    '78 · the wall clock jumps by %i ms → lives follow the monotonic clock locally, and the clock of the server where there is one',
    async (jump) => {
      const clock = new FakeClock();
      const common = { keyPrefix: world.keyPrefix, readDeadline: '10m', writeDeadline: '10m' } as const;
      const cache = await openCache(world.url === undefined ? common : { ...common, url: world.url }, clock);
      await cache.set('plain', 'v', '10m');
      await cache.set('windows', 'v', { ttl: '10m', staleWhileRevalidate: '10m' });
      await cache.set('tagged', 'v', { ttl: '10m', tags: ['t'] });
      clock.jump(jump);
      for (const key of ['plain', 'windows', 'tagged']) {
        expect(await cache.get(key)).toBe('v');
        const left = (await cache.ttl(key)) as number;
        expect(left).toBeGreaterThan(9 * 60_000);
        expect(left).toBeLessThanOrEqual(10 * 60_000);
      }
      expect(await cache.getOrSet('windows', () => 'unused')).toBe('v');
      await cache.invalidateTags(['t']);
      expect(await cache.get('tagged')).toBeUndefined();
      await cache.set('tagged', 'w', { tags: ['t'] });
      expect(await cache.get('tagged')).toBe('w');
      await cache.clear();
      expect(await cache.get('plain')).toBeUndefined();
      clock.advance(1000);
      await cache.close();
    },
  );

  it('80 · a rolling deploy: old and new release share the store, the shape has changed → each reads only what it understands', async () => {
    const on = world.backend();
    const { cache: old } = await world.open({ version: 1 }, on);
    const { cache: current } = world.name === 'redis' ? await world.open({ version: 2 }) : { cache: old };
    const release = current === old ? { version: 2 } : {};
    await old.set('user', { name: 'Ada Lovelace' });
    expect(await current.get('user', release)).toBeUndefined();
    const shape = { first: 'Ada', last: 'Lovelace' };
    expect(await current.getOrSet('user', () => shape, release)).toEqual(shape);
    expect(await old.get('user')).toEqual({ name: 'Ada Lovelace' });
    await old.delete('user');
    expect(await current.get('user', release)).toEqual(shape);
  });

  async function openBytes(): Promise<{ cache: CacheService; backend: FailingBackend }> {
    if (world.name === 'redis') return world.open();
    const inner = memory(world.clock);
    const asBytes = new Proxy(inner, {
      get: (target, name) => {
        const own: unknown = Reflect.get(target, name);
        if (name === 'capabilities') return { ...target.capabilities, holdsObjects: false };
        return typeof own === 'function' ? (own.bind(target) as unknown) : own;
      },
    });
    return world.open({}, new FailingBackend(asBytes, world.clock));
  }

  async function keysOf(backend: FailingBackend): Promise<string[]> {
    const keys: string[] = [];
    for await (const key of backend.keys(`${world.keyPrefix}:`)) if (!key.includes(':@')) keys.push(key);
    return keys;
  }
});

function flipped(frame: Buffer, at: number): Buffer {
  const copy = Buffer.from(frame);
  copy[at] = (copy[at] ?? 0) ^ 0x10;
  return copy;
}

describe('C-E · values, keys, clocks', () => {
  it('81 · 200 000 keys of 1 kB with defaults → memory stays under the bound', async () => {
    const cache = await openCache();
    const text = 'x'.repeat(1000);
    const keys = Array.from({ length: 200_000 }, (_, n) => `k${n}`);
    for (const key of keys) await cache.set(key, text + key);
    const held = (await cache.getMany(keys)).size;
    expect(held).toBeLessThanOrEqual((64 * 1024 * 1024) / 1000);
    expect(held).toBeGreaterThan(20_000);
    expect(await cache.get('k199999')).toBe(`${text}k199999`);
    await cache.close();
  });
});
