import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Header,
  NotFoundException,
  Query,
  Redirect,
  Render,
  Req,
  Res,
  StreamableFile,
} from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import {
  CacheControl,
  CachePage,
  CachingModule,
  InvalidArgumentError,
  InvalidDecorationError,
  NeverCache,
  VaryOn,
  VaryOnCookie,
} from 'nestjs-caching';
import { declaredHeaders, declaredVariants } from '../../libs/caching/src/page/header-metadata.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

const NEVER = 'max-age=0, no-cache, no-store, must-revalidate, private';
let runs = 0;

interface Reply {
  header(name: string, value: string): Reply;
  status(code: number): Reply;
  send(body: unknown): unknown;
  readonly raw?: ServerResponse;
}
interface Request {
  readonly headers: Record<string, string | undefined>;
}

@Controller('plain')
class PlainController {
  @Get('never') @NeverCache() never(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('never-kept') @NeverCache() @Header('Expires', 'Thu, 01 Jan 2099 00:00:00 GMT') kept(
    @Res({ passthrough: true }) reply: Reply,
  ): string {
    reply.header('cache-control', 'public, max-age=600, s-maxage=600');
    return 'kept';
  }
  @Get('never-direct') @NeverCache() direct(@Res() reply: Reply): void {
    reply.header('cache-control', 'public').send('direct');
  }
  @Get('never-failed') @NeverCache() failed(): never {
    throw new NotFoundException();
  }
  @Get('json') @CacheControl({ public: true, maxAge: '1h' }) json(
    @Query('say') say: string,
    @Res({ passthrough: true }) reply: Reply,
  ): object {
    if (say !== undefined) reply.header('cache-control', say);
    return { run: (runs += 1) };
  }
  @Get('two') @CacheControl({ maxAge: '1h' }) @CacheControl({ immutable: true, maxAge: '2h' }) two(): string {
    return 'two';
  }
  @Get('failing')
  @CacheControl({ public: true, maxAge: '1h', noTransform: true })
  @VaryOn('Accept')
  failing(): never {
    throw new NotFoundException();
  }
  @Get('broken') @CacheControl({ public: true, maxAge: '1h' }) broken(): StreamableFile {
    return new StreamableFile(
      new Readable({
        read() {
          this.destroy(new Error('no file'));
        },
      }),
    );
  }
  @Get('stream') @CacheControl({ maxAge: '1h' }) @VaryOn('Accept') stream(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.from('a'), Buffer.from('b')]));
  }
  @Get('moved') @CacheControl({ maxAge: '1h' }) @Redirect('/plain/json', 301) moved(): void {}
  @Get('view') @CacheControl({ maxAge: '1h' }) @Render('none') view(): never {
    throw new NotFoundException();
  }
  @Get('varied') @VaryOn('Accept-Language', 'X-Tenant') @VaryOnCookie('theme') varied(
    @Res({ passthrough: true }) reply: Reply,
  ): string {
    reply.header('vary', 'Origin, accept-language');
    return 'varied';
  }
}

@Controller('class')
@CacheControl({ maxAge: '1h' })
@VaryOn('Accept')
class ClassController {
  @Get('own') @CacheControl({ noStore: true }) @VaryOn('X-A') own(): string {
    return 'own';
  }
  @Get() inherited(): string {
    return 'inherited';
  }
}

@Controller('derived')
@NeverCache()
class DerivedController extends ClassController {
  @Get('page') @CachePage('1m') page(): string {
    return `run ${(runs += 1)}`;
  }
}

@Controller('pages')
@CachePage('1m')
class PagesController {
  @Get('never') @NeverCache() never(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('public') @CacheControl({ public: true, maxAge: '1h' }) isPublic(
    @Query('say') say: string,
    @Res({ passthrough: true }) reply: Reply,
  ): string {
    if (say !== undefined) reply.header('cache-control', say);
    return `run ${(runs += 1)}`;
  }
  @Get('private') @CacheControl({ private: true }) isPrivate(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('language') @VaryOn('Accept-Language') language(@Req() request: Request): string {
    return String(request.headers['accept-language']);
  }
  @Get('theme') @VaryOnCookie('theme') theme(@Req() request: Request): string {
    return String(request.headers['cookie']);
  }
}

describe.each(PLATFORMS)('header decorators on %s', (platform) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp(
      platform,
      {
        imports: [CachingModule.forRoot()],
        controllers: [PlainController, ClassController, DerivedController, PagesController],
      },
      (nest) => nest.useLogger(false),
    );
  });
  afterAll(() => app.close());
  beforeEach(() => {
    runs = 0;
  });

  const field = async (path: string, name = 'cache-control'): Promise<string | null> =>
    (await app.fetch(path)).headers.get(name);

  it('197: @NeverCache sends the header set of never_cache, and Expires at this moment', async () => {
    const before = Math.floor(Date.now() / 1000) * 1000;
    const { headers, text } = await app.fetch('/plain/never');
    expect(headers.get('cache-control')).toBe(NEVER);
    const expires = Date.parse(headers.get('expires') ?? '');
    expect(expires >= before && expires <= Date.now()).toBe(true);
    expect(text).toBe('run 1');
  });

  it('198: @NeverCache keeps an Expires and overrides the Cache-Control of the handler', async () => {
    const { headers } = await app.fetch('/plain/never-kept');
    expect(headers.get('cache-control')).toBe(NEVER);
    expect(headers.get('expires')).toBe('Thu, 01 Jan 2099 00:00:00 GMT');
  });

  it.each(['never-direct', 'never-failed'])('@NeverCache holds for /plain/%s', async (path) => {
    expect(await field(`/plain/${path}`)).toBe(NEVER);
  });

  it('@CacheControl is merged with what the handler set', async () => {
    expect(await field('/plain/json')).toBe('public, max-age=3600');
    expect(await field('/plain/json?say=max-age%3D60,immutable')).toBe('max-age=60, immutable, public');
  });

  it('@CacheControl adds no public to a private of the handler', async () => {
    expect(await field('/plain/json?say=private')).toBe('private, max-age=3600');
  });

  it('several @CacheControl on one method add up', async () => {
    expect(await field('/plain/two')).toBe('immutable, max-age=3600');
  });

  it.each([
    ['/plain/stream', 200],
    ['/plain/moved', 301],
  ])('@CacheControl holds for %s', async (path, status) => {
    const answer = await app.fetch(path);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('cache-control')).toBe('max-age=3600');
  });

  it('an error gets Vary and what restricts, and nothing that lets anybody keep it', async () => {
    const { status, headers } = await app.fetch('/plain/failing');
    expect([status, headers.get('cache-control'), headers.get('vary')]).toEqual([
      404,
      'no-transform',
      'Accept',
    ]);
    expect(await field('/plain/view')).toBeNull();
  });

  it('a stream that fails before its first byte is an error like others', async () => {
    const { status, headers } = await app.fetch('/plain/broken');
    expect(status).toBeGreaterThanOrEqual(400);
    expect(headers.get('cache-control')).toBeNull();
  });

  it('188: @VaryOn and @VaryOnCookie append to the Vary of the response', async () => {
    expect(await field('/plain/varied', 'vary')).toBe('Origin, accept-language, X-Tenant, Cookie');
  });

  it("a method's own @CacheControl wins over its controller's, and names in Vary add up", async () => {
    const own = await app.fetch('/class/own');
    expect([own.headers.get('cache-control'), own.headers.get('vary')]).toEqual(['no-store', 'Accept, X-A']);
    expect(await field('/class')).toBe('max-age=3600');
  });

  it('@NeverCache on a controller wins over everything on its methods, inherited ones included', async () => {
    for (const path of ['/derived', '/derived/own', '/derived/page']) expect(await field(path)).toBe(NEVER);
    expect(await field('/derived', 'vary')).toBe('Accept');
    expect((await app.fetch('/derived/page')).text).toBe('run 2');
    expect(await field('/class')).toBe('max-age=3600');
  });

  it('35 (d): @NeverCache wins over @CachePage', async () => {
    expect((await app.fetch('/pages/never')).text).toBe('run 1');
    const second = await app.fetch('/pages/never');
    expect([second.text, second.headers.get('cache-control')]).toEqual(['run 2', NEVER]);
  });

  it('a hit of the page cache carries the same headers, written once', async () => {
    const first = await app.fetch('/pages/public');
    const second = await app.fetch('/pages/public');
    expect(second.headers.get('age')).not.toBeNull();
    expect(second.text).toBe('run 1');
    for (const { headers } of [first, second])
      expect(headers.get('cache-control')).toBe('public, max-age=3600');
  });

  it.each(['/pages/private', '/pages/public?say=private', '/pages/public?say=private=%22x'])(
    'what is private in the end is not stored: %s',
    async (path) => {
      await app.fetch(path);
      expect((await app.fetch(path)).text).toBe('run 2');
    },
  );

  it('pages that vary are never mixed up', async () => {
    for (const round of [1, 2]) {
      for (const language of ['en', 'de']) {
        const { text, headers } = await app.fetch('/pages/language', {
          headers: { 'accept-language': language },
        });
        expect([round, text, headers.get('vary')]).toEqual([round, language, 'Accept-Language']);
        const theme = await app.fetch('/pages/theme', { headers: { cookie: `theme=${language}` } });
        expect([theme.text, theme.headers.get('vary')]).toEqual([`theme=${language}`, 'Cookie']);
      }
    }
  });
});

describe('headers given to writeHead itself, on Express', () => {
  @Controller()
  class RawController {
    @Get('object') @NeverCache() object(@Res() response: ServerResponse): void {
      response.writeHead(201, { 'Cache-Control': 'public', 'X-A': ['1', '2'] }).end('raw');
    }
    @Get('list') @CacheControl({ private: true }) list(@Res() response: ServerResponse): void {
      response.setHeader('X-A', '0');
      response.writeHead(201, 'Made', ['Cache-Control', 'public', 'X-A', '1', 'X-A', '2']);
      response.write('r');
      response.end('aw');
    }
  }

  it('are patched like all others', async () => {
    const app = await startApp('express', { controllers: [RawController] });
    for (const [path, expected] of [
      ['/object', NEVER],
      ['/list', 'private'],
    ] as const) {
      const { status, headers, text } = await app.fetch(path);
      expect([status, text, headers.get('cache-control'), headers.get('x-a')]).toEqual([
        201,
        'raw',
        expected,
        '1, 2',
      ]);
    }
    await app.close();
  });
});

describe('header decorators', () => {
  it('refuse names that are none when they are applied', () => {
    for (const names of [[], ['*'], ['a b'], ['']])
      expect(() => VaryOn(...names)).toThrow(InvalidArgumentError);
    expect(() => VaryOnCookie('a=b')).toThrow(InvalidArgumentError);
    expect(() => CacheControl({ maxAge: 60 })).toThrow(InvalidArgumentError);
  });

  it('201: refuse what is neither a method nor a class', () => {
    expect(() => NeverCache()({}, 'field', undefined as never)).toThrow(InvalidDecorationError);
    const accessor = (): void => {
      class Wrong {
        @VaryOn('Accept') get field(): number {
          return 1;
        }
      }
      void Wrong;
    };
    expect(accessor).toThrow(InvalidDecorationError);
  });

  it('200: leave functions as they are', () => {
    const { json } = PlainController.prototype;
    expect(Object.getOwnPropertyDescriptor(PlainController.prototype, 'json')?.value).toBe(json);
    expect(json.constructor.name).toBe('Function');
  });

  it('tell what belongs into the key of a page', () => {
    const { varied } = PlainController.prototype;
    expect(declaredVariants(declaredHeaders(varied, PlainController))).toEqual({
      headers: ['accept-language', 'x-tenant'],
      cookies: ['theme'],
    });
    class Whole {
      @VaryOnCookie() @VaryOn('cookie') all(): void {}
    }
    expect(declaredVariants(declaredHeaders(Whole.prototype.all, Whole))).toEqual({
      headers: ['cookie'],
      cookies: [],
    });
  });
});
