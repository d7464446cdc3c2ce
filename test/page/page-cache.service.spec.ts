import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Controller, Get, Param, Post, Query } from '@nestjs/common';
import { createClient } from '@keyv/redis';
import {
  BackendError,
  CachePage,
  CacheService,
  CachingModule,
  InvalidArgumentError,
  InvalidPageTargetError,
  PageCache,
  VaryOn,
} from 'nestjs-caching';
import { gate, type Gate } from '../support/gate.js';
import { describePages } from '../support/page-stores.js';
import { describeWith, startService } from '../support/services.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { visit as visitAt, visitStored } from '../support/visit.js';

let runs = 0;
/** Where the held handler waits, and how it says that it does. */
let holding: { begun: Gate; finish: Gate } | undefined;

class BaseController {
  @Get('of/base') base(): string {
    return `run ${(runs += 1)}`;
  }
}

@Controller('products')
@CachePage('1m', { tags: ['products'] })
class ProductsController extends BaseController {
  @Get() @VaryOn('X-Lang') list(@Query('sort') sort?: string): string {
    return `run ${(runs += 1)} ${sort}`;
  }
  @Get('soft') @CachePage('1m', { staleWhileRevalidate: '1m' }) soft(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('held') async held(): Promise<string> {
    runs += 1;
    const run = runs;
    holding?.begun.open();
    await holding?.finish.opened;
    return `run ${run}`;
  }
  @Get('learned') @CachePage('1m', { tags: () => ['learned late'] }) learned(): Promise<string> {
    return this.held();
  }
  @Get(':id') find(@Param('id') _id: string): string {
    return `run ${(runs += 1)}`;
  }
  @Get(':id/parts/:part') part(): string {
    return `run ${(runs += 1)}`;
  }
  @Post('change') change(): string {
    return 'changed';
  }
}

@Controller()
class OtherController {
  @Get('others/:id') @CachePage('1m', { cache: 'second', tags: () => ['learned'] }) other(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('plain') plain(): string {
    return 'plain';
  }
}

@Controller('unregistered')
class UnregisteredController {
  @Get() @CachePage('1m') page(): string {
    return 'page';
  }
}

describePages((platform, options) => {
  let app: TestApp;
  let pages: PageCache;

  beforeEach(async () => {
    runs = 0;
    holding = undefined;
    const cache = options() as object;
    app = await startApp(
      platform,
      {
        imports: [CachingModule.forRoot({ caches: { default: cache, second: cache } })],
        controllers: [ProductsController, OtherController],
      },
      (made) => made.setGlobalPrefix('api'),
    );
    pages = app.app.get(PageCache);
  });
  afterEach(() => app.close());

  const visit = async (path: string, headers: Record<string, string> = {}): Promise<string> => {
    const { status, text } = await visitAt(app.url, path, headers);
    return `${status} ${text}`;
  };

  /** Which of these are still there: visited once to be stored, and once more to see. */
  async function survivorsOf(visits: readonly (() => Promise<string>)[], action: () => Promise<unknown>) {
    const before: string[] = [];
    for (const each of visits) before.push(await each());
    for (const [index, each] of visits.entries()) expect(await each()).toBe(before[index]);
    await action();
    const survivors: number[] = [];
    for (const [index, each] of visits.entries()) if ((await each()) === before[index]) survivors.push(index);
    return survivors;
  }

  const all = [
    '/api/products',
    '/api/products?sort=name',
    '/api/products/1',
    '/api/products/2',
    '/api/products/1/parts/7',
    '/api/products/of/base',
    '/api/others/1',
  ];

  it.each([
    ['a route', { route: [ProductsController, 'find'] as const }, [0, 1, 4, 5, 6]],
    [
      'a route with parameters',
      { route: [ProductsController, 'find'] as const, params: { id: 1 } },
      [0, 1, 3, 4, 5, 6],
    ],
    [
      'a route with several parameters',
      { route: [ProductsController, 'part'] as const, params: { id: '1', part: 7 } },
      [0, 1, 2, 3, 5, 6],
    ],
    ['an inherited route', { route: [ProductsController, 'base'] as const }, [0, 1, 2, 3, 4, 6]],
    ['a path with all its queries', { path: '/api/products' }, [2, 3, 4, 5, 6]],
    ['a path whatever its own query', { path: '/api/products?sort=price' }, [2, 3, 4, 5, 6]],
    ['a prefix', { prefix: '/api/products' }, [6]],
    ['a prefix within', { prefix: '/api/products/1/parts' }, [0, 1, 2, 3, 5, 6]],
    ['everything', { prefix: '/' }, []],
    ['tags', { tags: ['products'] }, [6]],
    ['tags that are learned, of another cache', { tags: ['learned'] }, [0, 1, 2, 3, 4, 5]],
    ['another cache', { path: '/api/others/1' }, [0, 1, 2, 3, 4, 5]],
    ['what nobody asked for', { path: '/api/nothing' }, [0, 1, 2, 3, 4, 5, 6]],
  ])('invalidates %s and nothing else', async (_name, target, survivors) => {
    const visits = all.map((path) => () => visit(path));
    expect(await survivorsOf(visits, () => pages.invalidate(target as { path: string }))).toEqual(survivors);
  });

  it('invalidates several targets at once', async () => {
    const visits = all.map((path) => () => visit(path));
    const several = () =>
      pages.invalidate([
        { route: [ProductsController, 'find'], params: { id: 2 } },
        { route: [OtherController, 'other'] },
        { path: '/api/products/of/base' },
      ]);
    expect(await survivorsOf(visits, several)).toEqual([0, 1, 2, 4]);
    await pages.invalidate([]);
  });

  it('82: reaches every host, variant and spelling that the router takes', async () => {
    const visits = [
      () => visit('/api/products', { host: 'a.example' }),
      () => visit('/api/products', { 'x-lang': 'de' }),
      () => visit('/api/products', { 'x-lang': 'en', host: 'b.example' }),
      () => visit('/api/products?'),
      ...(platform === 'express'
        ? [() => visit('/API/Products'), () => visit('/api/products/')]
        : [() => visit('/api/produc%74s')]),
    ];
    for (const each of visits) expect(await each()).toMatch(/^200/);
    expect(await survivorsOf(visits, () => pages.invalidate({ path: '/api/PRODUCTS/' }))).toEqual([]);
  });

  it('finds pages by parameters that need escaping', async () => {
    const ids = ['é', 'a b', 'A', 'a%2Fb', '100%25'];
    const visits = ids.map(
      (id) => () => visit(`/api/products/${id.includes('%') ? id : encodeURIComponent(id)}`),
    );
    const decoded = ['é', 'a b', 'a', 'a/b', '100%'];
    const survivors = await survivorsOf(visits, async () => {
      for (const id of decoded)
        await pages.invalidate({ route: [ProductsController, 'find'], params: { id } });
    });
    expect(survivors).toEqual([]);
  });

  it('row 68: wins over a page that is being made', async () => {
    holding = { begun: gate(), finish: gate() };
    const { begun, finish } = holding;
    const first = visit('/api/products/held');
    await begun.opened;
    await pages.invalidate({ path: '/api/products/held' });
    holding = undefined;
    // Who comes after the invalidation does not wait for what was begun before it.
    const second = await visit('/api/products/held');
    finish.open();
    expect(await first).toBe('200 run 1');
    expect(second).toBe('200 run 2');
    expect(await visit('/api/products/held')).not.toBe('200 run 1');
  });

  it.each([
    ['route', { route: [ProductsController, 'held'] as const }],
    ['prefix', { prefix: '/api' }],
    ['tag', { tags: ['products'] }],
    ['tag that nobody knew', { tags: ['learned late'] }],
  ])('row 68: keeps what was being made meanwhile from being stored: by %s', async (name, target) => {
    const path = name.includes('nobody') ? '/api/products/learned' : '/api/products/held';
    holding = { begun: gate(), finish: gate() };
    const { begun, finish } = holding;
    const first = visit(path);
    await begun.opened;
    await pages.invalidate(target as unknown as { path: string });
    finish.open();
    holding = undefined;
    expect(await first).toBe('200 run 1');
    expect(await visit(path)).toBe('200 run 2');
  });

  it('makes pages with stale windows stale if soft, and others absent', async () => {
    expect(await visit('/api/products/soft')).toBe('200 run 1');
    expect(await visit('/api/products/1')).toBe('200 run 2');
    await pages.invalidate({ tags: ['products'] }, { soft: true });
    await pages.invalidate({ prefix: '/api/products' }, { soft: true });
    expect(await visit('/api/products/1')).toBe('200 run 3');
    expect(await visit('/api/products/soft')).toBe('200 run 1');
    await pages.invalidate({ path: '/api/products/soft' });
    expect(await visit('/api/products/soft')).not.toBe('200 run 1');
  });

  it('refuses what names no pages, and says what to do', async () => {
    const refused = (target: unknown, message: RegExp) =>
      expect(pages.invalidate(target as { path: string })).rejects.toThrow(message);
    await refused({ route: [UnregisteredController, 'page'] }, /not registered.*\{ path \}/);
    await refused({ route: [ProductsController, 'nothing'] }, /is no route/);
    await refused({ route: [OtherController, 'plain'] }, /OtherController\.plain is not cached.*@CachePage/);
    await refused({ route: [ProductsController, 'change'] }, /is no GET/);
    await refused({ route: [ProductsController, 'find'], params: {} }, /it has `id`/);
    await refused({ route: [ProductsController, 'find'], params: { id: '' } }, /not empty/);
    await refused({ route: [ProductsController, 'find'], params: { id: 1, other: 2 } }, /it has `id`/);
    await refused({ route: [ProductsController, 'find'], params: { id: null } }, /it has `id`/);
    await refused({ route: [ProductsController, 'list'], params: { id: 1 } }, /it has none/);
    await refused({ prefix: '/products' }, /No cached route.*global prefix/);
    await refused({ prefix: 'api' }, /begins with "\/"/);
    await refused({ path: 'products' }, /begins with "\/"/);
    for (const target of [
      undefined,
      {},
      { path: '/x', tags: ['x'] },
      { path: '/x', params: {} },
      { route: [undefined, 'find'] },
      { route: ProductsController },
      '/x',
    ]) {
      await expect(pages.invalidate(target as { path: string })).rejects.toThrow(InvalidPageTargetError);
    }
    await expect(pages.invalidate({ tags: [''] })).rejects.toThrow(InvalidArgumentError);
  });
});

describeWith('redis')('PageCache on Redis', () => {
  const start = (url: string, keyPrefix: string): Promise<TestApp> =>
    startApp('fastify', {
      imports: [CachingModule.forRoot({ url, keyPrefix, readDeadline: 200, writeDeadline: 300 })],
      controllers: [ProductsController],
    });

  it('64: costs the same for one page and for many, and one command for none', async () => {
    const redis = await startService('redis', { own: true });
    const app = await start(redis.url, 'cost');
    const pages = app.app.get(PageCache);
    const plain = createClient({ url: redis.url });
    await plain.connect();
    const costOf = async (action: () => Promise<unknown>): Promise<number> => {
      await plain.configResetStat();
      await action();
      const stats = await plain.info('commandstats');
      return [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)]
        .filter(([, name]) => !['config|resetstat', 'info', 'ping'].includes(name!))
        .reduce((sum, [, , calls]) => sum + Number(calls), 0);
    };
    const whole = { route: [ProductsController, 'list'] } as const;
    await visitStored(app.url, '/products?sort=0');
    const ofOne = await costOf(() => pages.invalidate(whole));
    for (let page = 0; page < 200; page += 1) await visitStored(app.url, `/products?sort=${page}`);
    const ofMany = await costOf(() => pages.invalidate(whole));
    // Two stamps and a record, each a script that reads and writes, and what the script's own commands count as.
    expect(ofOne).toBeLessThanOrEqual(11);
    expect(ofMany).toBeLessThanOrEqual(ofOne);
    expect(await costOf(() => pages.invalidate({ path: '/never/asked/for' }))).toBe(1);
    plain.destroy();
    await app.close();
    await redis.stop();
  });

  it('reaches the pages of other processes', async () => {
    const redis = await startService('redis', { own: true });
    const [one, other] = await Promise.all([start(redis.url, 'two'), start(redis.url, 'two')]);
    const before = await visitStored(one.url, '/products/1');
    expect((await visitAt(other.url, '/products/1')).text).toBe(before);
    await one.app.get(PageCache).invalidate({ prefix: '/products' });
    expect((await visitAt(other.url, '/products/1')).text).not.toBe(before);
    await Promise.all([one.close(), other.close()]);
    await redis.stop();
  });

  it('rejects in an outage, hides the page from this process, and makes up for it', async () => {
    const redis = await startService('redis', { own: true });
    const app = await start(redis.url, 'away');
    const other = await start(redis.url, 'away');
    const before = await visitStored(app.url, '/products/1');
    expect((await visitAt(other.url, '/products/1')).text).toBe(before);
    redis.freeze();
    await expect(app.app.get(PageCache).invalidate({ path: '/products/1' })).rejects.toThrow(BackendError);
    redis.thaw();
    const cache = app.app.get(CacheService);
    for (const deadline = Date.now() + 10_000; cache.statistics.replayed === 0;) {
      expect(Date.now()).toBeLessThan(deadline);
      await visitAt(app.url, '/products/1');
    }
    expect((await visitAt(other.url, '/products/1')).text).not.toBe(before);
    await Promise.all([app.close(), other.close()]);
    await redis.stop();
  });
});
