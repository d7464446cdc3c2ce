import { beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Req, VersioningType } from '@nestjs/common';
import { CachePage, type CachePageOptions } from 'nestjs-caching';
import { type AnyRequest, type Handle, sends, usePages } from '../support/page-app.js';
import { until } from '../support/scenarios.js';
import { PLATFORMS } from '../support/test-app.js';

// The rows of the rule book of HTTP output caching, part A4: what tells pages apart. Rows 66 to 68 are of invalidation and
// are proven with it, in page-invalidator.spec.ts and page-cache.service.spec.ts.
describe.each(PLATFORMS)('A4, what tells pages apart, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));
  const distinct = (texts: readonly string[]) => new Set(texts).size;
  /** One after another, twice: how many pages there are, each of which is answered again. */
  async function countPages(asks: readonly (() => Promise<string>)[]): Promise<number> {
    const first: string[] = [];
    for (const ask of asks) first.push(await ask());
    const second: string[] = [];
    for (const ask of asks) second.push(await ask());
    expect(second).toEqual(first);
    return distinct(first);
  }

  describe('row 58, each part of the key makes a page of its own', () => {
    it('host, path, query, and what is declared', async () => {
      await start('60s', { vary: ['x-a'], varyOn: ({ headers }: AnyRequest) => headers['x-role'] });
      const raw = async (path: string, headers = {}) => (await pages.raw(path, headers)).text;
      const count = await countPages([
        () => raw('/p/1'),
        () => raw('/p/1', { host: 'b.example' }),
        () => raw('/p/2'),
        () => raw('/p/1?q=1'),
        () => raw('/p/1', { 'x-a': '1' }),
        () => raw('/p/1', { 'x-role': 'admin' }),
      ]);
      expect(count).toBe(6);
    });

    it('the scheme as the application sees it', async () => {
      for (const [trustsProxy, schemes] of [
        [true, 2],
        [false, 1],
      ] as const) {
        await pages.start(pages.controller('60s'), { trustsProxy });
        const of = (proto: string) => () => pages.text('/p/1', { 'x-forwarded-proto': proto });
        expect(await countPages([of('http'), of('https')])).toBe(schemes);
      }
    });

    it('the route and the API version', async () => {
      const count = (): number => (pages.runs += 1);
      @Controller({ path: 'v', version: '1' })
      class OneController {
        @Get() @CachePage('60s') get(): string {
          return `one ${count()}`;
        }
      }
      @Controller({ path: 'v', version: '2' })
      class TwoController {
        @Get() @CachePage('60s') get(): string {
          return `two ${count()}`;
        }
      }
      await pages.start([OneController, TwoController], {
        configure: (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-api-version' }),
      });
      const of = (version: string) => () => pages.text('/v', { 'x-api-version': version });
      expect([await of('1')(), await of('2')(), await of('1')(), await of('2')()]).toEqual([
        'one 1',
        'two 2',
        'one 1',
        'two 2',
      ]);
    });

    it('the user', async () => {
      await start('60s', { user: ({ headers }: AnyRequest) => headers['x-user'] });
      const of = (user: string) => () => pages.text('/p/1', { 'x-user': user });
      expect(await countPages([() => pages.text(), of('a'), of('b')])).toBe(3);
    });
  });

  it('row 59: queries are told apart, repeated names by their order', async () => {
    await start('60s');
    const of = (query: string) => async () => (await pages.raw(`/p/1${query}`)).text;
    expect(
      await countPages(
        ['', '?', '?a', '?a=', '?a=1', '?a=2', '?a=1&a=2', '?a=2&a=1', '?A=1', '?a=1&b=1', '?a=%31'].map(of),
      ),
    ).toBe(11);
    expect(await countPages(['?a=1&b=2', '?b=2&a=1'].map(of))).toBe(1);
  });

  it('row 59: what does not count is in no key and is not shown to the handler', async () => {
    await start('60s', { query: { ignore: ['utm_*'] } });
    pages.handle = ({ query, url }, _reply, run) => `${run} ${Object.keys(query).join()} ${url}`;
    expect(await pages.text('/p/1?utm_source=x&q=1')).toBe('1 q /p/1?q=1');
    expect(await pages.text('/p/1?q=1&utm_source=evil&utm_medium=y')).toBe('1 q /p/1?q=1');
    expect(await pages.text('/p/1?utm_source=only')).toBe('2  /p/1');
  });

  it.each([['X-A, X-B'], ['x-b ,\tx-a'], [['X-A', 'X-B']], [' , X-A,, X-B,']])(
    'row 60: Vary %j names both, in any case and on any line; absent is not empty',
    async (vary) => {
      await start('60s');
      pages.handle = sends({ vary });
      const of = (headers: Record<string, string>) => async () => (await pages.raw('/p/1', headers)).text;
      const count = await countPages(
        [
          {},
          { 'x-a': '' },
          { 'x-b': '' },
          { 'x-a': '', 'x-b': '' },
          { 'x-a': 'ab', 'x-b': 'c' },
          { 'x-a': 'a', 'x-b': 'bc' },
          { 'x-a': 'a' },
        ].map(of),
      );
      expect(count).toBe(7);
      // Names of headers have no case.
      const { runs } = pages;
      await pages.raw('/p/1', { 'X-A': 'a' });
      expect(pages.runs).toBe(runs);
    },
  );

  it('row 61: variants are side by side, and what Vary does not name makes none', async () => {
    await start('60s');
    pages.handle = sends({ vary: 'x-a' });
    const of = (a: string, other: string) => () => pages.text('/p/1', { 'x-a': a, 'x-other': other });
    expect(await countPages([of('1', 'x'), of('2', 'x'), of('1', 'y'), of('2', 'y')])).toBe(2);
  });

  it('row 62: responses that vary by different names are each matched by their own, the newest first', async () => {
    await start('60s');
    pages.handle = ({ headers }, reply, run) => {
      reply.header('vary', headers['x-a'] === '1' ? 'x-a' : 'x-a, x-b');
      return `run ${run}`;
    };
    const of = (a: string, b: string) => () => pages.text('/p/1', { 'x-a': a, 'x-b': b });
    const first = [await of('1', '1')(), await of('2', '1')(), await of('2', '2')()];
    expect(first).toEqual(['run 1', 'run 2', 'run 3']);
    expect([await of('1', '9')(), await of('2', '1')(), await of('2', '2')()]).toEqual(first);
  });

  it('row 63: spellings of a path share a page or not, and never show another path', async () => {
    await start('60s');
    pages.handle = ({ originalUrl }, _reply, run) => `${run} ${originalUrl}`;
    const spellings = [
      '/p/x',
      '/p/x/',
      '/p/X',
      '//p/x',
      '/p/x?',
      '/p/%78',
      '/P/x',
      '/p/./x',
      '/p/x;a',
      '/p/y',
      '/%70/x',
    ];
    for (let round = 0; round < 2; round += 1) {
      for (const path of spellings) {
        const { status, text } = await pages.raw(path);
        // What the router does not take is its own 404.
        if (status === 200) expect([path, text.replace(/^\d+ /, '')]).toEqual([path, path]);
      }
    }
  });

  it('row 64: hosts have pages of their own', async () => {
    await start('60s');
    pages.handle = ({ host }, _reply, run) => `${host} ${run}`;
    const of = (host: string) => async () => (await pages.raw('/p/1', { host })).text;
    expect([await of('a')(), await of('b')(), await of('a:81')(), await of('a')(), await of('b')()]).toEqual([
      'a 1',
      'b 2',
      'a:81 3',
      'a 1',
      'b 2',
    ]);
  });

  it('row 65: a handler that negotiates without saying Vary is seen to, and Vary says so', async () => {
    await start('60s');
    pages.handle = ({ headers }, reply, run) => {
      const isHtml = headers['accept'] === 'text/html';
      reply.header('content-type', isHtml ? 'text/html' : 'text/plain');
      return `${isHtml ? '<p>' : ''}${run}`;
    };
    const of = (accept: string) => pages.ask('/p/1', { accept });
    expect([
      (await of('text/html')).text,
      (await of('text/plain')).text,
      (await of('text/html')).text,
    ]).toEqual(['<p>1', '2', '<p>1']);
    expect((await of('text/plain')).headers.get('vary')?.toLowerCase()).toContain('accept');
  });

  it('row 65: a handler of several versions that tells them apart has a page for each', async () => {
    const count = (): number => (pages.runs += 1);
    @Controller({ path: 'v', version: ['1', '2'] })
    class BothController {
      @Get() @CachePage('60s') get(@Req() { headers }: AnyRequest): string {
        return `version ${headers['x-api-version']} ${count()}`;
      }
    }
    await pages.start(BothController, {
      configure: (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-api-version' }),
    });
    const of = (version: string) => pages.text('/v', { 'x-api-version': version });
    expect([await of('1'), await of('2'), await of('1'), await of('2')]).toEqual([
      'version 1 1',
      'version 2 2',
      'version 1 1',
      'version 2 2',
    ]);
  });

  describe('row 69, a newer response that may not be stored ends the older one', () => {
    const runOrNoStore: Handle = (_request, reply, run) => {
      if (isNoStore) reply.header('cache-control', 'no-store');
      return `run ${run}`;
    };
    let isNoStore = false;
    beforeEach(() => void (isNoStore = false));
    /** A page that is stored, and then the no-store. */
    async function startWith(options: CachePageOptions<never>): Promise<void> {
      await start('10s', options);
      pages.handle = runOrNoStore;
      await pages.ask();
      isNoStore = true;
    }

    it('where a client had it made anew', async () => {
      await startWith({ honorNoCache: true });
      expect(await pages.text('/p/1', { 'cache-control': 'no-cache' })).toBe('run 2');
      expect(await pages.text()).toBe('run 3');
    });

    it('where it was refreshed in the background', async () => {
      await startWith({ staleWhileRevalidate: '60s' });
      pages.clock.advance(10_000);
      expect(await pages.text()).toBe('run 1');
      await until(async () => (await pages.text()) !== 'run 1');
      isNoStore = false;
      expect(await pages.text()).not.toBe('run 1');
    });

    it('where it would stand in for an error', async () => {
      await startWith({ staleIfError: '60s' });
      pages.clock.advance(10_000);
      expect(await pages.text()).not.toBe('run 1');
      pages.handle = sends({}, 503);
      expect((await pages.ask()).status).toBe(503);
    });

    it.each(['x-a', '*'])('where it varies by %s', async (vary) => {
      await startWith({ staleIfError: '60s' });
      isNoStore = false;
      pages.clock.advance(10_000);
      pages.handle = sends({ vary, 'cache-control': 'private' });
      expect(await pages.text()).not.toBe('run 1');
      pages.handle = sends({}, 503);
      expect((await pages.ask()).status).toBe(503);
    });
  });
});
