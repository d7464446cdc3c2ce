import { describe, expect, it } from '@jest/globals';
import fastifyCookie from '@fastify/cookie';
import fastifySession from '@fastify/session';
import {
  type CanActivate,
  ClassSerializerInterceptor,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  UseGuards,
} from '@nestjs/common';
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core';
import { Exclude } from 'class-transformer';
import session from 'express-session';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CachePage, type CachingOptions } from 'nestjs-caching';
import { gate as newGate } from '../support/gate.js';
import { type AnyRequest, sends, usePages } from '../support/page-app.js';
import { until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';

const SECRET = 'a secret of at least thirty-two characters';

// Attacks of class C1: leaks between users.
describe.each(PLATFORMS)('C1, leaks between users, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));
  const as = (authorization: string) => ({ authorization });
  const echo = ({ headers }: AnyRequest): string => headers['authorization'] ?? 'nobody';

  it('1: a page that echoes who asks is made anew for A, for B and for nobody', async () => {
    await start('60s');
    pages.handle = echo;
    for (let round = 0; round < 2; round += 1) {
      expect([
        await pages.text('/p/1', as('A')),
        await pages.text('/p/1', as('B')),
        await pages.text(),
      ]).toEqual(['A', 'B', 'nobody']);
    }
    expect(pages.runs).toBe(6);
  });

  it('3: a cookie that a handler sets goes to its own client only', async () => {
    await start('60s');
    pages.handle = (_request, reply, run) => (reply.header('set-cookie', `sid=${run}`), `run ${run}`);
    const answers = [await pages.ask(), await pages.ask()];
    expect(answers.map(({ text, headers }) => [text, headers.get('set-cookie')])).toEqual([
      ['run 1', 'sid=1'],
      ['run 2', 'sid=2'],
    ]);
  });

  it('4: a session that sets its cookie when the headers leave keeps a page out', async () => {
    await pages.start(pages.controller('60s'), {
      configure: async (app) => {
        if (platform === 'express') {
          app.use(session({ secret: SECRET, resave: false, saveUninitialized: true }));
          return;
        }
        const fastify = app.getHttpAdapter().getInstance();
        await fastify.register(fastifyCookie);
        await fastify.register(fastifySession, {
          secret: SECRET,
          saveUninitialized: true,
          cookie: { secure: false },
        });
      },
    });
    const answers = [await pages.ask(), await pages.ask()];
    expect(answers.map(({ text }) => text)).toEqual(['run 1', 'run 2']);
    const [one, other] = answers.map(({ headers }) => headers.get('set-cookie'));
    expect(one).toBeTruthy();
    expect(other).not.toBe(one);
  });

  it.each(['private=', 'private=" authorization"', 'private, private="x"'])(
    '6: malformed %s is not shared',
    async (cacheControl) => {
      await start('60s');
      pages.handle = sends({ 'cache-control': cacheControl });
      expect([await pages.text(), await pages.text()]).toEqual(['run 1', 'run 2']);
    },
  );

  it('7: Vary: Authorization does not let A see the page of B', async () => {
    await start('60s', { shared: true });
    pages.handle = (request, reply) => (reply.header('vary', 'Authorization'), echo(request));
    for (let round = 0; round < 2; round += 1)
      expect([
        await pages.text('/p/1', as('A')),
        await pages.text('/p/1', as('B')),
        await pages.text(),
      ]).toEqual(['A', 'B', 'nobody']);
  });

  it('9: a tenant that is absent, empty or named has a page each', async () => {
    await start('60s');
    pages.handle = (_request, reply, run) => (reply.header('vary', 'X-Tenant'), `run ${run}`);
    for (let round = 0; round < 2; round += 1) {
      const texts = [];
      for (const headers of [{}, { 'x-tenant': '' }, { 'x-tenant': 't1' }])
        texts.push((await pages.raw('/p/1', headers)).text);
      expect(texts).toEqual(['run 1', 'run 2', 'run 3']);
    }
  });

  it('10: Vary: * is for one client', async () => {
    await start('60s', { shared: true });
    pages.handle = sends({ vary: '*' });
    expect([await pages.text('/p/1', as('A')), await pages.text('/p/1', as('B'))]).toEqual([
      'run 1',
      'run 2',
    ]);
  });

  it('12: two users at once on a slow page that is not for everybody each get their own', async () => {
    await start('60s', { shared: true });
    const gate = newGate();
    pages.handle = async (request, reply) => {
      const who = echo(request);
      if (who === 'A') await gate.opened;
      reply.header('cache-control', 'private');
      return who;
    };
    const first = pages.text('/p/1', as('A'));
    await until(() => pages.runs === 1);
    const second = pages.text('/p/1', as('B'));
    gate.open();
    expect(await Promise.all([first, second])).toEqual(['A', 'B']);
  });

  it('13: a guard refuses whom it refuses, though the page is stored', async () => {
    @Injectable()
    class KeyGuard implements CanActivate {
      canActivate(context: ExecutionContext): boolean {
        return context.switchToHttp().getRequest<AnyRequest>().headers['x-key'] === 'right';
      }
    }
    @Controller()
    class GuardedController {
      @Get('guarded') @UseGuards(KeyGuard) @CachePage('60s') guarded(): string {
        return 'secret';
      }
    }
    await pages.start(GuardedController);
    expect(await pages.text('/guarded', { 'x-key': 'right' })).toBe('secret');
    const hit = await pages.ask('/guarded', { 'x-key': 'right' });
    const refused = await pages.ask('/guarded', { 'x-key': 'wrong' });
    expect([hit.headers.get('age'), refused.status]).toEqual(['0', 403]);
    expect(refused.text).not.toContain('secret');
  });

  it('15: parts of keys do not run into one another', async () => {
    await start('60s', {
      user: ({ headers }: AnyRequest) => headers['x-user'],
      varyOn: ({ headers }: AnyRequest) => [headers['x-a'], headers['x-b']],
    });
    const asked = [
      ['alice', 'a:b', 'c'],
      ['alice', 'a', 'b:c'],
      ['alice:a', 'b', 'c'],
      ['a', 'lice', ':a'],
      ['a', 'x', 'st1.y'],
      ['a', 'xst1.', 'y'],
    ].map(([user = '', a = '', b = '']) => ({ 'x-user': user, 'x-a': a, 'x-b': b }));
    for (let round = 0; round < 2; round += 1) {
      const texts = [];
      for (const headers of asked) texts.push(await pages.text('/p/1', headers));
      expect(texts).toEqual(asked.map((_headers, index) => `run ${index + 1}`));
    }
  });

  it('18: HEAD by A does not fill what B gets', async () => {
    await start('60s', { shared: true });
    pages.handle = (request, _reply, run) => `${echo(request)} ${run}`;
    await pages.ask('/p/1', as('A'), 'HEAD');
    expect(await pages.text('/p/1', as('B'))).toBe('B 2');
  });

  class User {
    readonly id = 1;
    @Exclude() readonly password = 'secret';
  }
  /** Attack 16: what a serializer takes out stays out, whatever a backend makes of values. */
  async function expectNoPassword(caching: CachingOptions): Promise<void> {
    const count = (): number => (pages.runs += 1);
    @Controller()
    class UserController {
      @Get('user') @CachePage('60s') user(): User {
        count();
        return new User();
      }
    }
    await pages.start(UserController, {
      caching,
      providers: [
        {
          provide: APP_INTERCEPTOR,
          useFactory: (reflector: Reflector) => new ClassSerializerInterceptor(reflector),
          inject: [Reflector],
        },
      ],
    });
    expect([await pages.text('/user'), await pages.text('/user'), pages.runs]).toEqual([
      '{"id":1}',
      '{"id":1}',
      1,
    ]);
  }

  it('16: @Exclude() holds on hits out of memory', () => expectNoPassword({}));
  it('16: @Exclude() holds on hits out of files', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'attacks-'));
    try {
      await expectNoPassword({ backend: 'file', directory });
    } finally {
      await pages.close();
      await rm(directory, { recursive: true });
    }
  });
  describeService('redis', (redis) => {
    it('16: @Exclude() holds on hits out of Redis', () =>
      expectNoPassword({ url: redis().url, keyPrefix: `c1-${platform}` }));
  });
});
