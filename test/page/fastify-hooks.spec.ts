import { describe, expect, it } from '@jest/globals';
import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  type INestApplication,
  NotFoundException,
  Redirect,
  Res,
  StreamableFile,
} from '@nestjs/common';
import { RouteSchema } from '@nestjs/platform-fastify';
import { CachePage } from 'nestjs-caching';
import { PassThrough, Readable } from 'node:stream';
import { type FastifyHooks, installHooks, watchPayload } from '../../libs/caching/src/page/fastify-hooks.js';
import { type AnyReply, type AnyRequest, type Handle, usePages } from '../support/page-app.js';

interface Serializing {
  serializer(serialize: (data: unknown) => string): unknown;
}
type Hook = (request: AnyRequest, reply: AnyReply, payload: unknown) => Promise<unknown>;

/** Hooks as an application adds them between `create` and `listen`, which is before ours is there. */
const hooks =
  (added: Readonly<Record<string, Hook>>) =>
  (app: INestApplication): void => {
    for (const [name, hook] of Object.entries(added)) app.getHttpAdapter().getInstance().addHook(name, hook);
  };
const visitorOf = ({ headers }: AnyRequest) => headers['x-user'] ?? 'nobody';
/** Makes a payload the visitor's own. */
const sign: Hook = async (request, _reply, payload) => {
  const signature = `[${visitorOf(request)}]`;
  if (!(payload instanceof Readable)) return `${String(payload ?? '')}${signature}`;
  return payload.pipe(new PassThrough({ flush: (done) => done(null, signature) }));
};

describe('hooks of the application on Fastify', () => {
  const pages = usePages('fastify');
  const ask = (user?: string) => pages.text('/p/1', user === undefined ? {} : { 'x-user': user });

  it.each<[what: string, handle: Handle, body: string]>([
    ['text', () => 'page', 'page'],
    ['an object', () => ({ page: 1 }), '{"page":1}'],
    ['bytes', (_request, reply) => (reply.header('content-type', 'text/plain'), Buffer.from('page')), 'page'],
    ['a stream', () => new StreamableFile(Readable.from([Buffer.from('pa'), Buffer.from('ge')])), 'page'],
    ['nothing', () => undefined, ''],
  ])('act once on a page that is made and once on a stored one: %s', async (_what, handle, body) => {
    await pages.start(pages.controller('1m', { statuses: [200] }), { configure: hooks({ onSend: sign }) });
    pages.handle = handle;
    const texts = [await ask('ada'), await ask('bob'), await ask()];
    expect([texts, pages.runs]).toEqual([[`${body}[ada]`, `${body}[bob]`, `${body}[nobody]`], 1]);
  });

  it('keep the headers that they add to themselves, and those that Fastify adds belong to the page', async () => {
    const stamp: Hook = async (request, reply) => void reply.header('x-for', visitorOf(request));
    await pages.start(pages.controller('1m'), { configure: hooks({ onSend: stamp }) });
    for (const user of ['ada', 'bob']) {
      const { headers, text } = await pages.ask('/p/1', { 'x-user': user });
      const shown = [headers.get('x-for'), headers.get('content-type'), text];
      expect(shown).toEqual([user, 'text/plain; charset=utf-8', 'run 1']);
    }
  });

  it('do not stand between a client and the 304 of a page that is being made, or is stored', async () => {
    await pages.start(pages.controller('1m'), {
      configure: hooks({ onSend: async (_q, _r, payload) => payload }),
    });
    pages.handle = () => 'page';
    const etag = (await pages.ask()).headers.get('etag') ?? '';
    const statusOf = async (path: string) => (await pages.ask(path, { 'if-none-match': etag })).status;
    expect([await statusOf('/p/1'), await statusOf('/p/2'), pages.runs]).toEqual([304, 304, 2]);
    expect([await pages.text('/p/2'), pages.runs]).toEqual(['page', 2]);
  });

  it.each<[what: string, hook: Hook]>([
    [
      'a header',
      async (request, _reply, payload) => ({ ...(payload as object), viewer: visitorOf(request) }),
    ],
    [
      'what a hook has added',
      async (request, _reply, payload) => ({ ...(payload as object), viewer: request['account'] }),
    ],
  ])('that make a page before it is serialized are watched: %s', async (_what, hook) => {
    await pages.start(pages.controller('1m'), {
      configure: (app) => {
        app.getHttpAdapter().getInstance().decorateRequest('account', null);
        const onRequest: Hook = async (request) =>
          void Object.assign(request, { account: visitorOf(request) });
        app.getHttpAdapter().getInstance().addHook('onRequest', onRequest);
        hooks({ preSerialization: async (...given) => Promise.resolve().then(() => hook(...given)) })(app);
      },
    });
    pages.handle = (_request, _reply, run) => ({ run });
    expect(await ask('ada')).toBe('{"run":1,"viewer":"ada"}');
    expect(await ask('bob')).toBe('{"run":2,"viewer":"bob"}');
  });

  it('that make a page before it is serialized, and look at nobody, make it once', async () => {
    const wrap: Hook = async (_request, _reply, data) => ({ data });
    await pages.start(pages.controller('1m'), { configure: hooks({ preSerialization: wrap }) });
    pages.handle = (_request, _reply, run) => ({ run });
    expect([await ask('ada'), await ask('bob')]).toEqual(['{"data":{"run":1}}', '{"data":{"run":1}}']);
  });

  it('a result that reads the request while it is serialized is watched', async () => {
    await pages.start(pages.controller('1m'));
    pages.handle = (request, _reply, run) => ({ toJSON: () => ({ run, viewer: visitorOf(request) }) });
    expect(await ask('ada')).toBe('{"run":1,"viewer":"ada"}');
    expect(await ask('bob')).toBe('{"run":2,"viewer":"bob"}');
  });

  it('what fails to be serialized is answered as without us, and not stored', async () => {
    await pages.start(pages.controller('1m'));
    let fails = true;
    pages.handle = (_request, _reply, run) => (fails ? { run: 1n } : { run });
    expect((await pages.ask()).status).toBe(500);
    fails = false;
    // A refusal is remembered until a run could have been stored.
    const texts = [await pages.text(), await pages.text(), await pages.text()];
    expect(texts).toEqual(['{"run":2}', '{"run":3}', '{"run":3}']);
  });

  it('what fails after the page was composed is a failed response, and not stored', async () => {
    let fails = true;
    const onSend: Hook = async (_request, _reply, payload) => {
      if (!fails) return payload;
      fails = false;
      throw new Error('not now');
    };
    await pages.start(pages.controller('1m'), { configure: hooks({ onSend }) });
    expect((await pages.ask()).status).toBe(500);
    const texts = [await pages.text(), await pages.text(), await pages.text()];
    expect(texts).toEqual(['run 2', 'run 3', 'run 3']);
  });

  it.each<[how: string, fail: () => Promise<void>]>([
    [
      'at once',
      () => {
        throw new Error('not now');
      },
    ],
    ['a little later', () => Promise.reject(new Error('not now'))],
    [
      'much later',
      () =>
        new Promise((_resolve, reject) =>
          setImmediate(() => setImmediate(() => reject(new Error('not now')))),
        ),
    ],
  ])('what fails on a stored page, %s, is answered as on one that is made', async (_how, fail) => {
    let fails = true;
    const onSend = (
      _request: unknown,
      _reply: unknown,
      payload: unknown,
      done: (error: unknown, payload?: unknown) => void,
    ) => {
      if (!fails) return done(null, payload);
      fails = false;
      void fail().catch(done);
    };
    @Catch()
    class Slow implements ExceptionFilter {
      async catch(_error: unknown, host: ArgumentsHost): Promise<void> {
        await new Promise(setImmediate);
        host.switchToHttp().getResponse<AnyReply>().status(500).send({ sorry: true });
      }
    }
    for (const filters of [[], [new Slow()]]) {
      fails = false;
      await pages.start(pages.controller('1m', { clientTtl: '1m' }), {
        configure: (app) => {
          app.useGlobalFilters(...filters);
          app.getHttpAdapter().getInstance().addHook('onSend', onSend);
        },
      });
      const { headers, text } = await pages.ask();
      const shown = async (path: string, asked = {}) => {
        fails = true;
        const answer = await pages.ask(path, asked);
        return [answer.status, answer.text, answer.headers.get('cache-control')];
      };
      const made = await shown('/p/2');
      const etag = headers.get('etag') ?? '';
      expect([made[0], await shown('/p/1'), await shown('/p/1', { 'if-none-match': etag })]).toEqual([
        500,
        made,
        made,
      ]);
      expect(await pages.text()).toBe(text);
    }
  });

  it('leave a stored page its status where the route redirects in other cases', async () => {
    @Controller()
    class MovedController {
      @Get('moved')
      @Redirect('/there', 301)
      @CachePage('1m', { statuses: [404] })
      moved(): unknown {
        throw new NotFoundException();
      }
    }
    const later: Hook = async (_request, _reply, payload) => (await new Promise(setImmediate), payload);
    await pages.start(MovedController, { configure: hooks({ onSend: later }) });
    const visits = [await pages.ask('/moved'), await pages.ask('/moved')];
    expect(visits.map(({ status, headers }) => [status, headers.has('age')])).toEqual([
      [404, false],
      [404, true],
    ]);
  });

  it.each(['text/plain; charset=utf-8', 'application/json; charset=utf-8'])(
    'that set a serializer do so for what is made, not for what is stored as %s',
    async (type) => {
      const onRequest: Hook = async (_request, reply) =>
        void (reply as unknown as Serializing).serializer((data) => JSON.stringify({ data }));
      await pages.start(pages.controller('1m'), { configure: hooks({ onRequest }) });
      pages.handle = (_request, reply, run) => (reply.header('content-type', type), { run });
      const made = await pages.ask();
      const stored = await pages.ask();
      expect([made.text, stored.text, pages.runs]).toEqual(['{"data":{"run":1}}', '{"data":{"run":1}}', 1]);
      expect(stored.headers.get('content-type')).toBe(made.headers.get('content-type'));
    },
  );

  it('schemas of responses are used, each for its status', async () => {
    const text = { type: 'object', properties: { shown: { type: 'string' } } };
    @Controller()
    class SchemaController {
      @Get('found')
      @CachePage('1m')
      @RouteSchema({ response: { 200: text } })
      found(): unknown {
        return { shown: 1, hidden: 2 };
      }
      @Get('missing')
      @CachePage('1m', { statuses: [404] })
      @RouteSchema({ response: { 404: text } })
      missing(@Res({ passthrough: true }) reply: AnyReply): unknown {
        reply.status(404);
        return { shown: 1, hidden: 2 };
      }
    }
    await pages.start(SchemaController);
    for (const path of ['/found', '/missing'])
      expect([await pages.text(path), await pages.text(path)]).toEqual(['{"shown":"1"}', '{"shown":"1"}']);
  });
});

describe('the hook that sees payloads first', () => {
  it('is added like any other where Fastify keeps its hooks in another way', () => {
    const added: unknown[] = [];
    const instance = { addHook: (...given: unknown[]) => added.push(given) } as FastifyHooks;
    installHooks(instance);
    expect(added).toContainEqual(['onSend', expect.any(Function)]);
  });

  it('lets each who watches see what the one before has made of it', () => {
    let hook: Parameters<FastifyHooks['addHook']>[1] | undefined;
    installHooks({ addHook: (name, given) => name === 'onSend' && (hook = given) });
    const reply = {};
    watchPayload(reply, (payload) => `${String(payload)} 1`);
    watchPayload(reply, (payload) => `${String(payload)} 2`);
    const seen: unknown[] = [];
    hook?.({} as never, reply as never, 'page', (_error, payload) => seen.push(payload));
    hook?.({} as never, {} as never, 'another', (_error, payload) => seen.push(payload));
    expect(seen).toEqual(['page 1 2', 'another']);
  });
});
