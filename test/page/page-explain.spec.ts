import { describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Head,
  Header,
  Injectable,
  Module,
  Redirect,
  Render,
  Req,
  Res,
  Scope,
  Sse,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  CachePage,
  CacheService,
  CachingModule,
  type ExplainedRequest,
  InvalidArgumentError,
  InvalidatesPages,
  NeverCache,
  NotStartedError,
  PageCache,
  type PageExplanation,
  VaryOn,
  VaryOnCookie,
} from 'nestjs-caching';
import { of } from 'rxjs';
import { gate as newGate } from '../support/gate.js';
import { type AnyReply, type AnyRequest, sends, usePages } from '../support/page-app.js';
import { PLATFORMS } from '../support/test-app.js';
import { useViews } from '../support/views.js';

const SECRETS = ['ada-token', 'dark-theme', 'de-secret', 'acme-corp', 'user-ada', 'sid-value'];

interface SignedIn {
  readonly user?: { readonly id: string };
  readonly tenant: string;
}

/** Whoever brings a token is somebody of a tenant; `no` is nobody's. */
@Injectable()
class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Record<string, unknown>>();
    const { authorization } = request['headers'] as Record<string, string | undefined>;
    if (authorization !== undefined) request['user'] = { id: authorization.replace('Bearer ', 'user-') };
    request['tenant'] = 'acme-corp';
    return authorization !== 'Bearer no';
  }
}

describe.each(PLATFORMS)('PageCache.explain on %s', (platform) => {
  const pages = usePages(platform);
  const count = (): number => (pages.runs += 1);
  const host = (): string => new URL(pages.app.url).host;
  const cache = (): CacheService => pages.app.app.get(CacheService);

  /** Explains, and holds that nothing has changed by it. */
  const explain = async (asked: string | ExplainedRequest): Promise<PageExplanation> => {
    const request = typeof asked === 'string' ? { url: asked } : asked;
    const before = [pages.runs, cache().statistics];
    const explained = await pages.app.app.get(PageCache).explain({ host: host(), ...request });
    expect([pages.runs, cache().statistics]).toEqual(before);
    for (const secret of SECRETS) expect(JSON.stringify(explained)).not.toContain(secret);
    return explained;
  };
  /** What the request would do, and why. */
  const would = async (asked: string | ExplainedRequest): Promise<string> => {
    const { would: verdict } = await explain(asked);
    return `${verdict.do}: ${verdict.because}`;
  };

  it('says that nothing is stored, and how the key is built', async () => {
    await pages.start(pages.controller('60s', { query: { ignore: ['utm_*'] } }));
    expect(await explain('/p/1?b=2&a=1&utm_source=mail&utm_source=web')).toEqual({
      route: 'PagesController.page',
      key: {
        cache: 'default',
        scheme: 'http',
        host: host(),
        target: '/p/1?b=2&a=1',
        droppedParameters: ['utm_source'],
        headers: [],
        cookies: [],
        isOfUser: false,
        hasVaryOn: false,
        isRewritten: false,
        digest: expect.any(String),
      },
      held: { what: 'nothing' },
      would: { do: 'run', because: 'nothing is stored' },
    });
    const digestOf = async (url: string) => (await explain(url)).key?.digest;
    expect(await digestOf('/p/1?a=1&b=2')).toBe(await digestOf('/p/1?b=2&a=1&utm_x='));
    expect(await digestOf('/p/1?a=1')).not.toBe(await digestOf('/p/1?a=2'));
  });

  it('shows the page that is stored, which a request is then answered with', async () => {
    await pages.start(pages.controller('60s', { tags: ['products'], staleWhileRevalidate: '10s' }));
    await pages.isStored();
    pages.clock.advance(20_000);
    const { held, would: verdict } = await explain('/p/1');
    expect(held).toMatchObject({ what: 'page', status: 200, age: 20_000, freshFor: 40_000 });
    expect(held).toMatchObject({ staleWhileRevalidateFor: 50_000, bytes: expect.any(Number) });
    expect(held?.tags?.map(({ tag, state }) => [tag, state])).toEqual(
      expect.arrayContaining([
        ['products', 'current'],
        ['@page-path:/p/1', 'current'],
      ]),
    );
    expect(verdict).toEqual({ do: 'replay', because: 'a fresh page is stored' });
    expect(await explain({ url: '/p/1', method: 'HEAD' })).toMatchObject({ would: { do: 'replay' } });
    const { text, headers } = await pages.ask();
    expect([text, headers.get('age'), pages.runs]).toEqual(['run 1', '20', 1]);
  });

  it('says of a page that is gone why it is', async () => {
    await pages.start(pages.controller('60s', { tags: ['products'] }));
    await pages.isStored();
    await pages.app.app.get(PageCache).invalidate({ tags: ['products'] });
    expect(await would('/p/1')).toBe('run: its tag "products" was invalidated after it was stored');
    await pages.isStored();
    pages.clock.advance(60_000);
    expect(await would('/p/1')).toBe('run: nothing is stored');
  });

  it('says whether a stale page is served, refreshed, or stands in for a failure', async () => {
    await pages.start(pages.controller('60s', { staleWhileRevalidate: '10s', staleIfError: '1h' }));
    await pages.isStored();
    pages.clock.advance(65_000);
    expect(await would('/p/1')).toBe('replay and refresh: the entry is within staleWhileRevalidate');
    expect(await would({ url: '/p/1', method: 'HEAD' })).toBe(
      'bypass: its life has ended, and the answer to HEAD is not stored',
    );
    pages.clock.advance(10_000);
    expect(await would('/p/1')).toBe('run: the entry is within staleIfError: served if the load fails');
    expect(pages.runs).toBe(1);
  });

  it('says that a request would wait, and waits for nothing itself', async () => {
    await pages.start(pages.controller('60s'));
    const [begun, finish] = [newGate(), newGate()];
    pages.handle = async (_request, _reply, run) => {
      begun.open();
      await finish.opened;
      return `run ${run}`;
    };
    const asked = pages.text();
    await begun.opened;
    expect(await explain('/p/1')).toMatchObject({
      held: { what: 'lease' },
      would: { do: 'wait', because: 'somebody is loading the value' },
    });
    finish.open();
    expect(await asked).toBe('run 1');
  });

  it.each([
    ['it sets a cookie', sends({ 'set-cookie': 'sid=sid-value' })],
    ['its Cache-Control forbids it, or cannot be read', sends({ 'cache-control': 'private' })],
    ['its status is 202, which the route does not store', sends({}, 202)],
    ['its handler has encoded it', sends({ 'content-encoding': 'x-own' })],
    ['it is an event stream', sends({ 'content-type': 'text/event-stream' })],
    ['it is larger than `maxBodySize`, or was written past the platform', () => 'x'.repeat(2000)],
    [
      "its handler has read 'cookies' of the request",
      ({ headers }: AnyRequest) => headers['cookie'] ?? 'none',
    ],
    ['it is empty', () => ''],
    ['its Vary names what no key can hold, or did so after the head was out', sends({ vary: '*' })],
  ])('says that the last response could not be stored, since %s', async (because, handle) => {
    await pages.start(pages.controller('60s'), { caching: { pages: { maxBodySize: 1000 } } });
    pages.handle = handle;
    await pages.isStored('/p/1', { cookie: 'theme=dark-theme' });
    expect(await explain('/p/1')).toMatchObject({
      refused: because,
      would: {
        do: 'run',
        because: `nothing is stored, and the last response could not be stored: ${because}`,
      },
    });
    pages.clock.advance(10_000);
    expect(await explain('/p/1')).not.toHaveProperty('refused');
  });

  it('says of a life by headers that the response gave none', async () => {
    await pages.start(pages.controller());
    await pages.isStored();
    expect(await explain('/p/1')).toMatchObject({
      refused: 'the route has no ttl, and the response is of no status or has no headers that give it a life',
    });
  });

  it.each<[string, Omit<ExplainedRequest, 'url'>]>([
    ['bypass: it asks for a Range, which only the handler can answer', { headers: { range: 'bytes=0-1' } }],
    ['bypass: it has If-Match, which only the handler can compare', { headers: { 'If-Match': '"a"' } }],
    [
      'bypass: it has Authorization, and the route has neither `user` nor `shared`',
      { headers: { authorization: 'Bearer ada-token' } },
    ],
    [
      'bypass: it has a session cookie, and the route has neither `user` nor `shared`',
      { headers: { cookie: 'connect.sid=sid-value' } },
    ],
    [
      "bypass: nothing is stored, and the request's Cache-Control forbids to store the answer",
      { headers: { 'cache-control': 'no-store' } },
    ],
    ['bypass: nothing is stored, and the answer to HEAD is not stored', { method: 'HEAD' }],
    ['bypass: only GET and HEAD have pages', { method: 'delete' }],
  ])('%s', async (expected, request) => {
    await pages.start(pages.controller('60s'));
    expect(await would({ url: '/p/1', ...request })).toBe(expected);
  });

  it('says what a client that asks for a new answer gets', async () => {
    await pages.start(pages.controller('60s', { honorNoCache: true }));
    await pages.isStored();
    expect(await would({ url: '/p/1', headers: { 'cache-control': 'no-cache' } })).toBe(
      'run: the client asks for a new answer, and the route has `honorNoCache`',
    );
    expect(await pages.text()).toBe('run 1');
  });

  it('names what the key is made of, and no value, token or identity', async () => {
    @Controller()
    @UseGuards(TokenGuard)
    class UserController {
      @Get('me')
      @CachePage('60s', {
        user: ({ user }: SignedIn) => user?.id,
        varyOn: ({ tenant }: SignedIn) => tenant,
      })
      @VaryOn('X-Lang')
      @VaryOnCookie('theme')
      me(): string {
        return `run ${count()}`;
      }
    }
    await pages.start(UserController);
    const headers = { authorization: 'Bearer ada-token', 'x-lang': 'de-secret', cookie: 'theme=dark-theme' };
    await pages.isStored('/me', headers);
    const { route, key, held } = await explain({ url: '/me', headers });
    expect([route, held?.what]).toEqual(['UserController.me', 'page']);
    expect(key).toMatchObject({
      headers: ['x-lang'],
      cookies: ['theme'],
      isOfUser: true,
      hasVaryOn: true,
    });
    expect((await explain('/me')).key?.isOfUser).toBe(false);
    expect(await would({ url: '/me', headers: { cookie: 'connect.sid=sid-value' } })).toBe(
      'bypass: it has a session cookie, and `user` of the route names nobody',
    );
    expect(await explain({ url: '/me', headers: { authorization: 'Bearer no' } })).toEqual({
      answeredBefore: 403,
      would: { do: 'not arrive', because: 'a middleware, a guard or what handles their errors answers 403' },
    });
  });

  it('tells the variants, and whether one is for the request', async () => {
    await pages.start(pages.controller('60s'));
    pages.handle = ({ headers }, _reply, run) => `${headers['x-lang']} ${run}`;
    for (const lang of ['de-secret', 'en']) await pages.isStored('/p/1', { 'x-lang': lang });
    const variants = { count: 2, vary: [['x-lang']] };
    expect(await explain({ url: '/p/1', headers: { 'x-lang': 'de-secret' } })).toMatchObject({
      held: { what: 'page', status: 200 },
      variants: { ...variants, isMatched: true },
      would: { do: 'replay' },
    });
    expect(await explain({ url: '/p/1', headers: { 'x-lang': 'fr' } })).toMatchObject({
      held: { what: 'nothing' },
      variants: { ...variants, isMatched: false },
      would: { do: 'run', because: 'no variant is for the values that this request has' },
    });
  });

  it('tells scheme, host and rewritten URLs apart as the application sees them', async () => {
    await pages.start(pages.controller('60s'), {
      configure: (app) => {
        // As Express and the `rewriteUrl` of Fastify do it.
        const rewrite = (request: Record<'url' | 'originalUrl', string> & Pick<AnyRequest, 'headers'>) => {
          if (request.headers['x-original-url'] === undefined) return;
          request.originalUrl = request.url;
          request.url = '/p/2';
        };
        if (platform === 'express')
          app.use((request: never, _response: unknown, next: () => void) => {
            rewrite(request);
            next();
          });
        else
          app
            .getHttpAdapter()
            .getInstance()
            .addHook('onRequest', async ({ raw }: { raw: never }) => rewrite(raw));
      },
    });
    const key = async (asked: ExplainedRequest) => (await pages.app.app.get(PageCache).explain(asked)).key;
    expect(await key({ url: 'https://shop.example/p/1#top' })).toMatchObject({
      scheme: 'https',
      host: 'shop.example',
      target: '/p/1',
    });
    expect(await key({ url: '/p/1', headers: { Host: 'other.example' } })).toMatchObject({
      scheme: 'http',
      host: 'other.example',
    });
    expect((await key({ url: '/p/1' }))?.host).toBe(`localhost:${new URL(pages.app.url).port}`);
    expect(await key({ url: '/p/ü', headers: { 'x-original-url': '/p/2' } })).toMatchObject({
      target: '/p/%C3%BC',
      isRewritten: true,
    });
  });

  it('runs no handler of whatever kind, and what it says of those without a page', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Scoped {}
    @Controller('kinds')
    class KindsController {
      @Get('plain') plain(): string {
        return `run ${count()}`;
      }
      @Get('never') @CachePage('60s') @NeverCache() never(): string {
        return `run ${count()}`;
      }
      @Sse('events') events(): unknown {
        count();
        return of({ data: 'event' });
      }
      @Get('direct') direct(@Res() reply: AnyReply): void {
        count();
        reply.send('direct');
      }
      @Get('view') @Render('page.hbs') view(): object {
        return { run: count() };
      }
      @Get('moved') @Redirect('/elsewhere') @CachePage('60s') moved(): void {
        count();
      }
      @Get('safe') @InvalidatesPages({ tags: ['kinds'] }) safe(): string {
        return `run ${count()}`;
      }
      @Head('head') @Header('x-own', '1') head(): void {
        count();
      }
      @Get('tagged') @CachePage('60s', { tags: ['kinds'] }) tagged(): string {
        return `run ${count()}`;
      }
    }
    @Controller('scoped')
    class ScopedController {
      constructor(readonly scoped: Scoped) {}
      @Get() @CachePage('60s') get(): string {
        return `run ${count()}`;
      }
    }
    await pages.start([KindsController, ScopedController as Type], {
      providers: [Scoped],
      configure: (app) => useViews(app as never, platform),
    });
    await pages.isStored('/kinds/tagged');
    const uncached = 'bypass: neither the method nor its controller has @CachePage';
    for (const [url, expected] of [
      ['/kinds/plain', uncached],
      ['/kinds/events', uncached],
      ['/kinds/direct', uncached],
      ['/kinds/view', uncached],
      ['/kinds/safe', uncached],
      ['/kinds/never', 'bypass: it has @NeverCache, on the method or the controller'],
      ['/kinds/moved', 'run: nothing is stored'],
      ['/kinds/tagged', 'replay: a fresh page is stored'],
      [
        '/scoped',
        expect.stringMatching(/^bypass: its controller, or something that it uses, is made for each/),
      ],
      ['/nowhere', 'not arrive: no route fits, or something before the cache answers 404'],
    ] as const)
      expect([url, await would(url)]).toEqual([url, expected]);
    expect(await would({ url: '/kinds/head', method: 'HEAD' })).toBe(uncached);
    expect(pages.warnings).toEqual([]);
    expect(await pages.text('/kinds/tagged')).toBe('run 1');
  });

  it('says of a site-wide mode whom it leaves out', async () => {
    @Controller()
    class SiteController {
      @Get('about') about(): string {
        return `run ${count()}`;
      }
      @Head('head') head(): void {
        count();
      }
    }
    await pages.start(SiteController, { caching: { pages: { site: '60s' } } });
    expect(await would('/about')).toBe('run: nothing is stored');
    expect(await would({ url: '/head', method: 'HEAD' })).toBe(
      'bypass: it has no @CachePage, and pages.site is for GET routes that are no @Sse',
    );
  });

  it('a request that a client has sent meanwhile goes its way, and what never answers ends at the deadline', async () => {
    const [begun, finish] = [newGate(), newGate()];
    @Injectable()
    class SlowGuard implements CanActivate {
      async canActivate(context: ExecutionContext): Promise<boolean> {
        const { headers } = context.switchToHttp().getRequest<AnyRequest>();
        if (headers['x-slow'] === undefined) return true;
        begun.open();
        await finish.opened;
        return true;
      }
    }
    @Controller()
    @UseGuards(SlowGuard)
    class SlowController {
      @Get('slow') @CachePage('60s', { shared: true }) slow(@Req() _request: AnyRequest): string {
        return `run ${count()}`;
      }
    }
    await pages.start(SlowController, { caching: { pages: { flightDeadline: '5s' } } });
    const explaining = pages.app.app.get(PageCache).explain({ url: '/slow', headers: { 'x-slow': '1' } });
    await begun.opened;
    expect(await pages.text('/slow')).toBe('run 1');
    pages.clock.advance(5000);
    expect(await explaining).toEqual({
      would: {
        do: 'not arrive',
        because: 'something before the cache broke it off, or did not answer within 5000 ms',
      },
    });
    finish.open();
    expect(await pages.text('/slow')).toBe('run 1');
  });

  it('rejects with what `user` and `varyOn` throw, which the client would be answered with', async () => {
    await pages.start(
      pages.controller('60s', {
        varyOn: () => {
          throw new TypeError('no tenant');
        },
      }),
    );
    await expect(explain('/p/1')).rejects.toThrow(new TypeError('no tenant'));
    expect(pages.warnings).toEqual([]);
  });

  it.each([
    ['p/1', undefined],
    ['ftp://shop.example/p/1', undefined],
    [undefined as never, undefined],
    ['/p/1', { 'x-lang': 'de-secret\r\nx-more: 1' }],
    ['/p/1', { 'no name': 'de-secret' }],
  ])('refuses %j with the headers %j', async (url, headers) => {
    await pages.start(pages.controller('60s'));
    const error = await explain({ url, ...(headers && { headers }) }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(String(error)).not.toContain('de-secret');
  });

  it('says of an application without pages that it has none, and sends nothing', async () => {
    @Controller()
    class PlainController {
      @Get() plain(): string {
        return `run ${count()}`;
      }
    }
    await pages.start(PlainController);
    expect(await would('/')).toBe('bypass: no route of this application has @CachePage');
  });

  it('needs the application to have started', async () => {
    let early: Promise<unknown> = Promise.resolve();
    await pages.start(pages.controller('60s'), {
      configure: (app) =>
        void (early = app
          .get(PageCache)
          .explain('/p/1')
          .catch((error: unknown) => error)),
    });
    expect(await early).toBeInstanceOf(NotStartedError);
    expect(await early).toMatchObject({ code: 'CACHING_NOT_STARTED' });
  });
});

describe('PageCache.explain without a server', () => {
  it('needs one', async () => {
    @Controller()
    class PagesController {
      @Get() @CachePage('60s') page(): string {
        return 'page';
      }
    }
    @Module({ imports: [CachingModule.forRoot()], controllers: [PagesController] })
    class ApplicationModule {}
    const app = await NestFactory.createApplicationContext(ApplicationModule, { logger: false });
    await expect(app.get(PageCache).explain('/')).rejects.toThrow(NotStartedError);
    await app.close();
  });
});
