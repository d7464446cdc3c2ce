import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import {
  type CacheOptions,
  CacheService,
  CachingModule,
  InvalidArgumentError,
  InvalidDurationError,
  LockTimeoutError,
  UnsupportedOperationError,
  withRequestMemo,
} from 'nestjs-caching';
import { FailingBackend, FakeClock } from 'nestjs-caching/testing';
import { escapeKey, unescapeKey } from '../../libs/caching/src/cache/keys.js';
import { matcherOf } from '../../libs/caching/src/cache/pattern.js';
import { openCache } from '../support/caches.js';
import { gate } from '../support/gate.js';
import { redisAt } from '../support/scenarios.js';
import { describeService } from '../support/services.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

const WRITES = ['set', 'setMany', 'delete', 'deleteMany', 'increment', 'compareAndSet'] as const;

async function listed(cache: CacheService, pattern?: string, version?: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of cache.keys(pattern, version === undefined ? {} : { version })) keys.push(key);
  return keys.sort();
}

function describeVerbs(name: string, options: () => CacheOptions): void {
  describe(`CacheService on ${name}`, () => {
    let cache: CacheService;
    let other: CacheService;

    beforeEach(async () => {
      const keyPrefix = `p*[a]?-${randomUUID().slice(0, 8)}`;
      cache = await openCache({ ...options(), keyPrefix, errorTtl: '2s' });
      other = name === 'memory' ? cache : await openCache({ ...options(), keyPrefix, errorTtl: '2s' });
    });
    afterEach(async () => {
      await cache.close();
      await other.close();
    });

    describe('lock', () => {
      it('lets one holder in at a time, with growing tokens', async () => {
        let inside = 0;
        let most = 0;
        const tokens: number[] = [];
        await Promise.all(
          Array.from({ length: 12 }, (_each, index) =>
            (index % 2 === 0 ? cache : other).runExclusive('job', async (lock) => {
              most = Math.max(most, (inside += 1));
              tokens.push(lock.token);
              await new Promise((resolve) => setImmediate(resolve));
              inside -= 1;
            }),
          ),
        );
        expect(most).toBe(1);
        expect(tokens).toHaveLength(12);
        expect(tokens).toEqual([...tokens].sort((one, two) => one - two));
        expect(new Set(tokens).size).toBe(12);
      });

      it('refuses a second holder until it is given back, and never gives back what is not its own', async () => {
        const lock = await cache.lock('job', { ttl: '10s' });
        await expect(other.lock('job', { wait: 0 })).rejects.toThrow(LockTimeoutError);
        expect(await lock.extend()).toBe(true);
        expect(await lock.release()).toBe(true);
        expect(await lock.release()).toBe(false);
        const next = await other.lock('job', { wait: 0 });
        expect(next.token).toBeGreaterThan(lock.token);
        expect(await lock.extend()).toBe(false);
        await expect(cache.lock('job', { wait: 0 })).rejects.toThrow(LockTimeoutError);
        await next[Symbol.asyncDispose]();
        await (await cache.lock('job', { wait: 0 })).release();
      });

      it('is free again when its holder has died, and says so to a holder that was too late', async () => {
        const lost = await cache.lock('job', { ttl: 40 });
        const next = await other.lock('job', { ttl: '10s', wait: '5s' });
        expect(await lost.extend()).toBe(false);
        expect(lost.signal.aborted).toBe(true);
        expect(await lost.release()).toBe(false);
        expect(next.token).toBeGreaterThan(lost.token);
        expect(await next.release()).toBe(true);
      });

      it('is held for as long as `extend` says, in every form of a duration', async () => {
        const lock = await cache.lock('job', { ttl: '10s' });
        for (const ttl of ['1m', '1.5s', 1000.5] as const) {
          expect(await lock.extend(ttl)).toBe(true);
          await expect(other.lock('job', { wait: 0 })).rejects.toThrow(LockTimeoutError);
        }
        for (const ttl of [0, -1]) await expect(lock.extend(ttl)).rejects.toThrow(InvalidArgumentError);
        await expect(lock.extend('soon' as never)).rejects.toThrow(InvalidDurationError);
        expect(await lock.release()).toBe(true);
      });

      it('gives back after a failure, and passes the failure on', async () => {
        await expect(cache.runExclusive('job', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
        await (await other.lock('job', { wait: 0 })).release();
      });
    });

    describe('keys and deletePattern', () => {
      it('list what is present, under the callers’ keys, and nothing else', async () => {
        const long = `long:${'x'.repeat(300)}`;
        const keys = ['a:1', 'a:2', 'b*:%', 'c~{é}', '\ud800', long];
        await cache.setMany(keys.map((key) => [key, { key }] as const));
        await cache.set('other version', 1, { version: 7 });
        await cache.set('gone', 1, { tags: ['t'] });
        await cache.invalidateTags(['t']);
        await cache.set('stale', 1, { ttl: 1, staleIfError: '1h' });
        await cache.increment(`${long}:counter`, 1, { initial: 0 });
        // Each knows the server's clock as well as its own look at it was fast.
        for (const each of [cache, other])
          while (await each.has('stale')) await new Promise((resolve) => setImmediate(resolve));
        let finish!: () => void;
        const started = new Promise<void>((begun) => {
          void cache.getOrSet('loading', () => {
            begun();
            return new Promise<void>((resolve) => (finish = resolve));
          });
        });
        await started;
        expect(await listed(other)).toEqual([...keys].sort());
        finish();
        expect(await listed(other, 'a:*')).toEqual(['a:1', 'a:2']);
        expect(await listed(other, 'a:?')).toEqual(['a:1', 'a:2']);
        expect(await listed(other, 'b\\*:%')).toEqual(['b*:%']);
        expect(await listed(other, '*', 7)).toEqual(['other version']);
        expect(await other.deletePattern('a:*')).toBe(2);
        expect(await cache.get('a:1')).toBeUndefined();
        expect(await other.deletePattern('nothing*')).toBe(0);
        expect(await listed(cache)).toEqual(keys.slice(2).sort());
        await cache.clear();
        expect(await listed(other)).toEqual([]);
      });
    });

    describe('explain', () => {
      it('says how the key is built, what it holds and what a read would do', async () => {
        const nothing = await other.explain('k');
        expect(nothing.held).toEqual({ what: 'nothing' });
        expect(nothing.get.answers).toBe('undefined');
        expect(nothing.getOrSet.does).toBe('load');
        expect(nothing.key).toMatchObject({
          key: 'k',
          cache: 'default',
          version: 1,
          versionFrom: 'cache',
          isDigested: false,
        });

        await cache.set('k', { secret: 'hidden' }, { ttl: '1m', tags: ['t'], staleWhileRevalidate: '1m' });
        const held = await other.explain('k', { version: 1 });
        expect(held.key.versionFrom).toBe('call');
        expect(held.options['ttl']).toEqual({ value: 900_000, from: 'default' });
        expect(held.options['errorTtl']).toEqual({ value: 2000, from: 'application' });
        expect(held.held.codec).toBe(name === 'memory' ? 'object' : 'json');
        expect(held.held).toMatchObject({ what: 'value', tags: [{ tag: 't', state: 'current' }] });
        expect(held.held.freshFor).toBeGreaterThan(59_000);
        expect(held.held.staleWhileRevalidateFor).toBeGreaterThan(110_000);
        expect(held.get).toEqual({ answers: 'value', because: 'the entry is fresh' });
        expect(JSON.stringify(held)).not.toContain('hidden');

        await cache.invalidateTags(['t'], { soft: true });
        const soft = await other.explain('k');
        expect(soft.held.tags).toMatchObject([{ state: 'soft' }]);
        expect(soft.get.answers).toBe('undefined');
        expect(soft.getOrSet.does).toBe('answer and refresh');

        await cache.invalidateTags(['t']);
        expect((await other.explain('k')).get.because).toContain('tag "t" was invalidated');
        await cache.set('large', 'x'.repeat(100_000));
        if (name !== 'memory')
          expect((await other.explain('large')).held).toMatchObject({ codec: 'text', isCompressed: true });

        await cache.increment('n', 1, { initial: 0 });
        expect((await other.explain('n')).held.what).toBe('counter');

        let finish!: () => void;
        const started = new Promise<void>((begun) => {
          void cache.getOrSet('loading', () => {
            begun();
            return new Promise<void>((resolve) => (finish = resolve));
          });
        });
        await started;
        const loading = await cache.explain('loading');
        expect(loading.held).toMatchObject({ what: 'lease', lease: { isOurs: true } });
        expect(loading.getOrSet.does).toBe('wait');
        if (other !== cache) expect((await other.explain('loading')).held.lease?.isOurs).toBe(false);
        finish();
      });
    });
  });
}

describeVerbs('memory', () => ({}));
describeService('redis', (service) => describeVerbs('redis', () => ({ url: service().url })));

describe('patterns and keys', () => {
  it('match as a regular expression does, for any pattern and text', () => {
    const letter = fc.constantFrom('a', 'b', '*', '?', '\\', '.', '[');
    fc.assert(
      fc.property(fc.array(letter, { maxLength: 8 }), fc.array(letter, { maxLength: 8 }), (pattern, text) => {
        const source = pattern
          .join('')
          .replace(/\\(.)|([^]|\\$)/g, (_all, escaped: string | undefined, plain: string) =>
            escaped !== undefined
              ? escaped.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
              : plain === '*'
                ? '[^]*'
                : plain === '?'
                  ? '[^]'
                  : plain.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
          );
        const wanted = new RegExp(`^${source}$`, 'u').test(text.join(''));
        expect(matcherOf(pattern.join(''))(text.join(''))).toBe(wanted);
      }),
      { numRuns: 2000 },
    );
  });

  it('are unescaped to what they were', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (one, two) => {
        const key = `${one}\ud800%u00e9${two}`;
        expect(unescapeKey(escapeKey(key))).toBe(key);
      }),
    );
  });

  it('are refused where the backend cannot list', async () => {
    const cache = await openCache({ url: 'memcached://127.0.0.1:1' });
    await expect(listed(cache)).rejects.toThrow(UnsupportedOperationError);
    await expect(cache.deletePattern('*')).rejects.toThrow(UnsupportedOperationError);
    await cache.close();
  });
});

describeService('redis', (service) => {
  describe('a cache with memos', () => {
    /** How often the backend is asked for entries. */
    const readsOf = (cache: CacheService) =>
      jest.spyOn(
        (cache as unknown as { engine: { entries: { backend: { getMany: () => unknown } } } }).engine.entries
          .backend,
        'getMany',
      );

    it('asks once for a key that is read twice in a request, and again after the request has changed something', async () => {
      const cache = await openCache({ url: service().url, keyPrefix: randomUUID(), requestMemo: true });
      await cache.set('k', 1);
      const reads = readsOf(cache);
      await withRequestMemo(async () => {
        expect(await cache.get('k')).toBe(1);
        expect(await cache.get('k')).toBe(1);
        expect(await cache.has('k')).toBe(true);
        expect(await cache.getOrSet('k', () => 2)).toBe(1);
        expect(await cache.getMany(['k'])).toEqual(new Map([['k', 1]]));
        expect(reads).toHaveBeenCalledTimes(1);
        expect(await cache.getMany(['l', 'k'])).toEqual(new Map([['k', 1]]));
        expect(reads).toHaveBeenCalledTimes(2);
        expect(reads.mock.lastCall).toEqual([expect.not.arrayContaining([expect.stringMatching(/:v:k$/)])]);
        expect(await cache.get('l')).toBeUndefined();
        expect(reads).toHaveBeenCalledTimes(2);
        await cache.set('k', 2);
        expect(await cache.get('k')).toBe(2);
      });
      reads.mockClear();
      await cache.get('k');
      await cache.get('k');
      expect(reads).toHaveBeenCalledTimes(2);
      await cache.close();
    });

    it.each<[string, (cache: CacheService) => Promise<unknown>, number | undefined]>([
      ['set', (cache) => cache.set('k', 2, { tags: ['t'] }), 2],
      ['setMany', (cache) => cache.setMany({ k: 2 }, { tags: ['t'] }), 2],
      ['delete', (cache) => cache.delete('k'), undefined],
      ['increment', (cache) => cache.increment('k'), 2],
      ['touch', (cache) => cache.touch('k', 0), undefined],
      ['incrementVersion', (cache) => cache.incrementVersion('k'), undefined],
      ['clear', (cache) => cache.clear(), undefined],
      ['invalidateTags', (cache) => cache.invalidateTags(['t']), undefined],
    ])('does not go by what it read beside its own %s', async (name, change, after) => {
      const backend = new FailingBackend(redisAt(service().url));
      const options = { backend, keyPrefix: randomUUID(), requestMemo: true, writeDeadline: '1m' } as const;
      const cache = await openCache(options);
      await cache.set('k', 1, name === 'invalidateTags' ? { tags: ['t'] } : {});
      await withRequestMemo(async () => {
        for (const operation of WRITES) backend.hang(operation);
        const changing = change(cache);
        expect(await cache.get('k')).toBe(1);
        expect(await cache.getMany(['k'])).toEqual(new Map([['k', 1]]));
        backend.heal();
        await changing;
        expect(await cache.get('k')).toBe(after);
        expect((await cache.getMany(['k'])).get('k')).toBe(after);
      });
      await cache.close();
    });

    it('does not remember a read of many that began before its own change and ended after it', async () => {
      const backend = new FailingBackend(redisAt(service().url));
      const options = { backend, keyPrefix: randomUUID(), requestMemo: true, readDeadline: '1m' } as const;
      const cache = await openCache(options);
      await cache.set('k', 1);
      const answered = gate();
      const getMany = backend.getMany.bind(backend);
      jest.spyOn(backend, 'getMany').mockImplementationOnce(async (keys) => {
        const payloads = await getMany(keys);
        await answered.opened;
        return payloads;
      });
      await withRequestMemo(async () => {
        const reading = cache.getMany(['k']);
        await cache.set('k', 2);
        answered.open();
        expect(await reading).toEqual(new Map([['k', 1]]));
        expect(await cache.get('k')).toBe(2);
      });
      await cache.close();
    });

    it('does not go by what it knew before its own loads', async () => {
      const cache = await openCache({ url: service().url, keyPrefix: randomUUID(), requestMemo: true });
      await withRequestMemo(async () => {
        expect(await cache.get('k')).toBeUndefined();
        expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded');
        expect(await cache.get('k')).toBe('loaded');
        expect(await cache.get('l')).toBeUndefined();
        await cache.getOrSetMany(['l'], () => new Map([['l', 'too']]));
        expect(await cache.get('l')).toBe('too');
      });
      await cache.close();
    });

    it('gives the tags of what it hits to what is made of it', async () => {
      const cache = await openCache({ url: service().url, keyPrefix: randomUUID(), requestMemo: true });
      let price = 1;
      const inner = () => cache.getOrSet('product', () => price, { tags: ['product'] });
      const outer = () => cache.getOrSet('list', async () => [await inner()]);
      await inner();
      expect(await outer()).toEqual([1]);
      price = 2;
      await cache.invalidateTags(['product']);
      expect(await outer()).toEqual([2]);
      await cache.close();
    });

    it.each(PLATFORMS)('remembers for each HTTP request by itself, on %s', async (platform) => {
      @Controller()
      class Twice {
        constructor(private readonly cache: CacheService) {}
        @Get() async read(): Promise<unknown[]> {
          return [await this.cache.get('k'), await this.cache.get('k')];
        }
      }
      const options = { url: service().url, keyPrefix: randomUUID(), requestMemo: true };
      const app = await startApp(platform, {
        imports: [CachingModule.forRoot(options)],
        controllers: [Twice],
      });
      const cache = app.app.get(CacheService);
      await cache.set('k', 1);
      const reads = readsOf(cache);
      expect((await app.fetch('/')).text).toBe('[1,1]');
      expect(reads).toHaveBeenCalledTimes(1);
      await cache.set('k', 2);
      expect((await app.fetch('/')).text).toBe('[2,2]');
      expect(reads).toHaveBeenCalledTimes(2);
      await app.close();
    });

    it('goes by what it last knew of tags for as long as tagMemo says', async () => {
      const clock = new FakeClock();
      const keyPrefix = randomUUID();
      const cache = await openCache({ url: service().url, keyPrefix, tagMemo: '250ms' }, clock);
      const other = await openCache({ url: service().url, keyPrefix }, clock);
      await cache.set('k', 1, { tags: ['t'] });
      expect(await cache.get('k')).toBe(1);
      await other.invalidateTags(['t']);
      expect(await cache.get('k')).toBe(1);
      clock.advance(250);
      expect(await cache.get('k')).toBeUndefined();
      await cache.set('k', 2, { tags: ['t'] });
      expect(await cache.get('k')).toBe(2);
      await cache.invalidateTags(['t']);
      expect(await cache.get('k')).toBeUndefined();
      await cache.close();
      await other.close();
    });
  });
});
