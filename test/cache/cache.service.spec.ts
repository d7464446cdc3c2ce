import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  CacheClosedError,
  InvalidArgumentError,
  InvalidDurationError,
  InvalidKeyError,
  MissingKeyError,
  NotANumberError,
  NumberOutOfRangeError,
  UnserializableValueError,
  type CacheOptions,
  type CacheService,
} from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { openCache } from '../support/caches.js';
import { describeService } from '../support/services.js';

function describeCacheService(name: string, options: () => CacheOptions): void {
  describe(`CacheService on ${name}`, () => {
    let cache: CacheService;
    let second: CacheService;

    beforeEach(async () => {
      const shared = { ...options(), keyPrefix: randomUUID() };
      cache = await openCache(shared);
      second = await openCache({ ...options(), keyPrefix: randomUUID(), version: 2 });
    });
    afterEach(async () => {
      await cache.close();
      await second.close();
    });

    it('gives back what was set, null included, and undefined or the default for the rest', async () => {
      await cache.set('a', { list: [1, 'two', null] });
      await cache.set('nothing', null);
      expect(await cache.get('a')).toEqual({ list: [1, 'two', null] });
      expect(await cache.get('nothing', { default: 'd' })).toBeNull();
      expect(await cache.get('absent')).toBeUndefined();
      const text: string = await cache.get('absent', { default: 'd' });
      expect(text).toBe('d');
    });

    it.each([
      ['a Date', new Date('2026-11-23T10:00:00.123Z')],
      ['a Map', new Map([['k', new Set([1n, -0, NaN])]])],
      ['bytes', Buffer.from([0, 1, 255])],
      ['undefined inside', { a: undefined, b: [undefined] }],
      ['true', true],
      ['digits in text', '5'],
      ['-0', -0],
      ['an empty string', ''],
    ])('keeps %s exactly', async (_name, value) => {
      await cache.set('value', value);
      expect(await cache.get('value')).toStrictEqual(value);
      expect(await cache.getOrSet('value', () => 'not called')).toStrictEqual(value);
    });

    it('keeps snapshots: nothing a caller does afterwards changes them', async () => {
      const mine = { list: [1], when: new Date(0) };
      await cache.set('mine', mine);
      mine.list.push(2);
      mine.when.setTime(1);
      const read = await cache.get<typeof mine>('mine');
      expect(read).toEqual({ list: [1], when: new Date(0) });
      expect(() => read?.list.push(3)).toThrow(TypeError);
      expect(() => read?.when.setTime(5)).toThrow(/copy: true/);
      const copy = await cache.get<typeof mine>('mine', { copy: true });
      copy?.list.push(4);
      expect(copy?.list).toEqual([1, 4]);
      expect(await cache.get('mine')).toEqual({ list: [1], when: new Date(0) });
    });

    it.each([
      ['undefined', undefined],
      ['a function', { run: () => 1 }],
      ['a symbol', [Symbol('s')]],
      ['a class instance', { user: new (class User {})() }],
    ])('refuses %s, naming where it is, and keeps what was there', async (_name, value) => {
      await cache.set('kept', 1);
      for (const attempt of [
        () => cache.set('kept', value),
        () => cache.add('other', value),
        () => cache.setMany({ kept: value }),
      ]) {
        await expect(attempt()).rejects.toThrow(UnserializableValueError);
      }
      expect(await cache.get('kept')).toBe(1);
    });

    it('adds only what is absent', async () => {
      expect(await cache.add('k', 1)).toBe(true);
      expect(await cache.add('k', 2)).toBe(false);
      expect(await cache.get('k')).toBe(1);
      expect(await cache.add('k', 2, 0)).toBe(false);
      expect(await cache.add('other', 2, -1)).toBe(true);
      expect(await cache.has('other')).toBe(false);
    });

    it('does not keep what has no life, and drops what was there', async () => {
      await cache.set('k', 1);
      await cache.set('k', 2, 0);
      expect(await cache.has('k')).toBe(false);
      await cache.setMany({ k: 1 }, -5);
      expect(await cache.getMany(['k'])).toEqual(new Map());
      expect(await cache.getOrSet('k', () => 'made', 0)).toBe('made');
      expect(await cache.has('k')).toBe(false);
    });

    it('knows lives, and gives new ones to what is present', async () => {
      await cache.set('k', 'v', '30s');
      expect(await cache.ttl('k')).toBeGreaterThan(29_000);
      expect(await cache.touch('k', '1h')).toBe(true);
      expect(await cache.ttl('k')).toBeGreaterThan(3_500_000);
      expect(await cache.persist('k')).toBe(true);
      expect(await cache.ttl('k')).toBeNull();
      expect(await cache.touch('k', 0)).toBe(true);
      expect(await cache.touch('k')).toBe(false);
      expect(await cache.ttl('k')).toBeUndefined();
    });

    it('deletes', async () => {
      await cache.set('k', 'v');
      expect([await cache.delete('k'), await cache.delete('k')]).toEqual([true, false]);
      await cache.setMany({ a: 1, b: 2 });
      expect(await cache.deleteMany(['a', 'b', 'b', 'c'])).toBe(2);
      expect(await cache.deleteMany([])).toBe(0);
    });

    it('reads and writes many', async () => {
      expect(
        await cache.setMany(
          new Map<string, unknown>([
            ['a', 1],
            ['b', null],
            ['odd key ', 'x'],
          ]),
        ),
      ).toEqual([]);
      expect(await cache.getMany(['a', 'b', 'odd key ', 'e'].values())).toEqual(
        new Map<string, unknown>([
          ['a', 1],
          ['b', null],
          ['odd key ', 'x'],
        ]),
      );
      expect(await cache.getMany([])).toEqual(new Map());
    });

    it('counts', async () => {
      await cache.set('n', 41);
      expect(await cache.increment('n')).toBe(42);
      expect(await cache.decrement('n', 10)).toBe(32);
      expect(await cache.increment('new', 2, { initial: 10, ttl: '1m' })).toBe(12);
      expect(await cache.ttl('new')).toBeGreaterThan(50_000);
      await expect(cache.increment('absent')).rejects.toThrow(MissingKeyError);
      await cache.set('text', '5');
      await expect(cache.increment('text')).rejects.toThrow(NotANumberError);
      await cache.set('big', Number.MAX_SAFE_INTEGER);
      await expect(cache.increment('big')).rejects.toThrow(NumberOutOfRangeError);
      expect(await cache.get('big')).toBe(Number.MAX_SAFE_INTEGER);
      await expect(cache.increment('n', 0.5)).rejects.toThrow(InvalidArgumentError);
    });

    it('adds up parallel increments', async () => {
      await cache.set('n', 0);
      await Promise.all(Array.from({ length: 100 }, () => cache.increment('n')));
      expect(await cache.get('n')).toBe(100);
    });

    it('keeps versions and caches apart', async () => {
      await cache.set('k', 1);
      await cache.set('k', 2, { version: 2 });
      expect([await cache.get('k'), await cache.get('k', { version: 2 })]).toEqual([1, 2]);
      expect(await cache.delete('k', { version: 2 })).toBe(true);
      expect(await cache.get('k')).toBe(1);
      expect(await second.has('k')).toBe(false);
    });

    it('keeps odd keys apart', async () => {
      const long = 'x'.repeat(100_000);
      const keys = [
        '',
        ' ',
        'a b',
        'a\tb',
        'a\r\nb',
        'A',
        'a',
        '%20',
        '{a}',
        'a:b',
        'e\u0301',
        '\u00e9',
        '\ud800',
        '\udc00',
      ];
      keys.push('__proto__', '..', '\0', 'a~b', long, `${long}y`, '*', '?', '💾', '%uD800');
      await Promise.all(keys.map((key, index) => cache.set(key, { index })));
      const found = await cache.getMany<{ index: number }>(keys);
      expect(keys.map((key) => found.get(key)?.index)).toEqual(keys.map((_key, index) => index));
    });

    it('loads once for everybody and answers what a hit will', async () => {
      let loads = 0;
      const load = async () => ({ run: (loads += 1), when: await Promise.resolve(new Date(0)) });
      const values = await Promise.all(Array.from({ length: 50 }, () => cache.getOrSet('k', load, '1m')));
      expect(loads).toBe(1);
      expect(new Set(values).size).toBe(1);
      expect(await cache.getOrSet('k', load)).toStrictEqual(values[0]);
      expect(Object.isFrozen(values[0])).toBe(true);
    });

    it('shares the error of a load, answers it for errorTtl, and loads anew afterwards', async () => {
      let loads = 0;
      const fail = async (): Promise<never> => {
        const run = (loads += 1);
        // Long enough for the second caller to have looked and joined.
        await new Promise((resolve) => setTimeout(resolve, 100));
        throw new Error(`load ${run}`);
      };
      const outcomes = await Promise.allSettled([cache.getOrSet('k', fail), cache.getOrSet('k', fail)]);
      await expect(cache.getOrSet('k', () => 'not run')).rejects.toThrow('load 1');
      expect(outcomes.map((outcome) => String((outcome as PromiseRejectedResult).reason))).toEqual([
        'Error: load 1',
        'Error: load 1',
      ]);
      await cache.delete('k');
      expect(await cache.getOrSet('k', () => 'fine')).toBe('fine');
      await expect(cache.getOrSet('other', fail, { errorTtl: 0 })).rejects.toThrow('load 2');
      expect(await cache.getOrSet('other', () => 'fine')).toBe('fine');
    });

    it('answers undefined from a factory without storing it, and takes the life that the factory sets', async () => {
      expect(await cache.getOrSet('k', () => undefined)).toBeUndefined();
      expect(await cache.getOrSet('k', () => null)).toBeNull();
      expect(await cache.has('k')).toBe(true);
      await cache.getOrSet('short', ({ setTtl }) => (setTtl('10s'), 'v'), '1h');
      expect(await cache.ttl('short')).toBeLessThanOrEqual(10_000);
    });

    it('clears itself at once, and nothing else', async () => {
      await cache.set('k', 1);
      await second.set('k', 2);
      await cache.clear();
      expect(await cache.has('k')).toBe(false);
      expect(await cache.add('k', 3)).toBe(true);
      expect([await cache.get('k'), await second.get('k')]).toEqual([3, 2]);
    });

    it('refuses bad keys, versions, durations and factories by name', async () => {
      await expect(cache.get(5 as never)).rejects.toThrow(InvalidKeyError);
      await expect(cache.set(null as never, 1)).rejects.toThrow(InvalidKeyError);
      await expect(cache.get('k', { version: -1 })).rejects.toThrow(InvalidKeyError);
      for (const ttl of [NaN, Infinity, '5 minutes', '', '5w']) {
        await expect(cache.set('k', 1, ttl as never)).rejects.toThrow(InvalidDurationError);
      }
      await expect(cache.getOrSet('k', 'value' as never)).rejects.toThrow(InvalidArgumentError);
    });

    it('refuses one key where a list of them belongs, and does not say it', async () => {
      // @ts-expect-error A string is an Iterable of its characters.
      const wrong: Parameters<CacheService['getMany']>[0] = 'secret';
      const load = () => new Map([['s', 1]]);
      for (const call of [cache.getMany(wrong), cache.deleteMany(wrong), cache.getOrSetMany(wrong, load)]) {
        const refusal = call.then(String, (error: Error) => error);
        expect(await refusal).toBeInstanceOf(InvalidArgumentError);
        expect(await refusal).toMatchObject({ message: expect.not.stringContaining('secret') });
      }
    });

    it('refuses everything after close', async () => {
      await cache.close();
      await expect(cache.get('k')).rejects.toThrow(CacheClosedError);
      await expect(cache.set('k', 1)).rejects.toThrow(CacheClosedError);
      await cache.close();
    });
  });
}

describeCacheService('memory', () => ({}));
describeCacheService('keyv over a Map', () => ({ backend: 'keyv', store: new Map() }));

describeService('redis', (service) => {
  describeCacheService('redis', () => ({ url: service().url }));

  describe('two processes on one Redis', () => {
    it('share entries, and see a clear of the other at once', async () => {
      const shared = { url: service().url, keyPrefix: randomUUID() };
      const [one, other] = await Promise.all([openCache(shared), openCache(shared)]);
      await one.set('k', 1);
      expect(await other.get('k')).toBe(1);
      await other.clear();
      expect(await one.get('k')).toBeUndefined();
      await one.set('k', 2);
      expect(await other.get('k')).toBe(2);
      await Promise.all([one.close(), other.close()]);
    });

    it('treat a foreign or torn payload as a miss', async () => {
      const shared = { url: service().url, keyPrefix: 'torn', ttl: null };
      const cache = await openCache(shared);
      await cache.set('a', { v: 1 });
      const { createClient } = await import('@redis/client');
      const client = createClient({ url: service().url });
      await client.connect();
      const [key = ''] = await client.keys('torn:*:a');
      await client.rename(key, key.replace(/a$/, 'b'));
      expect(await cache.get('b')).toBeUndefined();
      await client.set(key, 'not a frame');
      expect(await cache.get('a')).toBeUndefined();
      await client.close();
      await cache.close();
    });
  });
});

describe('CacheService on null', () => {
  it('stores nothing and always loads', async () => {
    const cache = await openCache({ backend: 'null' });
    await cache.set('k', 1);
    expect(await cache.get('k')).toBeUndefined();
    expect(await cache.add('k', 1)).toBe(true);
    expect([await cache.touch('k'), await cache.delete('k'), await cache.deleteMany(['k'])]).toEqual([
      false,
      false,
      0,
    ]);
    await expect(cache.increment('k')).rejects.toThrow(MissingKeyError);
    expect(await cache.getOrSet('k', () => 'made')).toBe('made');
  });
});

describe('lives in memory', () => {
  it('end exactly at the moment they should, whatever the wall clock does', async () => {
    const clock = new FakeClock();
    const cache = await openCache({ sweepInterval: 0 }, clock);
    await cache.set('k', 1, '60d');
    clock.jump(-3_600_000);
    clock.advance(60 * 86_400_000 - 1);
    expect(await cache.get('k')).toBe(1);
    clock.advance(1);
    expect(await cache.get('k')).toBeUndefined();
    expect([await cache.delete('k'), await cache.touch('k')]).toEqual([false, false]);
    await cache.close();
  });
});
