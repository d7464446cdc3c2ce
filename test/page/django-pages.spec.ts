import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Res } from '@nestjs/common';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CacheOptions,
  CachePage,
  type CacheService,
  type CachingOptions,
  getCacheToken,
  VaryOnCookie,
} from 'nestjs-caching';
import type { CacheBackend } from '../../libs/caching/src/backends/cache-backend.js';
import { MemoryBackend } from '../../libs/caching/src/backends/memory.backend.js';
import { type AnyReply, type AnyRequest, sends, usePages } from '../support/page-app.js';
import { PLATFORMS } from '../support/test-app.js';

/** The sides on which applications of one store may differ: Django's prefix argument is our `keyPrefix`, or a cache. */
const PREFIXES = ['', 'site'];

/**
 * Django's page key and page cache (django.md B17, B18) by their numbers. The rows of HTTP behind them are in
 * rules-*.spec.ts.
 *
 * Other than in Django:
 * - 205: the query is in the key as text, not as a digest.
 * - 210: the `Accept-Language` of a response's `Vary` counts beside a declared language (RFC 9111 §4.1); what counts is
 *   that nobody says `Vary` who has resolved the language before.
 * - 221: there are no defaults of 30 s; `pages.site` is the middleware, and names its ttl.
 * - 228: `Cache-Control` is written if `clientTtl` asks for it, and no `Expires` beside it, which it would override.
 * - 230: requests with `Authorization` go past the cache, both ways, instead of a `Vary` that splits pages by tokens.
 * - 232: no `max-age=0` is added to what is not stored.
 */
describe.each(PLATFORMS)('B17, the page key, on %s', (platform) => {
  const pages = usePages(platform);

  /** An application on a store that can be looked into. */
  function storeOf(keyPrefix: string): { caching: CachingOptions; keys: () => Promise<string[]> } {
    const backend = new MemoryBackend({ maxEntries: 100, maxBytes: 2 ** 24, sweepInterval: 0 }, pages.clock);
    return {
      caching: { backend: backend as CacheBackend, keyPrefix },
      keys: async () => {
        const keys: string[] = [];
        for await (const key of backend.keys('')) if (key.includes(':p:')) keys.push(key);
        return keys;
      },
    };
  }

  describe.each(PREFIXES)('with the key prefix %j', (keyPrefix) => {
    it('202 and 208: before anything is known a look gives nothing', async () => {
      const { caching, keys } = storeOf(keyPrefix);
      await pages.start(pages.controller('60s'), { caching });
      expect(await keys()).toEqual([]);
      expect((await pages.ask()).headers.get('age')).toBeNull();
      expect((await pages.ask()).headers.get('age')).toBe('0');
      expect(await keys()).toHaveLength(1);
    });

    it('204 and 208: another prefix is in the key, and makes a page of its own', async () => {
      const { caching, keys } = storeOf(keyPrefix);
      await pages.start(pages.controller('60s'), { caching });
      await pages.ask();
      await pages.start(pages.controller('60s'), { caching: { ...caching, keyPrefix: `${keyPrefix}other` } });
      expect(await pages.text()).toBe('run 2');
      const [one, other] = (await keys()).sort();
      expect([one, other].map((key) => key?.split(':')[0]).sort()).toEqual(
        [keyPrefix, `${keyPrefix}other`].sort(),
      );
    });

    it('205 and 208: the query changes the key', async () => {
      const { caching, keys } = storeOf(keyPrefix);
      await pages.start(pages.controller('60s'), { caching });
      expect([await pages.text('/p/1'), await pages.text('/p/1?somekey=somevalue')]).toEqual([
        'run 1',
        'run 2',
      ]);
      expect(new Set(await keys()).size).toBe(2);
    });

    it('206 and 208: one path on two hosts has different keys', async () => {
      const { caching, keys } = storeOf(keyPrefix);
      await pages.start(pages.controller('60s'), { caching });
      for (const host of ['one.example', 'two.example']) await pages.raw('/p/1', { host });
      expect(pages.runs).toBe(2);
      expect(new Set(await keys()).size).toBe(2);
    });
  });

  const languageOf = ({ headers }: AnyRequest): string =>
    headers['accept-language']?.startsWith('ko') ? 'ko' : 'en';

  it('209: a declared language is in the key, under which the page is found again', async () => {
    const { caching, keys } = storeOf('');
    await pages.start(pages.controller('60s', { varyOn: languageOf }), { caching });
    await pages.text('/p/1', { 'accept-language': 'ko' });
    expect(await pages.text('/p/1', { 'accept-language': 'ko' })).toBe('run 1');
    const [key] = await keys();
    expect(key).toMatch(/@by=.*ko/);
  });

  const ACCEPTED = ['en', 'en-US,en;q=0.9', 'de;q=0.3, en'];
  const VARY = [
    'cookie, x-a, accept-encoding',
    'accept-encoding, x-a, cookie',
    'X-A, Cookie, Accept-Encoding',
  ];

  it('210: nine combinations of Accept-Language and order of Vary have one key, and another language another', async () => {
    const { caching, keys } = storeOf('');
    @Controller()
    class TranslatedController {
      @Get('translated') @VaryOnCookie('theme') @CachePage('60s', { varyOn: languageOf }) page(
        @Res({ passthrough: true }) reply: AnyReply,
      ): string {
        reply.header('vary', vary);
        return `run ${(pages.runs += 1)}`;
      }
    }
    let vary = '';
    await pages.start(TranslatedController, { caching });
    const ask = (accepted: string) => pages.text('/translated', { 'accept-language': accepted });
    const known = new Set<string>();
    for (vary of VARY)
      for (const accepted of ACCEPTED) {
        const run = `run ${pages.runs + 1}`;
        expect([await ask(accepted), ...(await Promise.all(ACCEPTED.map(ask)))]).toEqual(Array(4).fill(run));
        known.add((await keys()).sort().join());
        pages.clock.advance(60_000);
      }
    expect([pages.runs, known.size]).toEqual([9, 1]);
    expect([await ask('ko'), await ask('en')]).toEqual(['run 10', 'run 11']);
  });

  it.each([
    ['212', { 'x-a': 'ab', 'x-b': 'c' }, { 'x-a': 'a', 'x-b': 'bc' }],
    ['213', {}, { 'x-a': '' }],
  ])('%s: %j and %j have different keys', async (_line, one, other) => {
    const { caching, keys } = storeOf('');
    await pages.start(pages.controller('60s', { vary: ['x-a', 'x-b'] }), { caching });
    for (let round = 0; round < 2; round += 1) {
      expect((await pages.raw('/p/1', one)).text).toBe('run 1');
      expect((await pages.raw('/p/1', other)).text).toBe('run 2');
    }
    expect(new Set(await keys()).size).toBe(2);
  });

  it.each([
    ['212', { 'x-a': 'ab', 'x-b': 'c' }, { 'x-a': 'a', 'x-b': 'bc' }],
    ['213', {}, { 'x-a': '' }],
  ])('%s: so have they where only the response says Vary: %j and %j', async (_line, one, other) => {
    await pages.start(pages.controller('60s'));
    pages.handle = sends({ vary: 'X-A, X-B' });
    for (let round = 0; round < 2; round += 1) {
      expect((await pages.raw('/p/1', one)).text).toBe('run 1');
      expect((await pages.raw('/p/1', other)).text).toBe('run 2');
    }
  });

  it.each(['X-A, X-B', 'X-B, X-A', 'x-b,x-a', 'X-b ,x-A, X-A'])(
    '214: Vary listed as %s has the key of any other order or casing',
    async (vary) => {
      const { caching, keys } = storeOf('');
      await pages.start(pages.controller('60s'), { caching });
      pages.handle = sends({ vary: 'X-A, X-B' });
      const asked = { 'x-a': '1', 'x-b': '2' };
      await pages.text('/p/1', asked);
      const known = (await keys()).sort();
      pages.handle = sends({ vary });
      pages.clock.advance(60_000);
      expect(await pages.text('/p/1', asked)).toBe('run 2');
      expect((await keys()).sort()).toEqual(known);
    },
  );
});

describe.each(PLATFORMS)('B18, the page cache, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));
  const directories: string[] = [];
  afterEach(async () => {
    await pages.close();
    for (const directory of directories.splice(0)) await rm(directory, { recursive: true });
  });

  it('216: a HEAD is served from the entry of a stored GET', async () => {
    await start('60s');
    await pages.ask();
    const head = await pages.ask('/p/1', {}, 'HEAD');
    expect([head.status, head.headers.get('age'), pages.runs]).toEqual([200, '0', 1]);
  });

  it('217: a miss, then a hit for the same query, and a miss for another', async () => {
    await start('60s');
    expect((await pages.ask('/p/1?foo=bar&other=true')).headers.get('age')).toBeNull();
    const hit = await pages.ask('/p/1?foo=bar&other=true');
    expect([hit.text, hit.headers.get('age')]).toEqual(['run 1', '0']);
    expect((await pages.ask('/p/1?foo=bar&somethingelse=true')).text).toBe('run 2');
  });

  it('218: pages in English and in Spanish are stored apart and read back by language', async () => {
    await start('60s', { varyOn: ({ headers }: AnyRequest) => headers['accept-language'] });
    pages.handle = ({ headers }, _reply, run) =>
      `${headers['accept-language'] === 'es' ? 'Hola' : 'Hello'} ${run}`;
    for (let round = 0; round < 2; round += 1)
      for (const [language, text] of [
        ['en', 'Hello 1'],
        ['es', 'Hola 2'],
      ] as const)
        expect(await pages.text('/p/1', { 'accept-language': language })).toBe(text);
  });

  it('220: a response with a cookie is refused, and each client has body and cookie of its own run', async () => {
    await start('60s');
    pages.handle = (_request, reply, run) => {
      reply.header('set-cookie', `foo=bar${run}; Path=/`);
      return `body ${run}`;
    };
    for (const run of [1, 2]) {
      const { text, headers } = await pages.ask();
      expect([text, headers.get('set-cookie')]).toEqual([`body ${run}`, `foo=bar${run}; Path=/`]);
    }
  });

  it('221: site-wide mode has the ttl and cache of the module, a decorator its own', async () => {
    @Controller()
    class SiteController {
      @Get('plain') plain(): string {
        return `run ${count()}`;
      }
      @Get('own') @CachePage('10s') own(): string {
        return `run ${count()}`;
      }
      @Get('elsewhere') @CachePage('60s', { cache: 'other' }) elsewhere(): string {
        return `run ${count()}`;
      }
    }
    const count = (): number => (pages.runs += 1);
    await pages.start(SiteController, {
      caching: { caches: { default: {}, other: {} }, pages: { site: '30s' } },
    });
    for (const path of ['/plain', '/own', '/elsewhere']) await pages.ask(path);
    await pages.app.app.get<CacheService>(getCacheToken('other')).clear();
    for (const path of ['/plain', '/own']) await pages.ask(path);
    expect(pages.runs).toBe(3);
    expect(await pages.text('/elsewhere')).toBe('run 4');
    pages.clock.advance(10_000);
    expect([await pages.text('/plain'), await pages.text('/own')]).toEqual(['run 1', 'run 5']);
    pages.clock.advance(20_000);
    expect([await pages.text('/plain'), await pages.text('/elsewhere')]).toEqual(['run 6', 'run 4']);
  });

  it('222: the same page through another prefix or cache is a miss, through another ttl a hit', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'django-'));
    directories.push(directory);
    const store: CacheOptions = { backend: 'file', directory };
    const text = async (ttl: '60s' | '30s', caching: CachingOptions, cache?: string): Promise<string> => {
      await pages.start(pages.controller(ttl, cache === undefined ? {} : { cache }), { caching });
      return (await pages.raw('/p/1', { host: 'shop.example' })).text;
    };
    expect(await text('60s', store)).toBe('run 1');
    expect(await text('60s', { ...store, keyPrefix: 'test' })).toBe('run 2');
    expect(await text('60s', { caches: { default: store, other: store } }, 'other')).toBe('run 3');
    expect(await text('30s', store)).toBe('run 1');
    expect(await text('60s', { ...store, keyPrefix: 'test' })).toBe('run 2');
  });

  it('224: a ttl of 3 s outlives max-age=1; a ttl of 1 s ends before max-age=3', async () => {
    await start('3s');
    pages.handle = sends({ 'cache-control': 'max-age=1' });
    await pages.ask();
    pages.clock.advance(1000);
    expect(await pages.text()).toBe('run 1');
    await start('1s');
    pages.handle = sends({ 'cache-control': 'max-age=3' });
    await pages.ask();
    pages.clock.advance(1000);
    expect(await pages.text()).toBe('run 3');
  });

  it.each(['private', 'no-cache', 'no-store', 'Private'])(
    '225: Cache-Control %s is not stored',
    async (cacheControl) => {
      await start('60s');
      pages.handle = sends({ 'cache-control': cacheControl });
      expect(await pages.isStored()).toBe(false);
    },
  );

  it.each([undefined, 'sid=1', 'theme=dark'])(
    '226: a cookie that is set where Vary names Cookie is not stored, with the cookie %j and a route that names it',
    async (cookie) => {
      @Controller()
      class CookieController {
        @Get('cookie') @VaryOnCookie('theme') @CachePage('60s') page(
          @Res({ passthrough: true }) reply: AnyReply,
        ): string {
          reply.header('vary', 'Cookie').header('set-cookie', 'csrftoken=1');
          return `run ${count()}`;
        }
      }
      const count = (): number => (pages.runs += 1);
      await pages.start(CookieController);
      const asked: Record<string, string> = cookie === undefined ? {} : { cookie };
      expect([await pages.text('/cookie', asked), await pages.text('/cookie', asked)]).toEqual([
        'run 1',
        'run 2',
      ]);
    },
  );

  it('228: the first response says exactly max-age=2 and no Age, a second later the same and Age: 1', async () => {
    await start('2s', { clientTtl: '2s' });
    const first = await pages.ask();
    pages.clock.advance(1000);
    const second = await pages.ask();
    for (const { headers } of [first, second])
      expect([headers.get('cache-control'), headers.get('expires')]).toEqual(['max-age=2', null]);
    expect([first, second].map(({ headers }) => headers.get('age'))).toEqual([null, '1']);
    for (const name of ['etag', 'content-type', 'content-length'])
      expect(second.headers.get(name)).toBe(first.headers.get(name));
  });

  it.each(['*', ' *', '* ', '\t* ', ' * , Cookie'])('229: Vary %j is not stored', async (vary) => {
    await start('60s');
    pages.handle = sends({ vary });
    expect(await pages.isStored()).toBe(false);
  });

  it.each([undefined, 'public'])(
    '230: a request with Authorization goes past the cache, both ways, and adds nothing to Vary, though it is %s',
    async (cacheControl) => {
      await start('60s');
      if (cacheControl !== undefined) pages.handle = sends({ 'cache-control': cacheControl });
      const asked = { authorization: 'token' };
      const texts = [];
      for (const headers of [asked, {}, asked, {}]) {
        const answer = await pages.ask('/p/1', headers);
        texts.push(answer.text);
        expect(answer.headers.get('vary')).toBeNull();
      }
      expect(texts).toEqual(['run 1', 'run 2', 'run 3', 'run 2']);
    },
  );

  it('230 (PG-10): token, nobody, token are three right answers', async () => {
    await start('60s');
    pages.handle = ({ headers }) => headers['authorization'] ?? 'nobody';
    for (const who of ['token', undefined, 'token', undefined])
      expect(await pages.text('/p/1', who === undefined ? {} : { authorization: who })).toBe(who ?? 'nobody');
  });

  it.each([0, -1] as const)('232: a ttl of %d stores nothing, and says nothing of it', async (ttl) => {
    await start(ttl);
    expect(await pages.isStored()).toBe(false);
    expect((await pages.ask()).headers.get('cache-control')).toBeNull();
    await start(ttl, { clientTtl: ttl });
    expect(await pages.isStored()).toBe(false);
    expect((await pages.ask()).headers.get('cache-control')).toBe('max-age=0');
  });

  it.each([201, 204, 206, 301, 302, 404, 500])(
    '233: a %d is not stored, and no headers are added to it but the tag of the platform',
    async (status) => {
      await start('60s');
      pages.handle = sends({}, status);
      expect(await pages.isStored()).toBe(false);
      const { headers } = await pages.ask();
      for (const name of ['cache-control', 'expires', 'vary', 'age', 'last-modified', 'cache-status'])
        expect([name, headers.get(name)]).toEqual([name, null]);
      if (platform === 'fastify') expect(headers.get('etag')).toBeNull();
    },
  );

  it('233: a POST is not stored, and no headers are added to its answer', async () => {
    await start('60s');
    for (const run of [1, 2]) {
      const { text, headers } = await pages.ask('/p/1', {}, 'POST');
      expect(text).toBe(`run ${run}`);
      for (const name of ['cache-control', 'expires', 'vary', 'age'])
        expect([name, headers.get(name)]).toEqual([name, null]);
    }
    expect(await pages.text()).toBe('run 3');
  });

  it('234: Set-Cookie without Vary is not stored', async () => {
    await start('60s');
    pages.handle = sends({ 'set-cookie': 'sid=1' });
    expect(await pages.isStored()).toBe(false);
    expect((await pages.ask()).headers.get('vary')).toBeNull();
  });
});
