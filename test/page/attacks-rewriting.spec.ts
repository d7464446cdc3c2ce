import { describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Put,
  Query,
  Req,
  UseInterceptors,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { CachePage, CachingModule, VaryOnCookie } from 'nestjs-caching';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { Observable } from 'rxjs';
import { type AnyRequest, setsEarly, usePages } from '../support/page-app.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

type Next = () => void;
type Rewritten = Record<string, unknown>;

describe.each(PLATFORMS)('what handlers and middleware rewrite, on %s', (platform) => {
  const pages = usePages(platform);

  it('shows a handler no parameter that does not count, wherever it stands', async () => {
    @Controller()
    class ListController {
      @Get('list')
      @CachePage('1m', { query: { ignore: ['utm_*'] } })
      list(@Query() query: unknown, @Req() request: Rewritten): unknown {
        const raw = (request['raw'] ?? request) as Rewritten;
        const parsed = [request, raw].map(
          (each) => (each['_parsedUrl'] as Rewritten | undefined)?.['search'],
        );
        return { query, parsed, urls: [request['originalUrl'], raw['originalUrl'], raw['url']] };
      }
    }
    // On Express 5 the usual way to have a query that may be written to.
    const ownQuery = (app: INestApplication): unknown =>
      app.use((request: Rewritten, _response: unknown, next: Next) => {
        const value = { ...(request['query'] as object) };
        if (platform === 'express')
          Object.defineProperty(request, 'query', {
            value,
            writable: true,
            configurable: true,
            enumerable: true,
          });
        next();
      });
    await pages.start(ListController, { configure: ownQuery });
    expect(await pages.text('/list?a=1&utm_source=evil')).not.toContain('evil');
    expect(await pages.text('/list?a=1')).toContain('"query":{"a":"1"}');
  });

  it('keeps a page under what the client sent, though the handler takes it away', async () => {
    await pages.start(pages.controller('1m'));
    pages.handle = ({ headers }) => {
      const tenant = headers['x-tenant'];
      delete headers['x-tenant'];
      return `tenant ${tenant}`;
    };
    expect(await pages.text('/p/1', { 'x-tenant': 'evil' })).toBe('tenant evil');
    expect(await pages.text()).toBe('tenant undefined');
  });

  it('keeps a page under what the client sent, though an interceptor takes it away', async () => {
    const take = {
      intercept(context: ExecutionContext, next: CallHandler) {
        const request = context.switchToHttp().getRequest<AnyRequest & { tenant?: string | undefined }>();
        request.tenant = request.headers['x-tenant'];
        delete request.headers['x-tenant'];
        return next.handle();
      },
    };
    @Controller()
    class TenantController {
      @Get() @UseInterceptors(take) @CachePage('1m') read(@Req() { tenant }: { tenant?: string }): string {
        return `tenant ${tenant}`;
      }
    }
    await pages.start(TenantController);
    expect(await pages.text('/', { 'x-tenant': 'evil' })).toBe('tenant evil');
    expect(await pages.text('/')).toBe('tenant undefined');
  });

  it('shows a cookie that is in the key as the key has it, however it was spelled', async () => {
    @Controller()
    class ThemeController {
      @Get() @CachePage('1m') @VaryOnCookie('theme') read(@Req() { headers }: AnyRequest): string {
        return `cookie ${headers['cookie']}`;
      }
    }
    await pages.start(ThemeController);
    for (const [cookie, shown] of [
      ['theme;theme', undefined],
      ['', undefined],
      ['a=1;theme =dark; b=2', 'theme=dark'],
      ['theme=dark', 'theme=dark'],
    ] as const)
      expect(await pages.text('/', { cookie })).toBe(`cookie ${shown}`);
  });

  it('gives each hit lists of headers of its own', async () => {
    const user = (request: IncomingMessage) => `</${String(request.headers['x-user'])}>`;
    await pages.start(pages.controller('1m'), {
      configure: (app) => {
        if (platform === 'express')
          app.use((request: IncomingMessage, response: ServerResponse, next: Next) => {
            const { writeHead } = response;
            response.writeHead = function (this: ServerResponse, ...given: unknown[]) {
              this.appendHeader('link', user(request));
              return Reflect.apply(writeHead, this, given) as ServerResponse;
            };
            next();
          });
        else
          app
            .getHttpAdapter()
            .getInstance()
            .addHook(
              'onSend',
              async (request: IncomingMessage, reply: { getHeader(name: string): string[] }) => {
                reply.getHeader('link').push(user(request));
              },
            );
      },
    });
    pages.handle = (_request, reply) => reply.header('link', ['</a>', '</b>']) && 'page';
    const links = [];
    for (const each of ['1', '2', '3'])
      links.push((await pages.raw('/p/1', { 'x-user': each })).headers.link);
    expect(links).toEqual(['1', '2', '3'].map((each) => `</a>, </b>, </${each}>`));
  });

  it('takes away on a hit what the handler took away', async () => {
    await pages.start(pages.controller('1m'), {
      configure: setsEarly(platform, () => [['x-frame-options', 'DENY']]),
    });
    pages.handle = (_request, reply) => {
      (reply as unknown as { removeHeader(name: string): void }).removeHeader('x-frame-options');
      return 'embed me';
    };
    const answers = [await pages.ask(), await pages.ask()];
    expect(answers.map(({ headers }) => headers.get('x-frame-options'))).toEqual([null, null]);
    expect(answers[1]?.headers.get('age')).toBe('0');
  });

  it('says what a page depends on also where it goes past the cache', async () => {
    const user = ({ headers }: AnyRequest) => headers['x-user'];
    await pages.start(pages.controller('1m', { vary: ['Accept-Language'], clientTtl: 0, user }));
    const ada = { 'x-user': 'ada' };
    for (const answer of [
      await pages.ask('/p/1', ada),
      await pages.ask('/p/2', { ...ada, range: 'bytes=0-' }),
      await pages.ask('/p/3', ada, 'HEAD'),
    ])
      expect([answer.headers.get('vary'), answer.headers.get('cache-control')]).toEqual([
        'Accept-Language',
        'private, max-age=0',
      ]);
  });

  it('tells tags that are no text in any encoding', async () => {
    const tags = () => ['x\ud800'];
    await pages.start(pages.controller('1m', { tags }), {
      caching: { pages: { tagHeader: 'Surrogate-Key' } },
    });
    const { status, headers } = await pages.ask();
    expect([status, headers.get('surrogate-key')]).toEqual([200, 'x%EF%BF%BD']);
  });

  it('forgets the pages of a change whose client has left before an Observable was through', async () => {
    const gone = signal();
    const begun = signal();
    let stock = 'old';
    @Controller('stock')
    class StockController {
      @Get() @CachePage('1h') read(): string {
        return stock;
      }
      @Put() write(): Observable<string> {
        return new Observable(() => {
          stock = 'new';
          begun.give();
          return gone.give;
        });
      }
    }
    await pages.start(StockController);
    expect(await pages.text('/stock')).toBe('old');
    const client = new AbortController();
    const sent = fetch(`${pages.app.url}/stock`, { method: 'PUT', signal: client.signal }).catch(
      () => 'gone',
    );
    await begun.given;
    client.abort();
    await Promise.all([sent, gone.given]);
    expect(await pages.text('/stock')).toBe('new');
  });
});

it('goes by the scheme and host of the key over HTTP/2, not by what a client says beside them', async () => {
  @Controller()
  class WhereController {
    @Get() @CachePage('1h') where(@Req() { headers }: AnyRequest): string {
      return `${headers[':scheme']}://${headers[':authority']}`;
    }
  }
  const metadata = { imports: [CachingModule.forRoot()], controllers: [WhereController] };
  const app = await startApp(
    'fastify',
    metadata,
    undefined,
    undefined,
    new FastifyAdapter({ http2: true } as never),
  );
  const session = connect(app.url);
  const ask = (headers: Record<string, string>): Promise<string> =>
    text(session.request({ ':path': '/', ...headers }));
  expect(await ask({ ':authority': 'evil.example', host: 'good.example', ':scheme': 'ftp' })).toContain(
    'evil',
  );
  expect(await ask({ ':authority': 'good.example', ':scheme': 'http' })).toBe('http://good.example');
  session.close();
  await app.close();
});

/** Something to wait for, and what gives it. */
function signal(): { readonly given: Promise<void>; readonly give: Next } {
  let give: Next = () => undefined;
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give: () => give() };
}
