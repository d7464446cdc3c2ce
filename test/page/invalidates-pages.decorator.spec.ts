import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  ConflictException,
  Controller,
  Get,
  Logger,
  type ModuleMetadata,
  Param,
  Post,
  Put,
  Res,
  type Type,
} from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { of } from 'rxjs';
import {
  CachePage,
  CachingModule,
  type CachingOptions,
  InvalidatesPages,
  InvalidDecorationError,
  InvalidPageTargetError,
  type PageCache,
} from 'nestjs-caching';
import { describePages } from '../support/page-stores.js';
import { describeWith, startService } from '../support/services.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { visit, visitStored } from '../support/visit.js';

interface Product {
  readonly id: string;
}

let runs = 0;
let errors: string[] = [];
const restore = Logger.prototype.error;

@Controller()
class PagesController {
  @Get('list') @CachePage('1m', { tags: ['lists'] }) list(): string {
    return `run ${(runs += 1)}`;
  }
  @Get('products/:id') @CachePage('1m', { staleWhileRevalidate: '1m' }) product(
    @Param('id') _id: string,
  ): string {
    return `run ${(runs += 1)}`;
  }
}

@InvalidatesPages({ path: '/products/of-base' })
class BaseController {
  @Post('write/inherited') inherited(): string {
    return 'done';
  }
}

@Controller()
@InvalidatesPages({ path: '/products/of-class' })
class WritesController extends BaseController {
  @Post('write/route') @InvalidatesPages({ route: [PagesController, 'product'] }) route(): string {
    return 'done';
  }
  @Post('write/params')
  @InvalidatesPages({ route: [PagesController, 'product'], params: { id: 1 } })
  params(): string {
    return 'done';
  }
  @Post('write/tags') @InvalidatesPages({ tags: ['lists'] }, { path: '/products/2' }) tags(): string {
    return 'done';
  }
  @Post('write/prefix') @InvalidatesPages({ prefix: '/products' }) prefix(): string {
    return 'done';
  }
  @Post('write/stacked')
  @InvalidatesPages({ path: '/list' })
  @InvalidatesPages({ path: '/products/1' })
  stacked(): string {
    return 'done';
  }
  @Post('write/soft')
  @InvalidatesPages({ path: '/products/1', soft: true }, { path: '/products/2' })
  soft(): string {
    return 'done';
  }
  @Put('write/found/:id')
  @InvalidatesPages(({ params }, result: Product) => [
    { route: [PagesController, 'product'], params: { id: params['id']! } },
    { route: [PagesController, 'product'], params: { id: result.id } },
  ])
  found(): Product {
    return { id: '2' };
  }
  @Post('write/observed')
  @InvalidatesPages((_request, result: string) => ({ path: `/products/${result}` }))
  observed() {
    return of('1', '2');
  }
  @Post('write/direct')
  @InvalidatesPages((_request, result) => (result === undefined ? { path: '/list' } : undefined))
  direct(@Res() reply: { send(body: string): unknown }): void {
    reply.send('done');
  }
  @Post('list')
  @InvalidatesPages((): undefined => {
    throw new TypeError('who@example.com');
  })
  @InvalidatesPages({ path: '/products/1' })
  throwing(): string {
    return 'done';
  }
  @Post('write/unknown') @InvalidatesPages(() => ({ prefix: '/nowhere' })) unknown(): string {
    return 'done';
  }
  @Post('write/refused') @InvalidatesPages({ path: '/list' }) refused(): never {
    throw new ConflictException();
  }
  @Get('write/get') @InvalidatesPages({ path: '/list' }) get(): string {
    return 'done';
  }
  @Get('write/plain') plain(): string {
    return 'done';
  }
  @Get('write/cached') @CachePage('1m') @InvalidatesPages({ path: '/list' }) cached(): string {
    return 'done';
  }
}

beforeEach(() => {
  [runs, errors] = [0, []];
  Logger.prototype.error = (message: string) => void errors.push(message);
});
afterEach(() => {
  Logger.prototype.error = restore;
});

describePages((platform, options) => {
  let app: TestApp;
  const ALL = ['/list', '/products/1', '/products/2', '/products/of-class', '/products/of-base'];

  beforeEach(async () => {
    app = await startApp(platform, {
      imports: [CachingModule.forRoot(options())],
      controllers: [PagesController, WritesController],
    });
  });
  afterEach(() => app.close());

  const read = async (path: string): Promise<string> => (await visit(app.url, path)).text;
  const readAll = async (): Promise<string[]> => {
    const texts: string[] = [];
    for (const path of ALL) texts.push(await read(path));
    return texts;
  };
  /** The pages that are made anew after a request. */
  const changedBy = async (method: string, path: string, status: number): Promise<string[]> => {
    const before = await readAll();
    expect(await readAll()).toEqual(before);
    expect((await visit(app.url, path, { method })).status).toBe(status);
    const after = await readAll();
    return ALL.filter((_path, index) => after[index] !== before[index]);
  };
  const OF_CLASS = ['/products/of-class', '/products/of-base'];

  it.each([
    ['a route', 'POST', '/write/route', ALL.slice(1)],
    ['a route with parameters', 'POST', '/write/params', ['/products/1', ...OF_CLASS]],
    ['tags and a path', 'POST', '/write/tags', ['/list', '/products/2', ...OF_CLASS]],
    ['a prefix', 'POST', '/write/prefix', ALL.slice(1)],
    ['what several decorators name', 'POST', '/write/stacked', ['/list', '/products/1', ...OF_CLASS]],
    ['what request and result tell', 'PUT', '/write/found/1', ['/products/1', '/products/2', ...OF_CLASS]],
    ['what the last value tells', 'POST', '/write/observed', ['/products/2', ...OF_CLASS]],
    ['for a handler that answers itself', 'POST', '/write/direct', ['/list', ...OF_CLASS]],
    ['what the controller names for an inherited handler', 'POST', '/write/inherited', OF_CLASS],
    ['for a GET what its method names', 'GET', '/write/get', ['/list']],
    ['nothing for a GET that names nothing', 'GET', '/write/plain', []],
    ['nothing if the request fails', 'POST', '/write/refused', []],
    ['only what is not to be stale', 'POST', '/write/soft', ['/products/2', ...OF_CLASS]],
  ])('invalidates %s', async (name, method, path, changed) => {
    const status = name.includes('fails') ? 409 : method === 'POST' ? 201 : 200;
    expect(await changedBy(method, path, status)).toEqual(changed);
  });

  it('leaves the answer alone when a function throws, invalidates the rest, and says so once', async () => {
    expect(await changedBy('POST', '/list', 201)).toEqual(['/list', '/products/1', ...OF_CLASS]);
    await visit(app.url, '/list', { method: 'POST' });
    expect(errors).toEqual([expect.stringMatching(/WritesController\.throwing.*TypeError was thrown/)]);
    expect(errors.join('')).not.toContain('who@example.com');
    expect(await changedBy('POST', '/write/unknown', 201)).toEqual(OF_CLASS);
    expect(errors[1]).toMatch(/WritesController\.unknown.*No cached route/);
  });

  it('changes nothing where a stored page is the answer', async () => {
    await visitStored(app.url, '/write/cached');
    const before = await read('/list');
    expect(await read('/list')).toBe(before);
    expect((await visit(app.url, '/write/cached')).isHit).toBe(true);
    expect(await read('/list')).toBe(before);
  });
});

describeWith('redis')('an application without pages', () => {
  @Controller()
  class WriterController {
    @Post('publish') @InvalidatesPages({ path: '/list' }) publish(): string {
      return 'done';
    }
    @Post('products/1') own(): string {
      return 'done';
    }
  }

  it('invalidates those of another on the same cache', async () => {
    const redis = await startService('redis', { own: true });
    const start = (controllers: Type[]): Promise<TestApp> =>
      startApp('fastify', {
        imports: [CachingModule.forRoot({ url: redis.url, keyPrefix: 'both' })],
        controllers,
      });
    const [reader, writer] = await Promise.all([start([PagesController]), start([WriterController])]);
    const before = await Promise.all(['/list', '/products/1'].map((path) => visitStored(reader.url, path)));
    await visit(writer.url, '/publish', { method: 'POST' });
    await visit(writer.url, '/products/1', { method: 'POST' });
    expect((await visit(reader.url, '/list')).text).not.toBe(before[0]);
    expect((await visit(reader.url, '/products/1')).text).not.toBe(before[1]);
    await Promise.all([reader.close(), writer.close()]);
    await redis.stop();
  });
});

describe('@InvalidatesPages', () => {
  const start = (controllers: Type[], options: CachingOptions = {}): Promise<TestApp> =>
    startApp('express', { imports: [CachingModule.forRoot(options)], controllers });

  it('shows mistakes when the application starts', async () => {
    @Controller()
    class MistakenController {
      @Post() @InvalidatesPages({ prefix: '/nowhere' }) write(): string {
        return 'done';
      }
    }
    await expect(start([MistakenController, PagesController])).rejects.toThrow(InvalidPageTargetError);
    await expect(start([WritesController])).rejects.toThrow(/PagesController\.product is no route/);
  });

  it('costs an application without page decorators nothing', async () => {
    @Controller()
    class PlainController {
      @Post() write(): string {
        return 'done';
      }
    }
    const app = await start([PlainController]);
    expect(app.app.get(ApplicationConfig).getGlobalInterceptors()).toEqual([]);
    await app.close();
  });

  describe.each([
    ['@CachePage', () => CachePage('1m'), /takes? @Cached/],
    ['@InvalidatesPages', () => InvalidatesPages({ path: '/x' }), /PageCache\.invalidate/],
  ])('%s where there is no route', (name, decorate, remedy) => {
    class BasePrices {
      read(): string {
        return 'price';
      }
    }
    decorate()(BasePrices.prototype, 'read', Object.getOwnPropertyDescriptor(BasePrices.prototype, 'read')!);

    const starting = async (metadata: ModuleMetadata): Promise<TestingModule> =>
      (await Test.createTestingModule({ imports: [CachingModule.forRoot()], ...metadata }).compile()).init();

    class Prices extends BasePrices {}
    class PricesController extends BasePrices {}
    Controller()(PricesController);

    it.each<[string, string, ModuleMetadata]>([
      ['of a service', 'Prices', { providers: [Prices] }],
      ['of a controller', 'PricesController', { controllers: [PricesController] }],
      [
        'of what a factory makes',
        'Prices',
        { providers: [{ provide: 'p', useFactory: () => new Prices() }] },
      ],
      ['of a value', 'Prices', { providers: [{ provide: 'p', useValue: new Prices() }] }],
    ])('is an error at start on a method %s, inherited or not', async (_what, type, metadata) => {
      const message = new RegExp(`${name} on ${type}\\.read: it is no HTTP route`);
      await expect(starting(metadata)).rejects.toThrow(InvalidDecorationError);
      await expect(starting(metadata)).rejects.toThrow(message);
      await expect(starting(metadata)).rejects.toThrow(remedy);
    });

    it('is an error at start on a class that is no controller', async () => {
      class Plain {}
      decorate()(Plain);
      await expect(starting({ providers: [Plain] })).rejects.toThrow(`${name} on Plain: it is no controller`);
    });

    it('is looked for in values of every kind', async () => {
      const values = [null, 'text', {}, [], Object.create(null), Object.create(Object.create(null)), () => 1];
      const providers = values.map((useValue, index) => ({ provide: `v${index}`, useValue }));
      await (await starting({ providers })).close();
    });
  });

  it('refuses to stand where it cannot work', () => {
    const target = { path: '/x' };
    expect(() => (InvalidatesPages as () => unknown)()).toThrow(InvalidDecorationError);
    expect(() => InvalidatesPages(target)({}, 'field', undefined as never)).toThrow(InvalidDecorationError);
    class Accessed {}
    const accessor = { get: () => 1, configurable: true };
    expect(() => InvalidatesPages(target)(Accessed.prototype, 'field', accessor)).toThrow(
      InvalidDecorationError,
    );
  });
});

/** What must compile, and what must not. Never called. */
export async function typesOf(pages: PageCache, ids: readonly string[]): Promise<void> {
  await pages.invalidate({ route: [PagesController, 'list'] });
  await pages.invalidate([
    { route: [PagesController, 'list'] },
    { route: [WritesController, 'tags'], params: { id: 1 } },
    { path: '/x' },
    { tags: ['a'] },
  ]);
  await pages.invalidate(
    ids.map((id) => ({ path: `/x/${id}` })),
    { soft: true },
  );
  await pages.invalidate(ids.map((id) => ({ route: [PagesController, 'product'] as const, params: { id } })));
  // @ts-expect-error Not a method of the controller.
  await pages.invalidate({ route: [PagesController, 'tags'] });
  // @ts-expect-error Not a method of the controller.
  await pages.invalidate([{ route: [WritesController, 'tags'] }, { route: [PagesController, 'tags'] }]);

  InvalidatesPages(
    { route: [PagesController, 'list'] },
    { route: [WritesController, 'tags'] },
    { tags: ['x'] },
  );
  InvalidatesPages((request) => ({ path: `/x/${request.params['id']}` }));
  InvalidatesPages((_request, { id }: Product) => ({ route: [PagesController, 'product'], params: { id } }));
  InvalidatesPages((_request, { id }: Product) => [
    { route: [PagesController, 'product'], params: { id } },
    { route: [WritesController, 'tags'] },
    { path: '/' },
  ]);
  InvalidatesPages((_request, all: Product[]) => all.map(({ id }) => ({ path: `/products/${id}` })));
  // @ts-expect-error Not a method of the controller.
  InvalidatesPages({ route: [PagesController, 'tags'] });
  // @ts-expect-error Not a method of the controller.
  InvalidatesPages((_request, { id }: Product) => ({ route: [PagesController, 'tags'], params: { id } }));
  // @ts-expect-error Not a method of the controller.
  InvalidatesPages((_request, _result: Product) => [{ route: [PagesController, 'tags'] }]);
}
