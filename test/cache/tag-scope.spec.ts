import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { type CacheOptions, type CacheService } from 'nestjs-caching';
import { openCache } from '../support/caches.js';
import { describeService } from '../support/services.js';

function describeScope(name: string, options: () => CacheOptions): void {
  describe(`tags of what a load reads, on ${name}`, () => {
    let cache: CacheService;
    let beside: CacheService;

    beforeEach(async () => {
      cache = await openCache({ ...options(), keyPrefix: randomUUID() });
      beside = await openCache({ ...options(), keyPrefix: randomUUID() });
    });
    afterEach(async () => {
      await cache.close();
      await beside.close();
    });

    const inner = (from = cache) => from.getOrSet('inner', () => 'leaf', { tags: ['leaf'] });
    const outer = (load: () => Promise<unknown>) => cache.getOrSet('outer', load, { tags: ['root'] });

    it.each<[string, () => Promise<unknown>]>([
      ['a load inside', () => inner()],
      ['a hit of get inside', () => cache.get('inner')],
      ['a hit of getMany inside', async () => (await cache.getMany(['inner'])).get('inner')],
      [
        'a batch inside',
        async () => (await cache.getOrSetMany(['inner'], () => Promise.resolve(new Map()))).get('inner'),
      ],
      [
        'a load with a bound inside',
        () => cache.getOrSet('inner', () => 'leaf', { tags: ['leaf'], timeout: '5s' }),
      ],
      ['a load two levels down', () => cache.getOrSet('middle', () => inner(), '1m')],
    ])('%s: invalidating its tag makes the outer value absent', async (_how, load) => {
      await inner();
      expect(await outer(load)).toBe('leaf');
      expect(await cache.has('outer')).toBe(true);
      await cache.invalidateTags(['leaf']);
      expect(await cache.has('outer')).toBe(false);
    });

    it('leaves values alone that were made of something else', async () => {
      await outer(() => inner());
      await cache.getOrSet('sibling', () => 'sibling', { tags: ['root'] });
      await cache.invalidateTags(['leaf']);
      expect([await cache.has('outer'), await cache.has('sibling')]).toEqual([false, true]);
    });

    it('every value of a batch has the tags of what its factory has read', async () => {
      const keys = ['a', 'b', 'c'];
      await inner();
      await cache.getOrSetMany(keys, async (missing) => {
        const leaf = await inner();
        return new Map(missing.map((key) => [key, leaf]));
      });
      expect((await cache.getMany(keys)).size).toBe(3);
      await cache.invalidateTags(['leaf']);
      expect((await cache.getMany(keys)).size).toBe(0);
    });

    it('does not store what was made of a value that was invalidated meanwhile', async () => {
      await outer(async () => {
        const value = await inner();
        await cache.invalidateTags(['leaf']);
        return value;
      });
      expect(await cache.has('outer')).toBe(false);
    });

    it('knows tags of another cache by name, so that invalidating them here reaches the outer value', async () => {
      await outer(() => inner(beside));
      expect(await cache.has('outer')).toBe(true);
      await cache.invalidateTags(['leaf']);
      expect(await cache.has('outer')).toBe(false);
    });

    it('inherits the tags of what was not stored', async () => {
      await outer(() => cache.getOrSet('inner', () => 'leaf', { tags: ['leaf'], ttl: 0 }));
      expect(await cache.has('outer')).toBe(true);
      await cache.invalidateTags(['leaf']);
      expect(await cache.has('outer')).toBe(false);
    });

    it('reads of callers who wait for the same load count for each of them', async () => {
      const [one, two] = await Promise.all([
        cache.getOrSet('one', () => inner(), '1m'),
        cache.getOrSet('two', () => inner(), '1m'),
      ]);
      expect([one, two]).toEqual(['leaf', 'leaf']);
      await cache.invalidateTags(['leaf']);
      expect([await cache.has('one'), await cache.has('two')]).toEqual([false, false]);
    });
  });
}

describeScope('memory', () => ({}));
describeService('redis', (service) => describeScope('redis', () => ({ url: service().url })));
