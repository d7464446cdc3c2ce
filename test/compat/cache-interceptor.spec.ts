import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CACHE_MANAGER, CacheInterceptor, CacheKey, CacheTTL } from '@nestjs/cache-manager';
import {
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  type LoggerService,
  Post,
  Res,
  UseInterceptors,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { type Cache } from 'cache-manager';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CacheOptions, CacheService, CachingModule } from 'nestjs-caching';
import { CacheManagerModule } from 'nestjs-caching/compat';
import { SERVICE_NAMES } from '../../scripts/services/index.mjs';
import { describeService } from '../support/services.js';
import { type Answer, PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

let run = 0;
const next = (): object => ({ run: (run += 1), at: new Date(0) });

@Controller('products')
@UseInterceptors(CacheInterceptor)
class ProductsController {
  @Get() list(): object {
    return next();
  }
  @Get('keyed') @CacheKey('all products') @CacheTTL(60_000) keyed(): object {
    return next();
  }
  @Get('tenant')
  @CacheKey((context: ExecutionContext) => {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return `tenant ${headers['x-tenant']}`;
  })
  @CacheTTL(() => 60_000)
  tenant(): object {
    return next();
  }
  @Get('ever') @CacheKey('ever') @CacheTTL(0) ever(): object {
    return next();
  }
  @Get('nothing') nothing(): void {
    run += 1;
  }
  @Get('function') notToBeStored(): object {
    return { ...next(), toJSON: () => ({ run }) };
  }
  @Get('direct') direct(@Res() reply: { send(body: unknown): unknown }): unknown {
    return reply.send(`run ${(run += 1)}`);
  }
  @Post() create(): object {
    return next();
  }
}

/** Keeps what is logged as an error, and prints nothing. */
class ErrorLog implements LoggerService {
  readonly errors: string[] = [];
  log(): void {}
  warn(): void {}
  error(message: string): void {
    this.errors.push(message);
  }
}

/** A busy machine must not look like an outage, which is a miss. */
const DEADLINES = { readDeadline: '20s', writeDeadline: '20s' } as const;

async function start(platform: (typeof PLATFORMS)[number], caching: CacheOptions) {
  const log = new ErrorLog();
  const app = await startApp(
    platform,
    {
      imports: [CachingModule.forRoot({ ...caching, ...DEADLINES }), CacheManagerModule.forRoot()],
      controllers: [ProductsController],
    },
    (created: INestApplication) => created.useLogger(log),
  );
  return { app, log, cache: app.app.get<Cache>(CACHE_MANAGER), service: app.app.get(CacheService) };
}

/** Asks, and waits until the interceptor has stored the answer: it does so after the response. */
async function miss(app: TestApp, cache: Cache, path: string, init?: RequestInit): Promise<Answer> {
  const stored = new Promise((resolve) => cache.on('set', resolve));
  const answer = await app.fetch(path, init);
  await stored;
  expect([answer.status, answer.headers.get('x-cache')]).toEqual([200, 'MISS']);
  return answer;
}

async function expectHit(app: TestApp, first: Answer, path: string, init?: RequestInit): Promise<void> {
  const { headers, text, status } = await app.fetch(path, init);
  expect([status, headers.get('x-cache'), text]).toEqual([200, 'HIT', first.text]);
}

/** What must hold on every backend. */
function describeInterceptor(name: string, caching: () => CacheOptions | Promise<CacheOptions>): void {
  describe.each(PLATFORMS)(`CacheInterceptor on %s and ${name}`, (platform) => {
    it('stores by URL, by key and for a ttl', async () => {
      const { app, cache, service } = await start(platform, await caching());
      await service.clear();

      await expectHit(app, await miss(app, cache, '/products?page=1'), '/products?page=1');
      await miss(app, cache, '/products?page=2');
      expect(await service.get('/products?page=1')).toEqual({ run: expect.any(Number), at: new Date(0) });

      const keyed = await miss(app, cache, '/products/keyed?page=1');
      await expectHit(app, keyed, '/products/keyed?page=2');
      const life = await service.ttl('all products');
      expect(life).toBeGreaterThan(0);
      expect(life).toBeLessThanOrEqual(60_000);
      await miss(app, cache, '/products/ever');
      expect(await service.ttl('ever')).toBeNull();

      const [a, b] = [{ headers: { 'x-tenant': 'a' } }, { headers: { 'x-tenant': 'b' } }];
      const ofA = await miss(app, cache, '/products/tenant', a);
      await expectHit(app, ofA, '/products/tenant', a);
      expect((await miss(app, cache, '/products/tenant', b)).text).not.toBe(ofA.text);

      await cache.del('all products');
      await miss(app, cache, '/products/keyed');
      await cache.clear();
      await miss(app, cache, '/products?page=1');

      const posts = [
        await app.fetch('/products', { method: 'POST' }),
        await app.fetch('/products', { method: 'POST' }),
      ];
      expect(posts[0]?.text).not.toBe(posts[1]?.text);
      await app.close();
    });
  });
}

describeInterceptor('memory', () => ({}));

describe('on files', () => {
  let directory = '';
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'nestjs-caching-compat-'));
  });
  afterAll(() => rm(directory, { recursive: true }));
  describeInterceptor('file', () => ({ backend: 'file', directory: join(directory, 'files') }));
  describeInterceptor('sqlite', () => ({ url: `sqlite://${directory}/cache.db` }));
});

describeInterceptor('keyv', () => ({ backend: 'keyv', store: new Map() }));

for (const name of SERVICE_NAMES) {
  describeService(name, (service) => {
    describeInterceptor(name, () => ({ url: service().url, keyPrefix: 'compat' }));
  });
}

describe.each(PLATFORMS)('CacheInterceptor on %s', (platform) => {
  it('answers each time what is not stored: nothing, functions, and what a handler sent itself', async () => {
    const { app, log } = await start(platform, {});
    for (const path of ['nothing', 'function', 'direct']) {
      const before = run;
      const answers = [await app.fetch(`/products/${path}`), await app.fetch(`/products/${path}`)];
      expect([path, ...answers.map(({ status }) => status), run - before]).toEqual([path, 200, 200, 2]);
    }
    // An undefined value is no error. The interceptor logs the values that were refused.
    expect(log.errors.length).toBeGreaterThanOrEqual(2);
    expect(log.errors.join()).not.toContain('nothing');
    await app.close();
  });

  it('works as a global interceptor', async () => {
    @Controller('plain')
    class PlainController {
      @Get() get(): object {
        return next();
      }
    }
    const app = await startApp(platform, {
      imports: [CachingModule.forRoot(), CacheManagerModule.forRoot()],
      controllers: [PlainController],
      providers: [{ provide: APP_INTERCEPTOR, useClass: CacheInterceptor }],
    });
    const cache = app.app.get<Cache>(CACHE_MANAGER);
    await expectHit(app, await miss(app, cache, '/plain'), '/plain');
    await app.close();
  });
});
