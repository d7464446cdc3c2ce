import 'reflect-metadata';
import { Controller, Get, Headers, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { createClient } from '@keyv/redis';
import { CachePage, CachingModule, InvalidatesPages, PageCache } from '../../libs/caching/src/index.js';

/**
 * A process of its own with pages, for page-processes.spec.ts: they show a number that all such processes keep in one
 * database, which is a key of the same Redis. It says at which URL it listens.
 */
const [platform, url = '', keyPrefix = ''] = process.argv.slice(2);
const NUMBER = `${keyPrefix}-number`;
/** So many round trips a handler takes after it has read the number: time for somebody to change it. */
const DAWDLING = 20;

const database = await createClient({ url })
  .on('error', () => undefined)
  .connect();

async function readSlowly(): Promise<string> {
  const read = (await database.get(NUMBER)) ?? '0';
  for (let trip = 0; trip < DAWDLING; trip += 1) await database.ping();
  return read;
}

async function change(): Promise<string> {
  return String(await database.incr(NUMBER));
}

@Controller('stock')
@CachePage('1h', { tags: ['stock'] })
class StockController {
  @Get() read(): Promise<string> {
    return readSlowly();
  }
  /** A page with variants. */
  @Get('greeting') async greeting(@Headers('accept-language') language: string): Promise<string> {
    return `${await readSlowly()} ${language}`;
  }
  /** Invalidates its own path. */
  @Post() change(): Promise<string> {
    return change();
  }
}

@Controller()
class ChangesController {
  constructor(private readonly pages: PageCache) {}

  @Post('declared') @InvalidatesPages({ tags: ['stock'] }) declared(): Promise<string> {
    return change();
  }
  @Post('by-hand') async byHand(): Promise<string> {
    const changed = await change();
    await this.pages.invalidate({ prefix: '/stock' });
    return changed;
  }
}

@Module({
  imports: [CachingModule.forRoot({ url, keyPrefix, readDeadline: '30s', writeDeadline: '30s' })],
  controllers: [StockController, ChangesController],
})
class ApplicationModule {}

const app =
  platform === 'fastify'
    ? await NestFactory.create(ApplicationModule, new FastifyAdapter(), { logger: ['error', 'warn'] })
    : await NestFactory.create(ApplicationModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');
process.on('disconnect', () => process.exit());
process.send?.(await app.getUrl());
