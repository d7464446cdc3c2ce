import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Header,
  Injectable,
  Module,
  type NestInterceptor,
  Put,
  Query,
  Redirect,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { tap } from 'rxjs';
import {
  CacheControl,
  CachePage,
  CachingModule,
  Condition,
  type ConditionRequest,
  VaryOn,
} from 'nestjs-caching';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

const DATE = 'Mon, 23 Nov 2026 10:00:00 GMT';
const OLDER = 'Mon, 23 Nov 2026 09:59:59 GMT';
const NEWER = 'Mon, 23 Nov 2026 10:00:01 GMT';
const LAST_MODIFIED = new Date(Date.UTC(2026, 10, 23, 10) + 500);
const ETAG = '"v1"';

let runs = 0;
let failures = 0;
let questions = 0;
let logged = 0;

interface Reply {
  header(name: string, value: string): Reply;
  status(code: number): Reply;
  send(body?: unknown): unknown;
}

/** A reply's own log, where Fastify notes that something was sent twice. */
interface FastifyHooks {
  addHook(
    name: 'onRequest',
    hook: (request: unknown, reply: { log: object }, done: () => void) => void,
  ): void;
}

@Injectable()
class Revisions {
  of(id: string | undefined): string {
    return `${id}-v1`;
  }
}

@Module({ providers: [Revisions] })
class RevisionsModule {}

/** Counts what goes wrong in the handlers' own interceptors. */
@Injectable()
class Errors implements NestInterceptor {
  intercept(_context: ExecutionContext, next: CallHandler): ReturnType<NestInterceptor['intercept']> {
    return next.handle().pipe(tap({ error: () => (failures += 1) }));
  }
}

const both = { etag: () => 'v1', lastModified: () => Promise.resolve(LAST_MODIFIED) };

@Controller()
@UseInterceptors(Errors)
class ConditionController {
  @Get('both') @Condition(both) get(): object {
    return { run: (runs += 1) };
  }
  @Put('both') @Condition(both) put(): object {
    return { run: (runs += 1) };
  }
  @Get('tag') @Condition({ etag: () => ETAG }) tag(): string {
    return `run ${(runs += 1)}`;
  }
  @Put('tag') @Condition({ etag: () => ETAG }) putTag(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('date') @Condition({ lastModified: () => LAST_MODIFIED }) date(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('none') @Condition({ etag: () => undefined, lastModified: () => null }) none(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('weak') @Condition({ etag: () => 'W/"v1"' }) weak(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('own')
  @Condition(both)
  own(@Res({ passthrough: true }) reply: Reply): string {
    reply.header('etag', '"own"').header('last-modified', OLDER);
    return `run ${(runs += 1)}`;
  }
  @Get('answers') @Condition(both) answers(
    @Query('status') status: string,
    @Res({ passthrough: true }) reply: Reply,
  ): string {
    reply.status(Number(status));
    return `run ${(runs += 1)}`;
  }
  @Get('direct') @Condition(both) direct(@Res() reply: Reply): void {
    reply.send(`run ${(runs += 1)}`);
  }
  @Get('items/:id')
  @Condition({
    etag: ({ params, url }: ConditionRequest, providers) =>
      providers.get(Revisions).of(`${params['id']}${url.length}`),
  })
  item(): string {
    return `run ${(runs += 1)}`;
  }
  @VaryOn('Accept')
  @Get('described')
  @Condition(both)
  @CacheControl({ maxAge: '1m' })
  @Header('Content-Language', 'en')
  @Header('Content-Location', '/elsewhere')
  @Header('Expires', NEWER)
  @Header('Set-Cookie', 'a=b')
  described(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('wrong') @Condition({ etag: () => 'a "b" secret' }) wrong(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('undated') @Condition({ lastModified: () => new Date('never') }) undated(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('moved') @Redirect('/both', 301) @Condition(both) moved(): void {
    runs += 1;
  }
  @Get('page') @CachePage('1m') @Condition({ etag: () => ETAG }) page(): string {
    return `run ${(runs += 1)}`;
  }
}

@Controller('class')
@Condition({ etag: () => ETAG })
class ClassController {
  @Get() inherited(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('own') @Condition({ etag: () => `own${((questions += 1), '')}` }) own(): string {
    return `run ${(runs += 1)}`;
  }
}

describe.each(PLATFORMS)('@Condition on %s (django.md B20)', (platform) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp(
      platform,
      {
        imports: [CachingModule.forRoot(), RevisionsModule],
        controllers: [ConditionController, ClassController],
      },
      (nest) => {
        const noted = (): void => void (logged += 1);
        nest.useLogger({ log: () => undefined, warn: noted, error: noted });
        if (platform === 'express') return;
        const fastify = nest.getHttpAdapter().getInstance() as FastifyHooks;
        fastify.addHook('onRequest', (_request, reply, done) => {
          reply.log = Object.assign(Object.create(reply.log), { warn: noted });
          done();
        });
      },
    );
  });
  afterAll(() => app.close());
  beforeEach(() => {
    runs = 0;
    failures = 0;
    logged = 0;
  });

  const status = async (path: string, headers: Record<string, string>, method = 'GET'): Promise<number> =>
    (await app.fetch(path, { method, headers })).status;

  it('253: answers 200 with ETag and Last-Modified where nothing is asked', async () => {
    const { status: code, headers, text } = await app.fetch('/both');
    expect([code, text, headers.get('etag'), headers.get('last-modified')]).toEqual([
      200,
      '{"run":1}',
      ETAG,
      DATE,
    ]);
  });

  it('254: If-Modified-Since equal or newer is 304 with an empty body and no run of the handler; PUT is 200', async () => {
    for (const date of [DATE, NEWER]) {
      const answer = await app.fetch('/both', { headers: { 'if-modified-since': date } });
      expect([answer.status, answer.text, runs]).toEqual([304, '', 0]);
    }
    expect(await status('/both', { 'if-modified-since': OLDER })).toBe(200);
    expect(await status('/both', { 'if-modified-since': DATE }, 'PUT')).toBe(200);
  });

  it('256: If-Unmodified-Since equal, newer or invalid is 200, older is 412 without a run', async () => {
    for (const date of [DATE, NEWER, 'rubbish'])
      expect(await status('/both', { 'if-unmodified-since': date })).toBe(200);
    runs = 0;
    for (const method of ['GET', 'PUT'])
      expect(await status('/both', { 'if-unmodified-since': OLDER }, method)).toBe(412);
    expect(runs).toBe(0);
  });

  it('257: If-None-Match equal, or a list with it, is 304 for GET and 412 for PUT; another tag is 200', async () => {
    for (const list of [ETAG, `"x", ${ETAG}`, '*']) {
      expect(await status('/both', { 'if-none-match': list })).toBe(304);
      expect(await status('/both', { 'if-none-match': list }, 'PUT')).toBe(412);
    }
    expect(await status('/both', { 'if-none-match': '"x"' })).toBe(200);
    expect(await status('/both', { 'if-none-match': '"x"' }, 'PUT')).toBe(200);
  });

  it('258: weak and strong tags match for If-None-Match both ways', async () => {
    expect(await status('/both', { 'if-none-match': `W/${ETAG}` })).toBe(304);
    expect(await status('/both', { 'if-none-match': `W/${ETAG}` }, 'PUT')).toBe(412);
    expect(await status('/weak', { 'if-none-match': ETAG })).toBe(304);
  });

  it('260: If-Match equal is 200; another tag and any weak tag are 412', async () => {
    expect(await status('/both', { 'if-match': ETAG }, 'PUT')).toBe(200);
    expect(await status('/both', { 'if-match': '"x"' }, 'PUT')).toBe(412);
    expect(await status('/both', { 'if-match': `W/${ETAG}` }, 'PUT')).toBe(412);
    expect(await status('/weak', { 'if-match': `W/${ETAG}` })).toBe(412);
  });

  it('261: If-Match * is 200, and 412 where there is no tag', async () => {
    expect(await status('/both', { 'if-match': '*' })).toBe(200);
    expect(await status('/none', { 'if-match': '*' })).toBe(412);
  });

  it('262: If-None-Match makes If-Modified-Since irrelevant', async () => {
    const seen: number[] = [];
    for (const tag of [ETAG, '"x"']) {
      for (const date of [DATE, OLDER]) {
        seen.push(await status('/both', { 'if-none-match': tag, 'if-modified-since': date }));
      }
    }
    expect(seen).toEqual([304, 304, 200, 200]);
  });

  it('264: with a date alone If-None-Match is ignored, with a tag alone If-Modified-Since is', async () => {
    expect(await status('/date', { 'if-modified-since': DATE })).toBe(304);
    expect(await status('/date', { 'if-none-match': ETAG })).toBe(200);
    expect(await status('/tag', { 'if-none-match': ETAG })).toBe(304);
    expect(await status('/tag', { 'if-modified-since': DATE })).toBe(200);
  });

  it('265: If-Unmodified-Since on what has only a tag is 412', async () => {
    expect(await status('/tag', { 'if-unmodified-since': DATE }, 'PUT')).toBe(412);
  });

  it('266: HEAD is as GET', async () => {
    expect(await status('/both', { 'if-none-match': ETAG }, 'HEAD')).toBe(304);
    const head = await app.fetch('/both', { method: 'HEAD' });
    expect([head.status, head.headers.get('etag'), head.headers.get('last-modified')]).toEqual([
      200,
      ETAG,
      DATE,
    ]);
  });

  it('268: an invalid tag in the request is 200', async () => {
    expect(await status('/both', { 'if-none-match': '"""' })).toBe(200);
  });

  it('270: redirects and errors of a handler that ran are never 304, and carry no tag of the representation', async () => {
    for (const code of ['301', '400', '500']) {
      const answer = await app.fetch(`/answers?status=${code}`, { headers: { 'if-none-match': '"x"' } });
      expect([answer.status, answer.headers.get('etag') === ETAG]).toEqual([Number(code), false]);
      expect(answer.headers.get('last-modified')).toBeNull();
    }
  });

  it('272: 304 carries the headers of HD-14 and cookies, and nothing else of the representation', async () => {
    const { status: code, headers } = await app.fetch('/described', { headers: { 'if-none-match': ETAG } });
    expect(code).toBe(304);
    expect(headers.get('date')).not.toBeNull();
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'max-age=60',
      'content-location': '/elsewhere',
      etag: ETAG,
      expires: NEWER,
      'last-modified': DATE,
      'set-cookie': 'a=b',
      vary: 'Accept',
    });
    for (const name of ['content-language', 'content-type', 'content-length', 'content-encoding', 'age']) {
      expect([name, headers.get(name)]).toEqual([name, null]);
    }
  });

  it('HD-11: headers of the handler are not overwritten, and PUT gets none', async () => {
    const { headers } = await app.fetch('/own');
    expect([headers.get('etag'), headers.get('last-modified')]).toEqual(['"own"', OLDER]);
    const put = await app.fetch('/both', { method: 'PUT' });
    expect([put.headers.get('etag') === ETAG, put.headers.get('last-modified')]).toEqual([false, null]);
  });

  it('HD-11: functions get the request and find providers of other modules', async () => {
    const { headers } = await app.fetch('/items/7');
    expect(headers.get('etag')).toBe('"78-v1"');
    expect(await status('/items/7', { 'if-none-match': '"78-v1"' })).toBe(304);
    expect(await status('/items/8', { 'if-none-match': '"78-v1"' })).toBe(200);
  });

  it('works where the handler answers by itself', async () => {
    expect((await app.fetch('/direct')).headers.get('etag')).toBe(ETAG);
    expect(await status('/direct', { 'if-none-match': ETAG })).toBe(304);
    expect(runs).toBe(1);
  });

  it("a method's own condition wins over its controller's, and is asked once", async () => {
    expect(await status('/class', { 'if-none-match': ETAG })).toBe(304);
    expect(await status('/class/own', { 'if-none-match': '"own"' })).toBe(304);
    questions = 0;
    expect(await status('/class/own', { 'if-none-match': ETAG })).toBe(200);
    expect(questions).toBe(1);
  });

  it('refuses a tag or a date that no header can hold, and says nothing of it to the client', async () => {
    for (const path of ['/wrong', '/undated']) {
      const answer = await app.fetch(path);
      expect([answer.status, answer.text.includes('secret'), runs]).toEqual([500, false, 0]);
    }
  });

  it('304 is no error to interceptors and nothing is sent or logged after it; 412 is an error', async () => {
    for (const path of ['/both', '/direct', '/moved', '/tag']) {
      expect(await status(path, { 'if-none-match': ETAG })).toBe(304);
    }
    expect([failures, logged]).toEqual([0, 0]);
    await app.fetch('/both', { headers: { 'if-match': '"x"' } });
    expect(failures).toBe(1);
  });

  it('a page that @CachePage keeps is the 200, also if a 304 was asked for first', async () => {
    const asked = { headers: { 'if-none-match': ETAG } };
    expect([await status('/page', asked.headers), runs]).toEqual([304, 0]);
    expect((await app.fetch('/page')).text).toBe('run 1');
    const hit = await app.fetch('/page');
    expect([hit.text, hit.headers.get('etag'), hit.headers.get('age')]).toEqual(['run 1', ETAG, '0']);
    expect(await status('/page', asked.headers)).toBe(304);
  });
});
