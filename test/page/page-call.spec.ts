import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Param, Query } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { CachePage, CachingModule } from 'nestjs-caching';
import { PLATFORMS, type Platform } from '../support/test-app.js';

@Controller('products')
class ProductsController {
  private runs = 0;

  @Get(':id')
  @CachePage('1m', { query: { only: ['sort'] } })
  find(@Param('id') id: string, @Query() query: object): object {
    this.runs += 1;
    return { id, query, run: this.runs };
  }
}

interface Rewritable {
  url?: string | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** What some proxies ask of the applications behind them: to go by a header instead of the URL. */
const rewritten = ({ url, headers }: Rewritable): string =>
  typeof headers['x-original-url'] === 'string' ? headers['x-original-url'] : (url ?? '/');

describe.each(PLATFORMS)('a URL that is rewritten by a header, on %s', (platform) => {
  let app: NestExpressApplication | NestFastifyApplication;
  afterEach(() => app.close());

  const ask = async (path: string, original?: string): Promise<unknown> => {
    const response = await fetch((await app.getUrl()) + path, {
      headers: original === undefined ? {} : { 'x-original-url': original },
    });
    return response.json();
  };

  it('changes no page of those whose URL is as they sent it', async () => {
    app = await start(platform);
    expect(await ask('/products/1', '/products/9')).toEqual({ id: '9', query: {}, run: 1 });
    expect(await ask('/products/1?sort=a', '/products/1?x=evil')).toMatchObject({ run: 2 });
    expect(await ask('/products/1')).toEqual({ id: '1', query: {}, run: 3 });
    expect(await ask('/products/1?sort=a')).toEqual({ id: '1', query: { sort: 'a' }, run: 4 });
  });

  it('has pages of its own', async () => {
    app = await start(platform);
    expect(await ask('/products/1', '/products/9?a=1&b=2')).toMatchObject({ id: '9', run: 1 });
    expect(await ask('/products/1', '/products/9?b=2&a=1')).toMatchObject({ id: '9', run: 1 });
    expect(await ask('/products/1', '/products/8')).toMatchObject({ id: '8', run: 2 });
  });
});

async function start(platform: Platform): Promise<NestExpressApplication | NestFastifyApplication> {
  const module = await Test.createTestingModule({
    imports: [CachingModule.forRoot()],
    controllers: [ProductsController],
  }).compile();
  const app =
    platform === 'express'
      ? module.createNestApplication<NestExpressApplication>()
      : module.createNestApplication<NestFastifyApplication>(new FastifyAdapter({ rewriteUrl: rewritten }));
  if (platform === 'express') {
    app.use((request: Rewritable, _response: unknown, next: () => void) => {
      request.url = rewritten(request);
      next();
    });
  }
  await app.listen(0, '127.0.0.1');
  return app;
}
