import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  type CanActivate,
  ClassSerializerInterceptor,
  Controller,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Header,
  HttpCode,
  type INestApplication,
  Injectable,
  type NestInterceptor,
  NotFoundException,
  Post,
  Query,
  Redirect,
  Render,
  Req,
  Res,
  StreamableFile,
  UseGuards,
} from '@nestjs/common';
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import fastifyCompress from '@fastify/compress';
import fastifyHelmet from '@fastify/helmet';
import { Exclude } from 'class-transformer';
import compression from 'compression';
import helmet from 'helmet';
import { Readable } from 'node:stream';
import { map, tap } from 'rxjs';
import { CachePage, CachingModule } from 'nestjs-caching';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';
import { useViews } from '../support/views.js';

let runs: Record<string, number> = {};
let isAllowed = true;
const count = (name: string): number => (runs[name] = (runs[name] ?? 0) + 1);

class User {
  readonly name: string;
  @Exclude() readonly password = 'secret';
  constructor(name: string) {
    this.name = name;
  }
}

@Injectable()
class Gate implements CanActivate {
  canActivate(): boolean {
    if (!isAllowed) throw new ForbiddenException();
    return true;
  }
}

interface Reply {
  header(name: string, value: string): Reply;
  status(code: number): Reply;
  send(body: unknown): unknown;
}

@Controller('pages')
@CachePage('1m')
class PagesController {
  @Get('json') json(): object {
    return { run: count('json') };
  }
  @Get('text') text(): string {
    return `run ${count('text')}`;
  }
  @Get('query') query(@Query() query: object): object {
    return { query, run: count('query') };
  }
  @Get('user') user(): User {
    return new User(`user ${count('user')}`);
  }
  @Get('coded') @HttpCode(203) @CachePage('1m', { statuses: [203] }) coded(): string {
    return `run ${count('coded')}`;
  }
  @Get('created') @HttpCode(201) created(): string {
    return `run ${count('created')}`;
  }
  @Get('headed') @Header('x-static', 'yes') headed(@Res({ passthrough: true }) reply: Reply): string {
    reply.header('x-run', String(count('headed')));
    reply.header('content-type', 'text/csv; charset=utf-8');
    return 'a,b';
  }
  @Get('moved') @Redirect('/pages/json', 301) @CachePage('1m', { statuses: [301] }) moved(): object {
    return { url: `/pages/json?run=${count('moved')}` };
  }
  @Get('direct') direct(@Res() reply: Reply): void {
    reply
      .header('x-direct', '1')
      .status(200)
      .send(`direct ${count('direct')}`);
  }
  @Get('view') @Render('page.hbs') view(): object {
    return { run: count('view') };
  }
  @Get('file') file(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.from([0, 255]), Buffer.from(`run ${count('file')}`)]), {
      type: 'application/x-test',
    });
  }
  @Get('large') large(): StreamableFile {
    return new StreamableFile(Buffer.alloc(200_000, count('large')));
  }
  @Get('gone') gone(): never {
    count('gone');
    throw new NotFoundException();
  }
  @Get('no-store') noStore(@Res({ passthrough: true }) reply: Reply): string {
    reply.header('cache-control', 'No-Store');
    return `run ${count('no-store')}`;
  }
  @Get('private') isPrivate(@Res({ passthrough: true }) reply: Reply): string {
    reply.header('cache-control', 'private="a');
    return `run ${count('private')}`;
  }
  @Get('cookie') cookie(@Res({ passthrough: true }) reply: Reply): string {
    reply.header('set-cookie', `sid=${count('cookie')}`);
    return 'cookie';
  }
  @Get('varied') varied(@Res({ passthrough: true }) reply: Reply): string {
    reply.header('vary', 'X-Tenant');
    return `run ${count('varied')}`;
  }
  @Get('me') me(@Req() request: { headers: Record<string, string> }): string {
    return `${request.headers['authorization'] ?? 'nobody'} ${count('me')}`;
  }
  @Get('guarded') @UseGuards(Gate) guarded(): string {
    return `run ${count('guarded')}`;
  }
  @Get('slow') async slow(): Promise<string> {
    const run = count('slow');
    await new Promise((resolve) => setTimeout(resolve, 50));
    return `run ${run}`;
  }
  @Post('json') change(): string {
    return `run ${count('change')}`;
  }
}

@Controller('plain')
class PlainController {
  @Get() plain(): string {
    return `run ${count('plain')}`;
  }
}

@Injectable()
class Envelope implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): ReturnType<NestInterceptor['intercept']> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

let interceptorRuns = 0;
@Injectable()
class Logging implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): ReturnType<NestInterceptor['intercept']> {
    return next.handle().pipe(tap(() => (interceptorRuns += 1)));
  }
}

describe.each(PLATFORMS)('@CachePage on %s', (platform) => {
  let app: TestApp;

  const start = (
    providers: object[] = [],
    configure: (nest: INestApplication) => unknown = () => undefined,
  ) =>
    startApp(
      platform,
      {
        imports: [CachingModule.forRoot({ pages: { maxBodySize: 100_000 } })],
        controllers: [PagesController, PlainController],
        providers: providers as never,
      },
      async (nest) => {
        await useViews(nest, platform);
        await configure(nest);
      },
    );

  beforeEach(() => {
    runs = {};
    isAllowed = true;
    interceptorRuns = 0;
  });
  afterEach(() => app.close());

  it.each(['json', 'text', 'coded', 'headed', 'moved', 'direct', 'view', 'file', 'user', 'query?a=1'])(
    'answers /pages/%s from the cache as it was: status, headers and bytes',
    async (path) => {
      app = await start();
      const first = await app.fetch(`/pages/${path}`);
      const second = await app.fetch(`/pages/${path}`);
      expect(Object.values(runs)).toEqual([1]);
      expect(second.body.equals(first.body)).toBe(true);
      expect(second.status).toBe(first.status);
      for (const name of ['content-type', 'location', 'x-run', 'x-static', 'x-direct']) {
        expect([name, second.headers.get(name)]).toEqual([name, first.headers.get(name)]);
      }
      // A stream's first answer is on its way before its bytes are known.
      if (path !== 'file') expect(first.headers.get('etag')).toBe(second.headers.get('etag'));
      expect(second.headers.get('etag')).not.toBeNull();
      expect(first.headers.get('age')).toBeNull();
      expect(second.headers.get('age')).toMatch(/^\d+$/);
      expect(second.headers.get('content-length')).toBe(String(first.body.length));
    },
  );

  it.each(['created', 'gone', 'no-store', 'private', 'cookie', 'large'])(
    'does not store /pages/%s',
    async (path) => {
      app = await start();
      await app.fetch(`/pages/${path}`);
      const second = await app.fetch(`/pages/${path}`);
      expect(Object.values(runs)).toEqual([2]);
      expect(second.headers.get('age')).toBeNull();
    },
  );

  it('passes a body over the limit through unharmed', async () => {
    app = await start();
    const { body } = await app.fetch('/pages/large');
    expect(body.length).toBe(200_000);
  });

  it('leaves routes without the decorator alone', async () => {
    app = await start();
    await app.fetch('/plain');
    expect((await app.fetch('/plain')).text).toBe('run 2');
  });

  it('keeps the variants of a page side by side', async () => {
    app = await start();
    const ask = async (language?: string) =>
      (await app.fetch('/pages/varied', language === undefined ? {} : { headers: { 'x-tenant': language } }))
        .text;
    expect([await ask('en'), await ask('de'), await ask(), await ask('')]).toEqual([
      'run 1',
      'run 2',
      'run 3',
      'run 4',
    ]);
    expect([await ask('en'), await ask('de'), await ask(), await ask('')]).toEqual([
      'run 1',
      'run 2',
      'run 3',
      'run 4',
    ]);
  });

  it('keeps a request with Authorization out, both ways', async () => {
    app = await start();
    const asAlice = { headers: { authorization: 'alice' } };
    expect((await app.fetch('/pages/me', asAlice)).text).toBe('alice 1');
    expect((await app.fetch('/pages/me')).text).toBe('nobody 2');
    expect((await app.fetch('/pages/me', { headers: { authorization: 'bob' } })).text).toBe('bob 3');
    // Its handler reads who asks, and the route does not say so.
    expect((await app.fetch('/pages/me')).text).toBe('nobody 4');
  });

  it('keeps a request with a session cookie or a range out', async () => {
    app = await start();
    await app.fetch('/pages/text');
    expect((await app.fetch('/pages/text', { headers: { cookie: 'a=b; connect.sid=1' } })).text).toBe(
      'run 2',
    );
    await app.fetch('/pages/text', { headers: { range: 'bytes=0-1' } });
    expect(runs['text']).toBe(3);
  });

  it('runs guards on hits', async () => {
    app = await start();
    await app.fetch('/pages/guarded');
    isAllowed = false;
    expect((await app.fetch('/pages/guarded')).status).toBe(403);
  });

  it('tells queries apart, whatever their order, and hosts', async () => {
    app = await start();
    const one = await app.fetch('/pages/query?a=1&b=2');
    expect((await app.fetch('/pages/query?b=2&a=1')).text).toBe(one.text);
    expect((await app.fetch('/pages/query?a=2&b=2')).text).not.toBe(one.text);
    expect((await app.fetch('/pages/query?a=1&a=2')).text).not.toBe(
      (await app.fetch('/pages/query?a=2&a=1')).text,
    );
    const other = await rawGet(app.url, '/pages/query?a=1&b=2', 'other.example');
    expect(other).not.toContain(one.text);
  });

  it('answers HEAD from the stored GET and never stores it', async () => {
    app = await start();
    await app.fetch('/pages/text', { method: 'HEAD' });
    const get = await app.fetch('/pages/text');
    expect(get.text).toBe('run 2');
    const head = await app.fetch('/pages/text', { method: 'HEAD' });
    expect(runs['text']).toBe(2);
    expect(head.headers.get('content-length')).toBe(String(get.body.length));
    expect(head.body.length).toBe(0);
  });

  it('does not touch other methods', async () => {
    app = await start();
    await app.fetch('/pages/json', { method: 'POST' });
    expect((await app.fetch('/pages/json', { method: 'POST' })).text).toBe('run 2');
  });

  it.each(['cold', 'warm'])(
    'answers a matching If-None-Match with 304 when the cache is %s',
    async (state) => {
      app = await start();
      const { headers } = await app.fetch('/pages/json');
      const etag = headers.get('etag') ?? '';
      if (state === 'cold') {
        await app.close();
        runs = {};
        app = await start();
      }
      const conditional = await app.fetch('/pages/json', { headers: { 'if-none-match': `"x", ${etag}` } });
      expect(conditional.status).toBe(304);
      expect(conditional.headers.get('etag')).toBe(etag);
      expect((await app.fetch('/pages/json')).text).toBe('{"run":1}');
      expect((await app.fetch('/pages/json', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
      expect(runs['json']).toBe(1);
    },
  );

  it('runs the handler once for 50 cold requests at once', async () => {
    app = await start();
    const answers = await Promise.all(Array.from({ length: 50 }, () => app.fetch('/pages/slow')));
    expect(runs['slow']).toBe(1);
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['run 1']));
  });

  it('never hands a response that is not for others to those who waited', async () => {
    app = await start();
    const answers = await Promise.all(Array.from({ length: 5 }, () => app.fetch('/pages/cookie')));
    expect(runs['cookie']).toBe(5);
    expect(new Set(answers.map(({ headers }) => headers.get('set-cookie'))).size).toBe(5);
  });

  it('stays outside a serializer, an envelope and a logger, with helmet and compression at work on hits', async () => {
    const interceptors = [
      {
        provide: APP_INTERCEPTOR,
        useFactory: (reflector: Reflector) => new ClassSerializerInterceptor(reflector),
        inject: [Reflector],
      },
      { provide: APP_INTERCEPTOR, useClass: Envelope },
      { provide: APP_INTERCEPTOR, useClass: Logging },
    ];
    let sends = 0;
    app = await start(interceptors, async (nest) => {
      if (platform === 'express') {
        nest.use(helmet());
        nest.use(compression({ threshold: 0 }));
        return;
      }
      const fastify = nest as unknown as {
        register(plugin: unknown, options?: object): Promise<unknown>;
        getHttpAdapter(): {
          getInstance(): { addHook(name: string, hook: (...given: never[]) => Promise<unknown>): void };
        };
      };
      await fastify.register(fastifyHelmet);
      await fastify.register(fastifyCompress, { threshold: 0 });
      fastify
        .getHttpAdapter()
        .getInstance()
        .addHook('onSend', async (_request, _reply, payload: unknown) => {
          sends += 1;
          return payload;
        });
    });
    const first = await app.fetch('/pages/user', { headers: { 'accept-encoding': 'gzip' } });
    const second = await app.fetch('/pages/user', { headers: { 'accept-encoding': 'gzip' } });
    const plain = await app.fetch('/pages/user', { headers: { 'accept-encoding': 'identity' } });
    expect(first.text).toBe('{"data":{"name":"user 1"}}');
    expect([second.text, plain.text]).toEqual([first.text, first.text]);
    expect(second.headers.get('age')).not.toBeNull();
    expect([second.headers.get('content-encoding'), plain.headers.get('content-encoding')]).toEqual([
      'gzip',
      null,
    ]);
    expect(second.headers.get('content-security-policy')).not.toBeNull();
    expect(interceptorRuns).toBe(1);
    if (platform === 'fastify') expect(sends).toBe(3);
  });
});

/** A GET with a Host of its own, which fetch does not allow. */
async function rawGet(url: string, path: string, host: string): Promise<string> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const sent = request(url + path, { headers: { host } }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject).end();
  });
}
