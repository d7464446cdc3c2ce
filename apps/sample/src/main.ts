import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { guide } from './guide.js';
import { readSettings, type Settings } from './settings.js';
import { useViews } from './shop/views.js';

async function create(settings: Settings): Promise<INestApplication> {
  const options = {
    logger: ['warn', 'error', 'fatal'] as ('warn' | 'error' | 'fatal')[],
    abortOnError: false,
  };
  if (settings.platform === 'express') return NestFactory.create(AppModule.with(settings), options);
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  return NestFactory.create(AppModule.with(settings), new FastifyAdapter(), options);
}

/** What is wrong, and what to change. */
function remedyOf(error: unknown): string {
  const { code, port } = error as { readonly code?: string; readonly port?: number };
  if (code === 'EADDRINUSE') return `Port ${port} is in use. Give another one: PORT=3001 npm start`;
  return error instanceof Error ? error.message : String(error);
}

try {
  const settings = readSettings(process.env);
  const app = await create(settings);
  await useViews(app, settings.platform);
  app.enableShutdownHooks();
  await app.listen(settings.port, '0.0.0.0');
  process.stdout.write(guide(settings));
} catch (error) {
  process.stderr.write(`${remedyOf(error)}\n`);
  process.exit(1);
}
