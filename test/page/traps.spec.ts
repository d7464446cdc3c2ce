import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  All,
  BadRequestException,
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Head,
  Header,
  HostParam,
  HttpCode,
  Injectable,
  type NestInterceptor,
  Param,
  ParseIntPipe,
  Post,
  Redirect,
  Render,
  Req,
  Res,
  Scope,
  StreamableFile,
  type Type,
  VersioningType,
  applyDecorators,
} from '@nestjs/common';
import { APP_INTERCEPTOR, ApplicationConfig, REQUEST } from '@nestjs/core';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { EMPTY, map, of, throwError } from 'rxjs';
import { CachePage, InvalidDecorationError, NeverCache } from 'nestjs-caching';
import { CacheRegistry } from '../../libs/caching/src/cache/cache-registry.js';
import { PageCacheInterceptor } from '../../libs/caching/src/page/page-cache.interceptor.js';
import { gate as newGate } from '../support/gate.js';
import { type AnyReply, type AnyRequest, setsEarly, usePages } from '../support/page-app.js';
import { PLATFORMS } from '../support/test-app.js';
import { useViews } from '../support/views.js';
import { visit, visitStored } from '../support/visit.js';

/**
 * The traps of Nest, by their numbers. Proven elsewhere, by rows of rules-*.spec.ts and by attacks-*.spec.ts: 1 (attack 13),
 * 4 and 5 (row 42), 11 (attack 51), 15 (attack 16), 17 (rows 15 and 17), 18 (row 57), 20 (rows 2, 8, 9 and 60), 22 (row 52),
 * 23 (rows 48 and 49), 25 (rows 21 and 50), 26 (row 58), 30 (attacks 19 and 21); 36 to 38 with the real packages in
 * access-tracking.stacks.spec.ts.
 */
describe.each(PLATFORMS)('the traps of Nest on %s', (platform) => {
  const pages = usePages(platform);
  const count = (): number => (pages.runs += 1);
  const twice = async (path: string, headers: Record<string, string> = {}) => [
    await pages.ask(path, headers),
    await pages.ask(path, headers),
  ];
  const textsOf = async (path: string) => (await twice(path)).map(({ text }) => text);

  it('2: a hit needs no pipe, since only what passed them was stored; spellings are pages of their own', async () => {
    @Controller()
    class PipedController {
      @Get('piped/:id') @CachePage('60s') piped(@Param('id', ParseIntPipe) id: number): string {
        return `${id} ${count()}`;
      }
    }
    await pages.start(PipedController);
    expect([await textsOf('/piped/1'), await textsOf('/piped/01')]).toEqual([
      ['1 1', '1 1'],
      ['1 2', '1 2'],
    ]);
    expect((await twice('/piped/x')).map(({ status }) => status)).toEqual([400, 400]);
    expect(pages.runs).toBe(2);
  });

  it('3: a hit overwrites what @Header and @HttpCode have put on the response', async () => {
    @Controller()
    class HeadedController {
      @Get('headed') @Header('x-static', 'declared') @HttpCode(202) @CachePage('60s') headed(
        @Res({ passthrough: true }) reply: AnyReply,
      ): string {
        reply.header('x-static', 'by the handler').status(200);
        return `run ${count()}`;
      }
    }
    await pages.start(HeadedController);
    for (const { status, text, headers } of await twice('/headed'))
      expect([status, text, headers.get('x-static')]).toEqual([200, 'run 1', 'by the handler']);
  });

  it('6: a handler that answers by itself is stored as it answers', async () => {
    @Controller()
    class DirectController {
      @Get('direct') @CachePage('60s') direct(@Res() reply: AnyReply): void {
        reply.header('x-direct', '1').status(200).send({ run: count() });
      }
    }
    await pages.start(DirectController);
    for (const { text, headers } of await twice('/direct'))
      expect([text, headers.get('x-direct')]).toEqual(['{"run":1}', '1']);
  });

  it('7 and 8: rendered HTML and resolved redirects are stored as they went out', async () => {
    @Controller()
    class ViewController {
      @Get('view') @Render('page.hbs') @CachePage('60s') view(): object {
        return { run: count() };
      }
      @Get('moved') @Redirect('/nowhere', 301) @CachePage('60s', { statuses: [301, 308] }) moved(): object {
        return { url: `/to/${count()}`, statusCode: 308 };
      }
      @Get('found') @Redirect('/nowhere', 302) @CachePage('60s') found(): object {
        return { url: `/to/${count()}` };
      }
    }
    await pages.start(ViewController, { configure: (app) => useViews(app as never, platform) });
    const [html, again] = await twice('/view');
    expect(again?.text).toBe(html?.text);
    expect(again?.headers.get('content-type')).toBe(html?.headers.get('content-type'));
    const moved = await twice('/moved');
    expect(moved.map(({ status, headers }) => [status, headers.get('location')])).toEqual([
      [308, '/to/2'],
      [308, '/to/2'],
    ]);
    expect((await twice('/found')).map(({ headers }) => headers.get('location'))).toEqual(['/to/3', '/to/4']);
  });

  it('9 and 10: files, streams, iterables and web bodies are used up once and replayed as bytes', async () => {
    @Controller()
    @CachePage('60s')
    class StreamsController {
      @Get('file') file(): StreamableFile {
        return new StreamableFile(Buffer.from(`run ${count()}`), {
          type: 'text/csv',
          disposition: 'inline',
          length: 5,
        });
      }
      @Get('readable') readable(): StreamableFile {
        return new StreamableFile(Readable.from([`run `, String(count())].map((text) => Buffer.from(text))));
      }
      @Get('response') response(): Response {
        return new Response(`run ${count()}`, { headers: { 'content-type': 'text/x-own', 'x-own': '1' } });
      }
      @Get('web') web(): ReadableStream {
        return new Blob([`run ${count()}`]).stream();
      }
      @Get('iterable') async *iterable(): AsyncGenerator<string> {
        yield 'run ';
        await Promise.resolve();
        yield String(count());
      }
      @Get('of-bytes') ofBytes(): AsyncIterable<Uint8Array> {
        const run = count();
        return {
          async *[Symbol.asyncIterator]() {
            yield Buffer.from('run ');
            yield Buffer.from(String(run));
          },
        };
      }
    }
    await pages.start(StreamsController);
    for (const path of ['/file', '/readable', '/response', '/web', '/iterable', '/of-bytes']) {
      const [first, second] = await twice(path);
      expect([path, second?.status, second?.text]).toEqual([path, first?.status, `run ${pages.runs}`]);
      expect(second?.body.equals(first?.body ?? Buffer.alloc(0))).toBe(true);
      for (const name of ['content-type', 'content-disposition', 'x-own'])
        expect([path, name, second?.headers.get(name)]).toEqual([path, name, first?.headers.get(name)]);
    }
    expect(pages.runs).toBe(6);
  });

  it('10: an iterable that fails on its way is not stored', async () => {
    @Controller()
    class BrokenController {
      @Get('broken') @CachePage('60s') async *broken(): AsyncGenerator<string> {
        yield `run ${count()}`;
        if (pages.runs === 1) throw new Error('broken off');
      }
    }
    await pages.start(BrokenController);
    await pages.ask('/broken').catch(() => undefined);
    expect(await textsOf('/broken')).toEqual(['run 2', 'run 2']);
  });

  it('12: of an Observable the last value counts, and nothing where it fails or stays empty', async () => {
    @Controller()
    @CachePage('60s')
    class ObservableController {
      @Get('several') several(): unknown {
        count();
        return of('one', 'two', `last ${pages.runs}`);
      }
      @Get('failing') failing(): unknown {
        count();
        return throwError(() => new BadRequestException());
      }
      @Get('empty') empty(): unknown {
        count();
        return EMPTY;
      }
    }
    await pages.start(ObservableController);
    expect(await textsOf('/several')).toEqual(['last 1', 'last 1']);
    await twice('/failing');
    expect(pages.runs).toBe(3);
    await twice('/empty');
    expect(pages.runs).toBe(5);
  });

  it.each([
    ['a Buffer', () => Buffer.from([0, 200, 255])],
    ['a Date', () => ({ at: new Date(0) })],
    ['a Map', () => new Map([['a', 1]])],
    ['null', () => ({ nothing: null, absent: undefined })],
    ['a number', () => 5],
    ['text of a charset', () => 'é €'],
  ])('13, 14 and 24: %s comes back as the platform sent it, to the byte', async (_what, value) => {
    @Controller()
    class ValueController {
      @Get('value') @CachePage('60s') value(): unknown {
        count();
        return value();
      }
      @Get('plain') plain(): unknown {
        return value();
      }
    }
    await pages.start(ValueController);
    const [plain, first, second] = [await pages.ask('/plain'), ...(await twice('/value'))];
    for (const answer of [first, second]) {
      expect(answer?.body.equals(plain.body)).toBe(true);
      expect(answer?.headers.get('content-type')).toBe(plain.headers.get('content-type'));
    }
    expect(pages.runs).toBe(1);
  });

  it('16: what interceptors inside add is frozen with the page; a hit runs none of them', async () => {
    let stamps = 0;
    @Injectable()
    class Stamp implements NestInterceptor {
      intercept(_context: ExecutionContext, next: CallHandler) {
        return next.handle().pipe(map((data: unknown) => ({ data, stamp: (stamps += 1) })));
      }
    }
    await pages.start(pages.controller('60s'), {
      providers: [{ provide: APP_INTERCEPTOR, useClass: Stamp }],
    });
    expect(await textsOf('/p/1')).toEqual(Array(2).fill('{"data":"run 1","stamp":1}'));
  });

  it('19: the Origin and Accept-Encoding of middleware make no variants, its Accept-Language does', async () => {
    await pages.start(pages.controller('60s'), {
      configure: setsEarly(platform, () => [['vary', 'Origin, Accept-Encoding, Accept-Language']]),
    });
    const of = (headers: Record<string, string>) => pages.raw('/p/1', headers).then(({ text }) => text);
    expect(await of({ 'accept-language': 'de' })).toBe('run 1');
    expect(await of({ 'accept-language': 'de', origin: 'https://a.example', 'accept-encoding': 'br' })).toBe(
      'run 1',
    );
    expect(await of({ 'accept-language': 'en' })).toBe('run 2');
  });

  it('21: the 304 and the coding of the one who filled the cache are not those of the next', async () => {
    await pages.start(pages.controller('60s'));
    const etag = (await pages.raw('/p/1')).headers.etag ?? '';
    pages.runs = 0;
    await pages.close();
    await pages.start(pages.controller('60s'));
    expect((await pages.raw('/p/1', { 'if-none-match': etag })).status).toBe(304);
    const next = await pages.raw('/p/1');
    expect([next.status, next.text]).toEqual([200, 'run 1']);
  });

  it('27 and 28: prefixes and versions in the path count as the client sent them', async () => {
    @Controller({ path: 'v', version: ['1', '2'] })
    class VersionedController {
      @Get() @CachePage('60s') get(@Req() { originalUrl }: AnyRequest): string {
        return `${originalUrl} ${count()}`;
      }
    }
    await pages.start(VersionedController, {
      configure: (app) => {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI });
      },
    });
    for (let round = 0; round < 2; round += 1)
      expect([await pages.text('/api/v1/v'), await pages.text('/api/v2/v')]).toEqual([
        '/api/v1/v 1',
        '/api/v2/v 2',
      ]);
  });

  it('27: controllers of several hosts have pages of their own, and so has each host of a pattern', async () => {
    @Controller({ host: 'admin.example', path: 'h' })
    class AdminController {
      @Get() @CachePage('60s') get(): string {
        return `admin ${count()}`;
      }
    }
    @Controller({ host: ':tenant.shop.example', path: 'h' })
    class TenantController {
      @Get() @CachePage('60s') get(@HostParam('tenant') tenant: string): string {
        return `${tenant} ${count()}`;
      }
    }
    // Fastify routes by the path alone, and takes each only once.
    const isByHost = platform === 'express';
    await pages.start(isByHost ? [AdminController, TenantController] : TenantController);
    const of = async (host: string) => {
      const { status, text } = await pages.raw('/h', { host });
      return status === 200 ? text : status;
    };
    for (let round = 0; round < 2; round += 1)
      expect([
        await of('admin.example'),
        await of('acme.shop.example'),
        await of('farm.shop.example'),
        await of('other.example'),
      ]).toEqual(isByHost ? ['admin 1', 'acme 2', 'farm 3', 404] : [404, 'acme 1', 'farm 2', 404]);
  });

  it('29: case and trailing slashes are never folded in keys', async () => {
    await pages.start(pages.controller('60s'));
    pages.handle = ({ originalUrl }) => originalUrl;
    for (const path of ['/p/a', '/p/A', '/P/a', '/p/a/', '/p/%61']) {
      const { status, text } = await pages.raw(path);
      if (status === 200) expect(text).toBe(path);
    }
  });

  it.each(['ws', 'rpc', 'graphql'])('31: a context of type %s passes through untouched', async (type) => {
    await pages.start(pages.controller('60s'));
    const [interceptor] = pages.app.app.get(ApplicationConfig).getGlobalInterceptors();
    expect(interceptor).toBeInstanceOf(PageCacheInterceptor);
    const handled = of('untouched');
    const context = new Proxy({} as ExecutionContext, {
      get: (_target, name) => {
        if (name === 'getType') return () => type;
        throw new Error(`It has read ${String(name)}.`);
      },
    });
    expect(interceptor?.intercept(context, { handle: () => handled })).toBe(handled);
  });

  it('32: a route whose providers are made for each request is not stored, unless it says what it depends on', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Greeting {
      static readonly inject = [REQUEST];
      readonly text = 'hello';
    }
    @Controller()
    class ScopedController {
      constructor(readonly greeting: Greeting) {}
      @Get('scoped') @CachePage('60s') scoped(): string {
        return `${this.greeting.text} ${count()}`;
      }
    }
    await pages.start(ScopedController as Type, { providers: [Greeting] });
    expect(await textsOf('/scoped')).toEqual(['hello 1', 'hello 2']);
  });

  it('33: who waits for a run does not suffer when the client of that run leaves', async () => {
    await pages.start(pages.controller('60s'));
    const [begun, gate] = [newGate(), newGate()];
    pages.handle = async (_request, _reply, run) => {
      begun.open();
      await gate.opened;
      return `run ${run}`;
    };
    const leader = httpRequest(`${pages.app.url}/p/1`).on('error', () => undefined);
    leader.end();
    await begun.opened;
    const waiting = [pages.text(), pages.text()];
    await pages.text('/nowhere');
    leader.destroy();
    gate.open();
    const texts = await Promise.all(waiting);
    expect(texts.every((text) => /^run \d$/.test(text))).toBe(true);
    expect([await pages.text(), pages.runs <= 3]).toEqual([texts[0], true]);
  });

  it('34: the decorator works on classes, heirs, @All and in composed decorators, and the method wins', async () => {
    const Cached = () => applyDecorators(Get('composed'), CachePage('60s'));
    @CachePage('60s')
    class Base {
      @Get('inherited') inherited(): string {
        return `run ${count()}`;
      }
    }
    @Controller('heir')
    class HeirController extends Base {
      @All('all') @CachePage('60s') all(): string {
        return `run ${count()}`;
      }
      @Get('own') @CachePage('1s') own(): string {
        return `run ${count()}`;
      }
      @Cached() composed(): string {
        return `run ${count()}`;
      }
      @Post('posted') posted(): string {
        return `run ${count()}`;
      }
    }
    await pages.start(HeirController);
    expect(await textsOf('/heir/inherited')).toEqual(['run 1', 'run 1']);
    expect(await textsOf('/heir/all')).toEqual(['run 2', 'run 2']);
    expect(await textsOf('/heir/composed')).toEqual(['run 3', 'run 3']);
    expect(await textsOf('/heir/own')).toEqual(['run 4', 'run 4']);
    pages.clock.advance(1000);
    expect(await pages.text('/heir/own')).toBe('run 5');
    expect(await pages.text('/heir/inherited')).toBe('run 1');
    expect((await pages.ask('/heir/posted', {}, 'POST')).text).toBe('run 6');
  });

  it.each([
    ['@Post', Post()],
    ['@Head', Head()],
  ])(
    '34: the decorator on a method with %s is refused at the start, with what to do',
    async (_name, method) => {
      @Controller()
      class ChangesController {
        @method @CachePage('60s') change(): string {
          return 'changed';
        }
      }
      await expect(pages.start(ChangesController)).rejects.toThrow(InvalidDecorationError);
      await expect(pages.start(ChangesController)).rejects.toThrow(
        '@CachePage on ChangesController.change: the route answers no GET',
      );
    },
  );

  it('35: nothing is cached that does not say so, and @NeverCache always wins', async () => {
    @Controller()
    class MixedController {
      @Get('silent') silent(): string {
        return `run ${count()}`;
      }
      @Get('cached') @CachePage('60s') cached(): string {
        return 'cached';
      }
    }
    @Controller('class')
    @CachePage('60s')
    class NeverController {
      @Get('never') @NeverCache() never(): string {
        return `run ${count()}`;
      }
      @Get('both') @CachePage('60s') @NeverCache() both(): string {
        return `run ${count()}`;
      }
    }
    await pages.start([MixedController, NeverController]);
    for (const path of ['/silent', '/class/never', '/class/both']) {
      const [one, other] = await textsOf(path);
      expect([path, other]).not.toEqual([path, one]);
    }
    await pages.start([MixedController, NeverController], { caching: { pages: { site: '60s' } } });
    for (const path of ['/class/never', '/class/both']) {
      const [one, other] = await textsOf(path);
      expect([path, other]).not.toEqual([path, one]);
    }
  });

  describe('39: closing the application', () => {
    let directory: string;
    beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'nestjs-caching-traps-'))));
    afterEach(() => rm(directory, { recursive: true, force: true }));

    /** A page that is being refreshed by a handler that hangs, and the application that is being closed meanwhile. */
    const closeWhileRefreshing = async () => {
      const [begun, finish, closing] = [newGate(), newGate(), newGate()];
      const controller = pages.controller('60s', { staleWhileRevalidate: '1h' });
      const caching = { backend: 'file', directory, closeDeadline: '10s' } as const;
      await pages.start(controller, { caching });
      await visitStored(pages.app.url, '/p/1');
      pages.clock.advance(61_000);
      pages.handle = async (_request, _reply, run) => {
        begun.open();
        await finish.opened;
        return `run ${run}`;
      };
      expect((await visit(pages.app.url, '/p/1')).text).toBe('run 1');
      await begun.opened;
      const registry = pages.app.app.get(CacheRegistry);
      const close = registry.close.bind(registry);
      registry.close = async () => {
        const closed = close();
        closing.open();
        await closed;
      };
      let isClosed = false;
      const closed = pages.close().then(() => void (isClosed = true));
      await closing.opened;
      // Time enough for whoever does not wait.
      for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
      expect(isClosed).toBe(false);
      return { finish, closed, restart: () => pages.start(controller, { caching }) };
    };

    it('waits for a refresh that is under way, whose page is stored', async () => {
      const { finish, closed, restart } = await closeWhileRefreshing();
      finish.open();
      await closed;
      await restart();
      expect([(await visit(pages.app.url, '/p/1')).text, pages.runs]).toEqual(['run 2', 2]);
    });

    it('waits no longer than the deadline for a refresh that hangs, and the stale page stays', async () => {
      const { finish, closed, restart } = await closeWhileRefreshing();
      pages.clock.advance(10_000);
      await closed;
      finish.open();
      await restart();
      pages.handle = (_request, _reply, run) => `run ${run}`;
      expect((await visit(pages.app.url, '/p/1')).text).toBe('run 1');
    });
  });

  it('40: no socket is needed: what inject sends is stored and answered', async () => {
    await pages.start(pages.controller('60s'));
    const { inject } = await import('light-my-request');
    // Handed Express itself, it makes the prototypes of Express its own.
    const [listener] = pages.app.app.getHttpServer().listeners('request');
    const ask = async () => (await inject(listener, { method: 'GET', url: '/p/1' })).payload;
    expect([await ask(), await ask()]).toEqual(['run 1', 'run 1']);
  });
});
