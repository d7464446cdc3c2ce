import { afterEach, beforeEach, expect, it } from '@jest/globals';
import {
  All,
  type CanActivate,
  ConflictException,
  Controller,
  Delete,
  ForbiddenException,
  Get,
  Head,
  HttpCode,
  InternalServerErrorException,
  Options,
  Param,
  Patch,
  Post,
  Put,
  Query,
  Redirect,
  Res,
  StreamableFile,
  UseGuards,
} from '@nestjs/common';
import { createClient } from '@keyv/redis';
import { Readable } from 'node:stream';
import { CachePage, CacheService, CachingModule } from 'nestjs-caching';
import { gate, type Gate } from '../support/gate.js';
import { describePages } from '../support/page-stores.js';
import { describeWith, startService } from '../support/services.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';
import { visit, visitStored } from '../support/visit.js';

/** What the pages show, and what changes it. */
let revision = 0;
/** Where a load waits, and how it says so. */
let holding: { begun: Gate; finish: Gate } | undefined;

interface Reply {
  header(name: string, value: string): Reply;
  status(code: number): Reply;
  send(body: unknown): unknown;
}

const change = (): string => `changed to ${(revision += 1)}`;

class Refuse implements CanActivate {
  canActivate(): boolean {
    throw new ForbiddenException();
  }
}

@Controller()
class ReadsController {
  @Get('items') @CachePage('1m') async items(@Query('q') _q?: string): Promise<string> {
    const seen = revision;
    holding?.begun.open();
    await holding?.finish.opened;
    return `revision ${seen}`;
  }
  @Get('items/:id') @CachePage('1m') item(@Param('id') id: string): string {
    return `revision ${revision} of ${id}`;
  }
  @Get('soft') @CachePage('1m', { staleWhileRevalidate: '1m', staleIfError: '1m' }) soft(): string {
    return `revision ${revision}`;
  }
  @Get('second') @CachePage('1m', { cache: 'second' }) second(): string {
    return `revision ${revision}`;
  }
}

/** Nothing here says anything of pages. */
@Controller()
class WritesController {
  @Post('items') create(): string {
    return change();
  }
  @Put('items') replace(): string {
    return change();
  }
  @Patch('items') @HttpCode(204) patch(): void {
    change();
  }
  @Delete('items') @Redirect('/elsewhere', 303) remove(): void {
    change();
  }
  @Post('second') second(): string {
    return change();
  }
  @Post('soft') soft(): string {
    return change();
  }
  @Post('items/:id') direct(@Res() reply: Reply): void {
    reply.status(202).send(change());
  }
  @Put('items/:id') stream(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.from('changed '), Buffer.from(change())]));
  }
  @Delete('items/:id') refused(@Param('id') id: string): never {
    change();
    throw id === 'conflict' ? new ConflictException() : new InternalServerErrorException();
  }
  @Patch('items/:id') @UseGuards(Refuse) guarded(): string {
    return change();
  }
  @Post('made') made(@Res({ passthrough: true }) reply: Reply, @Query('at') at: string): string {
    reply.header('location', at);
    return change();
  }
  @Post('described') described(@Res({ passthrough: true }) reply: Reply): string {
    reply.header('content-location', '/items/1?new=1');
    return change();
  }
  @Options('items') options(): string {
    return change();
  }
  @Head('head') head(): void {
    change();
  }
  @All('any') any(): string {
    return change();
  }
}

const CONTROLLERS = [ReadsController, WritesController];

describePages((platform, options) => {
  let app: TestApp;

  beforeEach(async () => {
    revision = 0;
    holding = undefined;
    const cache = options() as object;
    app = await startApp(platform, {
      imports: [CachingModule.forRoot({ caches: { default: cache, second: cache } })],
      controllers: CONTROLLERS,
    });
  });
  afterEach(() => app.close());

  const read = async (path: string): Promise<string> => (await visit(app.url, path)).text;
  const send = (method: string, path: string) => visit(app.url, path, { method });

  it.each([
    ['POST', '/items', '/items', 201],
    ['PUT', '/items', '/items', 200],
    ['PATCH', '/items', '/items', 204],
    ['DELETE', '/items', '/items', 303],
    ['POST', '/items?q=2', '/items?q=1', 201],
    ['POST', '/second', '/second', 201],
    ['POST', '/soft', '/soft', 201],
    ['POST with @Res()', '/items/1', '/items/1', 202],
    ['PUT of a stream', '/items/1', '/items/1', 200],
    ['POST with Location', '/made?at=/items/1', '/items/1', 201],
    ['POST with Location here', '/made?at=http://shop.example/items/1', '/items/1', 201],
    ['POST with Content-Location', '/described', '/items/1', 201],
  ])('rows 66 and 67: a successful %s to %s invalidates %s', async (method, path, page, status) => {
    expect(await read(page)).toMatch('revision 0');
    expect(await read(page)).toMatch('revision 0');
    expect((await send(method.split(' ')[0]!, path)).status).toBe(status);
    // The very next request: the answer was not sent before.
    expect(await read(page)).toMatch('revision 1');
  });

  it.each([
    ['a conflict', 'DELETE', '/items/conflict', '/items/conflict', 409],
    ['a failure', 'DELETE', '/items/failure', '/items/failure', 500],
    ['a guard that refuses', 'PATCH', '/items/1', '/items/1', 403],
    ['no such path', 'POST', '/items/1/nothing', '/items/1', 404],
    ['another path', 'POST', '/items/2', '/items/1', 202],
    ['OPTIONS', 'OPTIONS', '/items', '/items', 200],
    ['HEAD', 'HEAD', '/items', '/items', 200],
    ['Location on another origin', 'POST', '/made?at=http://other.example/items/1', '/items/1', 201],
  ])('rows 66 and 67: leaves pages alone: %s', async (_name, method, path, page, status) => {
    expect(await read(page)).toMatch('revision 0');
    expect(await read(page)).toMatch('revision 0');
    expect((await send(method, path)).status).toBe(status);
    expect(await read(page)).toMatch('revision 0');
  });

  it('leaves the page of a path alone that is changed by a safe method', async () => {
    expect((await send('GET', '/any')).text).toBe('changed to 1');
    expect((await send('HEAD', '/head')).status).toBe(200);
    expect(revision).toBeGreaterThan(0);
  });

  it('row 63: reaches the other spellings of the path', async () => {
    const spellings =
      platform === 'express' ? ['/Items', '/items/', '/ITEMS?q=1'] : ['/i%74ems', '/items?q=1'];
    for (const spelling of spellings) expect(await read(spelling)).toBe('revision 0');
    await send('POST', platform === 'express' ? '/iTeMs/' : '/%69tems');
    for (const spelling of spellings) expect(await read(spelling)).toBe('revision 1');
  });

  it('row 68: wins over a load that began before the change', async () => {
    holding = { begun: gate(), finish: gate() };
    const { begun, finish } = holding;
    const early = read('/items');
    await begun.opened;
    holding = undefined;
    await send('POST', '/items');
    expect(await read('/items')).toBe('revision 1');
    finish.open();
    expect(await early).toBe('revision 0');
    expect(await read('/items')).toBe('revision 1');
  });

  it('row 66: never shows an old page to somebody who has the answer', async () => {
    const stop = { isSet: false };
    const readers = Array.from({ length: 4 }, async (_, reader) => {
      while (!stop.isSet) await read(`/items?q=${reader}`);
    });
    for (let round = 1; round <= 25; round += 1) {
      await send('POST', '/items');
      const pages = await Promise.all([0, 1, 2, 3].map((reader) => read(`/items?q=${reader}`)));
      expect(pages).toEqual(pages.map(() => `revision ${round}`));
    }
    stop.isSet = true;
    await Promise.all(readers);
  });
});

describeWith('redis').each(PLATFORMS)('unsafe requests on %s and Redis', (platform) => {
  const start = (url: string, keyPrefix: string, controllers = CONTROLLERS): Promise<TestApp> =>
    startApp(platform, {
      imports: [
        CachingModule.forRoot({
          caches: {
            default: { url, keyPrefix, readDeadline: 200, writeDeadline: 300 },
            second: { backend: 'memory' },
          },
        }),
      ],
      controllers,
    });

  beforeEach(() => {
    revision = 0;
    holding = undefined;
  });

  it('row 66: invalidate in one process before another can be asked', async () => {
    const redis = await startService('redis', { own: true });
    const [one, other] = await Promise.all([start(redis.url, 'two'), start(redis.url, 'two')]);
    for (let round = 1; round <= 20; round += 1) {
      await Promise.all([visit(one.url, '/items'), visit(other.url, '/items')]);
      await visit(one.url, '/items', { method: 'POST' });
      expect((await visit(other.url, '/items')).text).toBe(`revision ${round}`);
    }
    await Promise.all([one.close(), other.close()]);
    await redis.stop();
  });

  it('cost one command on a path that nobody has cached', async () => {
    const redis = await startService('redis', { own: true });
    const app = await start(redis.url, 'cost');
    const plain = createClient({ url: redis.url });
    await plain.connect();
    // Connects, and learns the cache's control record.
    await visit(app.url, '/items');
    await visitStored(app.url, '/items');
    await plain.configResetStat();
    await visit(app.url, '/items/1', { method: 'POST' });
    const stats = await plain.info('commandstats');
    const commands = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, calls]) => [
      name,
      calls,
    ]);
    expect(commands.filter(([name]) => name !== 'config|resetstat' && name !== 'ping')).toEqual([
      ['mget', '1'],
    ]);
    plain.destroy();
    await app.close();
    await redis.stop();
  });

  it('are answered in an outage, and the change is made up for', async () => {
    const redis = await startService('redis', { own: true });
    const [app, other] = await Promise.all([start(redis.url, 'away'), start(redis.url, 'away')]);
    expect(await visitStored(other.url, '/items')).toBe('revision 0');
    expect((await visit(app.url, '/items')).text).toBe('revision 0');
    redis.freeze();
    for (let round = 1; round <= 3; round += 1) {
      const answer = await visit(app.url, '/items', { method: 'POST' });
      expect([answer.status, answer.text]).toEqual([201, `changed to ${round}`]);
      expect((await visit(app.url, '/items')).text).toBe(`revision ${round}`);
    }
    redis.thaw();
    const { statistics } = app.app.get(CacheService);
    expect(statistics.backendErrors).toBeGreaterThan(0);
    for (const deadline = Date.now() + 15_000; app.app.get(CacheService).statistics.replayed === 0;) {
      expect(Date.now()).toBeLessThan(deadline);
      await visit(app.url, '/items');
    }
    expect((await visit(other.url, '/items')).text).toBe('revision 3');
    await Promise.all([app.close(), other.close()]);
    await redis.stop();
  });
});
