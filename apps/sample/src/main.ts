import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { readSettings, type Settings } from './settings.js';
import { useViews } from './shop/views.js';

async function create(settings: Settings): Promise<INestApplication> {
  const options = { logger: ['warn', 'error', 'fatal'] as ('warn' | 'error' | 'fatal')[] };
  if (settings.platform === 'express') return NestFactory.create(AppModule.with(settings), options);
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  return NestFactory.create(AppModule.with(settings), new FastifyAdapter(), options);
}

function guide({ port, platform, cacheUrl, upstreamDelay }: Settings): string {
  const base = `http://localhost:${port}`;
  const backend = cacheUrl.slice(0, cacheUrl.indexOf(':'));
  return `
nestjs-caching sample on ${platform}, cache in ${backend}; the upstream takes ${upstreamDelay} ms

  curl -w ' %{time_total}s\\n' ${base}/slow-api             slow every time
  curl -w ' %{time_total}s\\n' ${base}/slow-api/page        @CachePage: slow once, then instant
  curl -w ' %{time_total}s\\n' ${base}/slow-api/manual      CacheService get and set: slow once, then instant
  curl -w ' %{time_total}s\\n' ${base}/slow-api/get-or-set  the same in one call
  curl -X DELETE ${base}/slow-api/manual                    204; the next GET is slow again
  curl -w ' %{time_total}s\\n' ${base}/slow-class/first     @CachePage on the class; /slow-class/second as well
  ${base}/shop?user=Ada                                a page of cached fragments, for a browser
  curl --json '{"name":"Teapot","category":"Kitchen","price":25,"sold":900}' ${base}/products
                                                            renders what lists products anew

Ctrl-C stops it.
`;
}

const settings = readSettings(process.env);
const app = await create(settings);
await useViews(app, settings.platform);
app.enableShutdownHooks();
await app.listen(settings.port, '0.0.0.0');
process.stdout.write(guide(settings));
