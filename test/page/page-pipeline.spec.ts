import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  All,
  Controller,
  HttpException,
  Injectable,
  Param,
  type Provider,
  Query,
  Req,
  Res,
  Scope,
  StreamableFile,
} from '@nestjs/common';
import {
  CACHING_CLOCK,
  CachePage,
  type CachePageOptions,
  CacheService,
  CachingModule,
  type CachingOptions,
  NeverCache,
  type Ttl,
} from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { gate as newGate } from '../support/gate.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

/** A reply of either platform. */
interface Reply {
  header(name: string, value: string): Reply;
  status(code: number): Reply;
  send(body: unknown): unknown;
}
interface AnyRequest {
  readonly headers: Record<string, string | undefined>;
  readonly query: Record<string, unknown>;
  readonly url: string;
  readonly originalUrl: string;
  readonly user?: unknown;
}
type Handle = (request: AnyRequest, reply: Reply, run: number) => unknown;

let handle: Handle;
let runs = 0;
let clock: FakeClock;
let app: TestApp;
let warnings: string[];

/** A route that does what a test says. */
function pages(ttl?: Ttl, options?: CachePageOptions) {
  @Controller('p')
  class PagesController {
    @All(':id')
    @CachePage(ttl, options)
    page(
      @Req() request: AnyRequest,
      @Res({ passthrough: true }) reply: Reply,
      @Param('id') _id: string,
    ): unknown {
      runs += 1;
      return handle(request, reply, runs);
    }
  }
  return PagesController;
}

describe.each(PLATFORMS)('the page pipeline on %s', (platform) => {
  beforeEach(() => {
    runs = 0;
    handle = (_request, _reply, run) => `run ${run}`;
    clock = new FakeClock();
    warnings = [];
  });
  afterEach(() => app.close());

  async function start(
    controller: new () => unknown,
    caching: CachingOptions = {},
    providers: Provider[] = [],
  ): Promise<void> {
    app = await startApp(
      platform,
      { imports: [CachingModule.forRoot(caching)], controllers: [controller], providers },
      (made) =>
        made.useLogger({ log: () => {}, error: () => {}, warn: (message: string) => warnings.push(message) }),
      (builder) => builder.overrideProvider(CACHING_CLOCK).useValue(clock),
    );
  }
  const ask = async (path = '/p/1', headers: Record<string, string> = {}, method = 'GET') =>
    app.fetch(path, { method, headers });
  const text = async (path?: string, headers?: Record<string, string>) => (await ask(path, headers)).text;

  it.each([
    ['application/json', '{"a":1}'],
    ['application/json; charset=utf-8', '{"a":1}'],
    ['application/json; charset=utf-8', '{"a":"ä€😀"}'],
    ['application/json; charset=iso-8859-1', '{"a":"\u0080"}'],
    ['text/plain;charset="UTF-8"', 'a'.repeat(4096)],
    ['text/plain; charset=utf-8', 'a'.repeat(4097)],
    ['application/octet-stream', '\u0000\u007f'],
  ])('replays bytes and type of %s as they were', async (type, body) => {
    await start(pages('1m'));
    handle = () => new StreamableFile(Buffer.from(body), { type });
    const first = await ask();
    const second = await ask();
    expect([runs, second.headers.get('content-type'), second.headers.get('content-length')]).toEqual([
      1,
      type,
      String(Buffer.byteLength(body)),
    ]);
    expect(first.headers.get('content-type')).toBe(type);
    expect(second.body).toEqual(Buffer.from(body));
    const head = await ask('/p/1', {}, 'HEAD');
    expect([runs, head.body.length, head.headers.get('content-length')]).toEqual([
      1,
      0,
      String(Buffer.byteLength(body)),
    ]);
  });

  describe('variants', () => {
    it('serves each request the newest response whose own Vary it matches', async () => {
      await start(pages('1m'));
      handle = ({ headers }, reply, run) => {
        reply.header('vary', headers['x-mode'] === 'b' ? 'X-Mode, X-B' : 'X-Mode');
        return `run ${run}`;
      };
      const [a, b1, b2] = [{ 'x-mode': 'a' }, { 'x-mode': 'b', 'x-b': '1' }, { 'x-mode': 'b', 'x-b': '2' }];
      const first = [await text('/p/1', a), await text('/p/1', b1), await text('/p/1', b2)];
      expect(first).toEqual(['run 1', 'run 2', 'run 3']);
      expect([await text('/p/1', a), await text('/p/1', b1), await text('/p/1', b2)]).toEqual(first);
    });

    it('keeps at most maxVariants of a URL, and drops the oldest', async () => {
      await start(pages('1m'), { pages: { maxVariants: 2 } });
      handle = (_request, reply, run) => (reply.header('vary', 'x-v'), `run ${run}`);
      for (const v of ['1', '2', '3']) await text('/p/1', { 'x-v': v });
      expect([await text('/p/1', { 'x-v': '3' }), await text('/p/1', { 'x-v': '2' })]).toEqual([
        'run 3',
        'run 2',
      ]);
      expect(await text('/p/1', { 'x-v': '1' })).toBe('run 4');
    });

    it('runs the handler once for those whose values match, and once more for others', async () => {
      await start(pages('1m'));
      const gate = newGate();
      handle = async (_request, reply, run) => {
        reply.header('vary', 'x-v');
        await gate.opened;
        return `run ${run}`;
      };
      const asked = [
        text('/p/1', { 'x-v': 'a' }),
        text('/p/1', { 'x-v': 'a' }),
        text('/p/1', { 'x-v': 'b' }),
      ];
      await until(() => runs === 1);
      gate.open();
      const [one, same, other] = await Promise.all(asked);
      expect([one, same, other]).toEqual(['run 1', 'run 1', 'run 2']);
    });

    it.each(['Cookie', 'Authorization', '*', 'Foo, *'])('does not store what varies by %s', async (vary) => {
      await start(pages('1m'));
      handle = (_request, reply, run) => (reply.header('vary', vary), `run ${run}`);
      expect([await text(), await text()]).toEqual(['run 1', 'run 2']);
    });

    it('puts declared names into the key and into Vary', async () => {
      await start(pages('1m', { vary: ['X-Tenant'] }));
      const [a] = [await ask('/p/1', { 'x-tenant': 'a' }), await ask('/p/1', { 'x-tenant': 'b' })];
      expect(a.headers.get('vary')).toContain('X-Tenant');
      expect([await text('/p/1', { 'x-tenant': 'a' }), await text('/p/1', { 'x-tenant': 'b' })]).toEqual([
        'run 1',
        'run 2',
      ]);
    });
  });

  describe('persons', () => {
    const asks = (authorization: string) => ({ authorization });

    it('gives each user pages of their own, and none to credentials without an identity', async () => {
      await start(
        pages('1m', {
          user: ({ headers }) => (headers['authorization'] === 'x' ? '' : headers['authorization']),
        }),
      );
      handle = ({ headers }, _reply, run) => `${headers['authorization'] ?? 'nobody'} ${run}`;
      expect([await text('/p/1', asks('a')), await text('/p/1', asks('b')), await text()]).toEqual([
        'a 1',
        'b 2',
        'nobody 3',
      ]);
      expect([await text('/p/1', asks('a')), await text('/p/1', asks('b')), await text()]).toEqual([
        'a 1',
        'b 2',
        'nobody 3',
      ]);
      expect([await text('/p/1', asks('x')), await text('/p/1', asks('x'))]).toEqual(['x 4', 'x 5']);
    });

    it('shares a page that says so, and still does not store one whose handler reads who asks', async () => {
      await start(pages('1m', { shared: true }));
      expect([await text('/p/1', asks('a')), await text('/p/1', asks('b')), await text()]).toEqual([
        'run 1',
        'run 1',
        'run 1',
      ]);
      handle = ({ headers }, _reply, run) => `${headers['authorization'] ?? 'nobody'} ${run}`;
      expect([await text('/p/2', asks('a')), await text('/p/2', asks('b'))]).toEqual(['a 2', 'b 3']);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/^PagesController\.page is not cached: .*'authorization'/);
    });

    it('keys by what varyOn answers, of whatever type', async () => {
      let role: string | number | string[] = '1';
      await start(pages('1m', { varyOn: () => role }));
      const answers: string[] = [];
      for (role of ['1', 1, ['1'], ['1', '2'], ['12'], '1', 1, ['1', '2']]) answers.push(await text());
      expect(answers).toEqual(['run 1', 'run 2', 'run 3', 'run 4', 'run 5', 'run 1', 'run 2', 'run 4']);
    });

    it('adds a header that the handler reads undeclared to Vary and to the key', async () => {
      await start(pages('1m'));
      handle = ({ headers }, _reply, run) => `${headers['accept-language'] ?? '-'} ${run}`;
      const de = await ask('/p/1', { 'accept-language': 'de' });
      expect(de.headers.get('vary')?.toLowerCase()).toContain('accept-language');
      expect([
        await text('/p/1', { 'accept-language': 'en' }),
        await text('/p/1', { 'accept-language': 'de' }),
      ]).toEqual(['en 2', 'de 1']);
    });

    it('trusts the route with accessTracking off, and what ignoreReads names', async () => {
      await start(pages('1m'), { pages: { ignoreReads: ['user-agent'] } });
      handle = ({ headers }, _reply, run) => `${typeof headers['user-agent']} ${run}`;
      const first = await ask();
      expect(first.headers.get('vary') ?? '').not.toMatch(/user-agent/i);
      await app.close();
      await start(pages('1m'), { pages: { accessTracking: 'off' } });
      handle = ({ user }, _reply, run) => `${String(user)} ${run}`;
      expect([await text(), await text()]).toEqual(['undefined 2', 'undefined 2']);
    });

    it('leaves request-scoped controllers out unless they say what they depend on', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class Scoped {}
      @Controller('scoped')
      class ScopedController {
        constructor(readonly scoped: Scoped) {}
        @All('plain') @CachePage('1m') plain(): string {
          return `run ${(runs += 1)}`;
        }
        @All('shared') @CachePage('1m', { shared: true }) shared(): string {
          return `run ${(runs += 1)}`;
        }
      }
      await start(ScopedController as new () => unknown, {}, [Scoped]);
      expect([await text('/scoped/plain'), await text('/scoped/plain')]).toEqual(['run 1', 'run 2']);
      expect([await text('/scoped/shared'), await text('/scoped/shared')]).toEqual(['run 3', 'run 3']);
      expect(warnings.filter((warning) => warning.includes('made for each request'))).toHaveLength(1);
    });
  });

  describe('lives', () => {
    it('without a ttl goes by the headers of the response, and stores nothing that has none', async () => {
      await start(pages());
      handle = ({ url }, reply, run) => {
        if (url.endsWith('a')) reply.header('cache-control', 'max-age=60');
        if (url.endsWith('s')) reply.header('cache-control', 'max-age=60, s-maxage=10');
        return `run ${run}`;
      };
      expect([await text('/p/none'), await text('/p/none')]).toEqual(['run 1', 'run 2']);
      expect([await text('/p/a'), await text('/p/a'), await text('/p/s')]).toEqual([
        'run 3',
        'run 3',
        'run 4',
      ]);
      clock.advance(10_000);
      expect([await text('/p/a'), await text('/p/s')]).toEqual(['run 3', 'run 5']);
      clock.advance(50_000);
      expect(await text('/p/a')).toBe('run 6');
    });

    it('serves a stale page while one copy of the request makes a new one', async () => {
      await start(pages('10s', { staleWhileRevalidate: '1m' }));
      await text();
      clock.advance(10_000);
      const refreshing = newGate();
      handle = async (_request, _reply, run) => {
        await refreshing.opened;
        return `run ${run}`;
      };
      const stale = await Promise.all([ask(), ask(), ask()]);
      expect(stale.map((answer) => answer.text)).toEqual(['run 1', 'run 1', 'run 1']);
      expect(stale[0]?.headers.get('age')).toBe('10');
      refreshing.open();
      await until(async () => (await text()) === 'run 2');
      expect(runs).toBe(2);
      clock.advance(70_000);
      expect(await text()).toBe('run 3');
    });

    it('serves a stale page if the handler fails, not if it says 404', async () => {
      await start(pages('10s', { staleIfError: '1m' }));
      let status = 200;
      handle = (_request, _reply, run) => {
        if (status !== 200) throw new HttpException('no', status);
        return `run ${run}`;
      };
      await text();
      clock.advance(10_000);
      for (status of [503, 500]) expect(await text()).toBe('run 1');
      clock.advance(5_000);
      status = 404;
      expect((await ask()).status).toBe(404);
      status = 503;
      // The page that was is no more.
      expect((await ask()).status).toBe(503);
    });

    it('serves no stale page where the response demands to be asked about', async () => {
      await start(pages('10s', { staleIfError: '1m', staleWhileRevalidate: '1m' }));
      handle = (_request, reply, run) => (reply.header('cache-control', 'must-revalidate'), `run ${run}`);
      await text();
      clock.advance(10_000);
      expect(await text()).toBe('run 2');
    });

    it('tells browsers how long they may keep a page, unless the handler does', async () => {
      await start(pages('1m', { clientTtl: '30s' }));
      handle = ({ url }, reply) => {
        if (url.endsWith('own')) reply.header('cache-control', 'max-age=5');
        return 'page';
      };
      for (let time = 0; time < 2; time += 1)
        expect((await ask('/p/1')).headers.get('cache-control')).toBe('max-age=30');
      for (let time = 0; time < 2; time += 1)
        expect((await ask('/p/own')).headers.get('cache-control')).toBe('max-age=5');
      expect(runs).toBe(2);
    });

    it('keeps pages of users out of caches on the way', async () => {
      await start(pages('1m', { clientTtl: '30s', user: ({ headers }) => headers['authorization'] }));
      for (let time = 0; time < 2; time += 1)
        expect((await ask('/p/1', { authorization: 'a' })).headers.get('cache-control')).toBe(
          'private, max-age=30',
        );
      expect(runs).toBe(1);
    });

    it('keeps pages by varyOn out of caches on the way', async () => {
      await start(pages('1m', { clientTtl: '30s', varyOn: ({ headers }) => String(headers['x-tenant']) }));
      for (let time = 0; time < 2; time += 1)
        expect((await ask('/p/1', { 'x-tenant': 'a' })).headers.get('cache-control')).toBe(
          'private, max-age=30',
        );
      expect(runs).toBe(1);
    });
  });

  describe('requests', () => {
    it('hides from the handler the parameters that do not count', async () => {
      await start(pages('1m', { query: { ignore: ['utm_*'] } }));
      handle = ({ query, url, originalUrl }, _reply, run) =>
        JSON.stringify({ names: Object.keys(query), url, originalUrl, run });
      const first = await text('/p/1?b=1&utm_source=x&a=2');
      expect(JSON.parse(first)).toEqual({
        names: ['b', 'a'],
        url: '/p/1?b=1&a=2',
        originalUrl: '/p/1?b=1&a=2',
        run: 1,
      });
      expect(await text('/p/1?a=2&b=1')).toBe(first);
    });

    it('answers HEAD from a stored page and does not fill from one', async () => {
      await start(pages('1m'));
      await ask('/p/1', {}, 'HEAD');
      expect(await text()).toBe('run 2');
      const head = await ask('/p/1', {}, 'HEAD');
      expect([head.text, head.headers.get('content-length'), runs]).toEqual(['', '5', 2]);
    });

    it('ignores no-cache of clients, unless the route honours it', async () => {
      await start(pages('1m'));
      expect([await text(), await text('/p/1', { 'cache-control': 'no-cache' })]).toEqual(['run 1', 'run 1']);
      await app.close();
      await start(pages('1m', { honorNoCache: true }));
      expect([await text(), await text('/p/1', { 'cache-control': 'no-cache' }), await text()]).toEqual([
        'run 2',
        'run 3',
        'run 3',
      ]);
    });

    it('does not store for a client that says no-store', async () => {
      await start(pages('1m'));
      expect([await text('/p/1', { 'cache-control': 'no-store' }), await text()]).toEqual(['run 1', 'run 2']);
      expect(await text('/p/1', { 'cache-control': 'no-store' })).toBe('run 2');
    });

    it('lets requests for a refused page run side by side, until one can be stored', async () => {
      await start(pages('1m'));
      let isPrivate = true;
      let gate = newGate();
      gate.open();
      handle = async (_request, reply, run) => {
        if (isPrivate) reply.header('cache-control', 'private');
        await gate.opened;
        return `run ${run}`;
      };
      await text();
      gate = newGate();
      const asked = [text(), text(), text()];
      await until(() => runs === 4);
      gate.open();
      expect((await Promise.all(asked)).sort()).toEqual(['run 2', 'run 3', 'run 4']);
      isPrivate = false;
      await text();
      await text();
      expect(await text()).toBe('run 6');
    });

    it('says in Cache-Status what it did', async () => {
      await start(pages('1m'), { pages: { cacheStatus: 'shop' } });
      const said = async (headers = {}, method = 'GET') =>
        (await ask('/p/1', headers, method)).headers.get('cache-status');
      expect([
        await said(),
        await said(),
        await said({ range: 'bytes=0-1' }),
        await said({ authorization: 'a' }),
        await said({}, 'POST'),
      ]).toEqual([
        'shop; fwd=uri-miss',
        'shop; hit; ttl=60',
        'shop; fwd=bypass',
        'shop; fwd=request; detail=credentials',
        'shop; fwd=method',
      ]);
    });
  });

  describe('tags and policies', () => {
    it('tells caches in front the tags, also those that a function of the result gives', async () => {
      await start(pages('1m', { tags: (_request, result) => ['all', `item ${String(result)}`] }), {
        pages: { tagHeader: 'Surrogate-Key' },
      });
      for (let time = 0; time < 2; time += 1)
        expect((await ask()).headers.get('surrogate-key')).toBe('all item%20run%201');
    });

    it('forgets a page when one of its tags is invalidated by hand', async () => {
      await start(pages('1m', { tags: (_request, result) => [`item ${String(result)}`] }));
      expect([await text(), await text()]).toEqual(['run 1', 'run 1']);
      await app.app.get(CacheService).invalidateTags(['item run 1']);
      expect(await text()).toBe('run 2');
    });

    it('does not store a page whose tags cannot be had', async () => {
      await start(
        pages('1m', {
          tags: () => {
            throw new Error('secret');
          },
        }),
      );
      expect([await text(), await text()]).toEqual(['run 1', 'run 2']);
      expect(warnings.join()).not.toContain('secret');
      expect(warnings).toHaveLength(1);
    });

    it('goes by a named policy, and by what stands beside it', async () => {
      await start(pages(undefined, { policy: 'catalogue', clientTtl: '5s' }), {
        pages: { policies: { catalogue: { ttl: '10s', clientTtl: '1m', statuses: [404] } } },
      });
      handle = (_request, reply, run) => (reply.status(404), `run ${run}`);
      const first = await ask();
      expect([first.headers.get('cache-control'), await text()]).toEqual([null, 'run 1']);
      clock.advance(10_000);
      expect(await text()).toBe('run 2');
    });

    it('caches every GET of a site but what is never cached', async () => {
      @Controller('site')
      class SiteController {
        @All('plain') plain(@Query('x') x?: string): string {
          return `run ${(runs += 1)} ${x ?? ''}`;
        }
        @All('never') @NeverCache() never(): string {
          return `run ${(runs += 1)}`;
        }
      }
      await start(SiteController, { pages: { site: '1m' } });
      expect([await text('/site/plain'), await text('/site/plain')]).toEqual(['run 1 ', 'run 1 ']);
      expect([await text('/site/never'), await text('/site/never')]).toEqual(['run 2', 'run 3']);
      expect((await ask('/site/plain', {}, 'POST')).text).toBe('run 4 ');
    });
  });
});

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('It never came to that.');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
