import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { guide } from './guide.js';
import { readSettings, type Settings } from './settings.js';

async function create(settings: Settings): Promise<INestApplication> {
  const options = { logger: ['warn', 'error', 'fatal'] as ('warn' | 'error' | 'fatal')[] };
  if (settings.platform === 'express') return NestFactory.create(AppModule.with(settings), options);
  const { FastifyAdapter } = await import('@nestjs/platform-fastify');
  return NestFactory.create(AppModule.with(settings), new FastifyAdapter(), options);
}

const settings = readSettings(process.env);
const app = await create(settings);
app.enableShutdownHooks();
await app.listen(settings.port, '0.0.0.0');
process.stdout.write(guide(settings));
