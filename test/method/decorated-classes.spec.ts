import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import {
  ConsoleLogger,
  Controller,
  Get,
  Header,
  HttpCode,
  Inject,
  Injectable,
  type ModuleMetadata,
  Param,
  ParseIntPipe,
  Scope,
  SetMetadata,
} from '@nestjs/common';
import { ModuleRef, REQUEST } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Cached,
  CacheEvict,
  cacheKey,
  CachedMany,
  CachePut,
  CacheService,
  CachingModule,
  InvalidDecorationError,
} from 'nestjs-caching';
import { FailingBackend } from 'nestjs-caching/testing';
import { MemoryBackend } from '../../libs/caching/src/backends/memory.backend.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

class SilentLogger extends ConsoleLogger {
  override printMessages(): void {}
}

let open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.map((each) => each.close()));
  open = [];
});

/** An application without HTTP around these providers. */
async function start(metadata: ModuleMetadata, imports = [CachingModule.forRoot()]): Promise<TestingModule> {
  const module = await Test.createTestingModule({
    ...metadata,
    imports: [...imports, ...(metadata.imports ?? [])],
  })
    .setLogger(new SilentLogger())
    .compile();
  open.push(module);
  return module.init();
}

@Injectable()
class Counter {
  runs = 0;

  @Cached()
  async count(_id?: number): Promise<number> {
    return (this.runs += 1);
  }
}

describe('objects of decorated classes', () => {
  it('work on the caches of the application that made them, of several in one process', async () => {
    const [one, other] = [await start({ providers: [Counter] }), await start({ providers: [Counter] })];
    const [ofOne, ofOther] = [one.get(Counter), other.get(Counter)];
    await ofOne.count();
    expect([await ofOther.count(), ofOther.runs]).toEqual([1, 1]);
    await one.get(CacheService).clear();
    await Promise.all([ofOne.count(), ofOther.count()]);
    expect([ofOne.runs, ofOther.runs]).toEqual([2, 1]);
    open = open.filter((each) => each !== one);
    await one.close();
    expect(await ofOther.count()).toBe(1);
    await expect(ofOne.count()).rejects.toMatchObject({ code: 'CACHING_CLOSED' });
  });

  it('made by a factory or given as they are work as those that Nest makes', async () => {
    class Made extends Counter {}
    const module = await start({
      providers: [
        { provide: 'made', useFactory: () => new Made() },
        { provide: Counter, useValue: new Counter() },
        { provide: 'alias', useExisting: Counter },
      ],
    });
    for (const token of ['made', Counter, 'alias']) {
      const counter = module.get<Counter>(token);
      expect([await counter.count(), await counter.count()]).toEqual([1, 1]);
    }
    expect(module.get(Counter).runs).toBe(1);
  });

  it('can be used before the application is ready, by whoever injects them', async () => {
    const module = await start({
      providers: [
        Counter,
        { provide: 'first', useFactory: (counter: Counter) => counter.count(), inject: [Counter] },
      ],
    });
    expect(module.get<number>('first')).toBe(1);
    expect(await module.get(Counter).count()).toBe(1);
  });

  it('say what is missing: at the start of an application without CachingModule, and on a call outside of any', async () => {
    const starting = Test.createTestingModule({ providers: [Counter] })
      .setLogger(new SilentLogger())
      .compile();
    await expect(starting).rejects.toMatchObject({ code: 'CACHING_NOT_CONNECTED', method: 'Counter' });
    await expect(new Counter().count()).rejects.toMatchObject({
      code: 'CACHING_NOT_CONNECTED',
      method: 'Counter.count',
      message: expect.stringContaining('CachingModule.forRoot()'),
    });
    await expect(Reflect.apply(new Counter().count, undefined, [])).rejects.toMatchObject({
      code: 'CACHING_NOT_CONNECTED',
    });
  });

  it('need the module imported beside them where it is not global', async () => {
    const caching = CachingModule.forRoot({ isGlobal: false });
    class Feature {}
    const feature = (imports: ModuleMetadata['imports'] = []) => ({
      module: Feature,
      imports,
      providers: [Counter],
    });
    await expect(start({ imports: [feature()] }, [caching])).rejects.toMatchObject({
      code: 'CACHING_NOT_CONNECTED',
    });
    const module = await start({ imports: [feature([caching])] }, [caching]);
    expect(await module.get(Counter, { strict: false }).count()).toBe(1);
  });

  it('keep nothing on the null backend', async () => {
    const module = await start({ providers: [Counter] }, [CachingModule.forRoot({ backend: 'null' })]);
    expect([await module.get(Counter).count(), await module.get(Counter).count()]).toEqual([1, 2]);
  });
});

describe('a class hierarchy', () => {
  const calls: string[] = [];

  @Injectable()
  abstract class Repository<T> {
    abstract readonly table: string;
    @Cached()
    async find(id: number): Promise<string> {
      calls.push(`find in ${this.table}`);
      return `${this.table} ${id}`;
    }
    @Cached()
    async list(_filter?: T): Promise<string> {
      calls.push(`list in ${this.table}`);
      return `all ${this.table}`;
    }
  }
  @Injectable()
  class Users extends Repository<'user'> {
    readonly table: string = 'users';
  }
  @Injectable()
  class Admins extends Users {
    override readonly table = 'admins';
    @Cached()
    override async find(id: number): Promise<string> {
      calls.push('find in Admins');
      return `admin ${await super.find(id)}`;
    }
    override async list(): Promise<string> {
      calls.push('list in Admins');
      return super.list();
    }
  }

  it('114 · a decorator on a class hierarchy, overridden method, generics → distinct keys; a subclass does not hit the entries of its parent', async () => {
    const module = await start({ providers: [Users, Admins] });
    const [users, admins] = [module.get(Users), module.get(Admins)];
    for (let time = 0; time < 2; time += 1) {
      expect(await users.find(1)).toBe('users 1');
      expect(await admins.find(1)).toBe('admin admins 1');
      expect([await users.list(), await admins.list()]).toEqual(['all users', 'all admins']);
    }
    expect(calls).toEqual([
      'find in users',
      'find in Admins',
      'find in admins',
      'list in users',
      'list in Admins',
      'list in admins',
      'list in Admins',
    ]);
    const cache = module.get(CacheService);
    const keys = ['Users:Repository.find', 'Admins.find', 'Admins:Repository.find'].map((name) =>
      cacheKey(name, 1),
    );
    expect([...(await cache.getMany(keys)).values()]).toEqual(['users 1', 'admin admins 1', 'admins 1']);
  });

  it('with the name of a class twice is refused at the start, and on a call where nobody saw it', async () => {
    const twin = (): new () => { find(): Promise<number> } => {
      @Injectable()
      class Twin {
        @Cached()
        async find(): Promise<number> {
          return 1;
        }
      }
      return Twin;
    };
    const [One, Other] = [twin(), twin()];
    await expect(start({ providers: [One, Other] })).rejects.toThrow(
      /@Cached on Twin.find: another class or decorator has the same name/,
    );
    // As a module that is loaded later is.
    const module = await start({ providers: [One] });
    const later = await module.get(ModuleRef).create(Other);
    await expect(later.find()).rejects.toBeInstanceOf(InvalidDecorationError);
    expect(await module.get(One).find()).toBe(1);
  });

  it('with one name for the entries of several classes is refused, unless a key tells them apart', async () => {
    class Base {
      @Cached({ name: 'shared' })
      async find(id: number): Promise<string> {
        return `${this.constructor.name} ${id}`;
      }
      @Cached({
        name: 'keyed',
        key(this: Base, id: number) {
          return [this.constructor.name, id];
        },
      })
      async keyed(id: number): Promise<string> {
        return `${this.constructor.name} ${id}`;
      }
    }
    @Injectable()
    class One extends Base {}
    @Injectable()
    class Other extends Base {
      override async find(id: number): Promise<string> {
        return `own ${id}`;
      }
    }
    await expect(start({ providers: [One, Other] })).rejects.toThrow(/several classes inherit the method/);
    const module = await start({ providers: [One] });
    expect([await module.get(One).find(1), await module.get(One).keyed(1)]).toEqual(['One 1', 'One 1']);
    const other = await module.get(ModuleRef).create(Other);
    expect([await other.find(1), await other.keyed(1)]).toEqual(['own 1', 'Other 1']);
  });

  it('without a name is refused, unless the decorator has one', async () => {
    const anonymous = (name?: string): new () => { find(): Promise<number> } =>
      (() => {
        class Host {
          async find(): Promise<number> {
            return 1;
          }
        }
        Object.defineProperty(Host, 'name', { value: '' });
        const descriptor = Object.getOwnPropertyDescriptor(Host.prototype, 'find') as PropertyDescriptor;
        (name === undefined ? Cached() : Cached({ name }))(Host.prototype, 'find', descriptor);
        Object.defineProperty(Host.prototype, 'find', descriptor);
        Injectable()(Host);
        return Host;
      })();
    await expect(start({ providers: [{ provide: 'host', useClass: anonymous() }] })).rejects.toThrow(
      /has no name/,
    );
    const module = await start({ providers: [{ provide: 'host', useClass: anonymous('host') }] });
    expect(await module.get<{ find(): Promise<number> }>('host').find()).toBe(1);
  });
});

describe('what is wrong shows', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'a static method',
      () =>
        apply(
          Cached(),
          class {
            static async find() {}
          },
          'find',
        ),
      /@Cached goes on a method/,
    ],
    [
      'a getter',
      () =>
        apply(
          Cached(),
          {
            get find() {
              return Promise.resolve(1);
            },
          },
          'find',
        ),
      /@Cached goes on a method/,
    ],
    ['a property', () => (Cached() as PropertyDecorator)({}, 'find'), /@Cached goes on a method/],
    ['a bad ttl', () => Cached('5 minutes' as never), /is not a duration/],
    ['a bad window', () => Cached({ staleIfError: NaN }), /is not a duration/],
    ['a bad name', () => Cached({ name: 'a(' }), /name of a cached method/],
    ['bad tags', () => Cached({ tags: [''] }), /Tags are/],
    ['bad tags to evict', () => CacheEvict({ tags: [1 as never] }), /Tags are/],
    ['no name to put', () => CachePut({} as never), /name of a cached method/],
    ['nothing to evict', () => CacheEvict({}), /what goes/],
    [
      'an option that nobody knows',
      () => Cached({ ttl: '5m', tag: ['a'] } as object),
      /The options of @Cached have a problem:\n {2}- tag: unknown option, did you mean "tags"\?/,
    ],
    [
      'an option of another decorator',
      () => CachePut({ name: 'a', resultKey: () => [], copy: true } as never),
      /@CachePut [^]*- copy: unknown option; allowed here: cache, version/,
    ],
    ['a list where a function belongs', () => Cached({ key: ['id'] as never }), /- key: use a function/],
    ['a text for tags', () => CachedMany({ tags: 'a' as never }), /@CachedMany [^]*- tags: use a list of/],
    [
      'no answer of a batch',
      () => CachedMany({ answers: 'set' as never }),
      /- answers: use 'map' or 'array'/,
    ],
    [
      'a text for a flag',
      () => CacheEvict({ all: 'no' as never }),
      /@CacheEvict [^]*- all: use true or false/,
    ],
    ['no options to evict', () => (CacheEvict as () => unknown)(), /- \(options\): use an object/],
    ['a key without a name to evict', () => CacheEvict({ key: () => [], tags: ['a'] }), /what goes/],
  ])('where it is written: %s', (_what, write, message) => {
    expect(write).toThrow(message);
  });

  it('at the start: a cache that nobody has configured', async () => {
    @Injectable()
    class Lost {
      @CacheEvict({ cache: 'reprots', all: true })
      async change(): Promise<void> {}
    }
    await expect(start({ providers: [Lost] })).rejects.toMatchObject({ code: 'CACHING_UNKNOWN_CACHE' });
  });

  it('on a call: a batch method that answers something else', async () => {
    @Injectable()
    class Batches {
      @CachedMany()
      async wrong(_ids: readonly number[]): Promise<Map<number, string>> {
        return ['a'] as never;
      }
      @CachedMany({ answers: 'array' })
      async short(_ids: readonly number[]): Promise<(string | undefined)[]> {
        return ['a'];
      }
    }
    const batches = (await start({ providers: [Batches] })).get(Batches);
    await expect(batches.wrong([1])).rejects.toThrow(/did not answer a Map/);
    await expect(batches.short([1, 2])).rejects.toThrow(/one element for each id/);
    await expect(batches.short(1 as never)).rejects.toMatchObject({ code: 'CACHING_INVALID_ARGUMENT' });
  });
});

describe('@CachedMany', () => {
  const asked: unknown[][] = [];
  @Injectable()
  class Prices {
    @CachedMany({
      answers: 'array',
      condition: (id: number) => id >= 0,
      unless: (price: number) => price === 13,
      key: (id: number, currency: string) => [currency, id],
      resultTags: (price: number) => [`price:${price}`],
    })
    async of(ids: readonly number[], currency: string): Promise<(number | undefined)[]> {
      asked.push([...ids].sort(), [currency]);
      return ids.map((id) => (id === 404 ? undefined : id * 10 + 3));
    }
  }

  it('answers in the order of the ids, asks for what is missing, and goes by the options for each id', async () => {
    const module = await start({ providers: [Prices] });
    const prices = module.get(Prices);
    const read = async (...ids: number[]) => {
      asked.length = 0;
      return prices.of(ids, 'EUR');
    };
    expect(await read(2, 0, 2, 404)).toEqual([23, 3, 23, undefined]);
    expect(asked).toEqual([[0, 2, 404], ['EUR']]);
    expect(await read(5, 2, 0)).toEqual([53, 23, 3]);
    expect(asked).toEqual([[5], ['EUR']]);
    // Not stored: absent, left out by `unless`, and those that the condition keeps from the cache.
    expect(await read(404, 1, -1, 2)).toEqual([undefined, 13, -7, 23]);
    expect(await read(404, 1, -1, 2)).toEqual([undefined, 13, -7, 23]);
    expect(asked.flat().sort()).toEqual([-1, 1, 404, 'EUR', 'EUR']);
    await module.get(CacheService).invalidateTags(['price:53']);
    await read(0, 2, 5);
    expect(asked).toEqual([[5], ['EUR']]);
    expect(await read()).toEqual([]);
    expect(asked).toEqual([]);
    expect(await prices.of([2], 'USD')).toEqual([23]);
    expect(asked).toEqual([[2], ['USD']]);
  });
});

describe('request-scoped classes', () => {
  @Injectable({ scope: Scope.REQUEST })
  class Tenant {
    constructor(@Inject(REQUEST) private readonly request: { headers: Record<string, string> }) {}
    get id(): string {
      return this.request.headers['x-tenant'] ?? 'none';
    }
  }
  const runs: string[] = [];

  @Injectable()
  class Reports {
    constructor(private readonly tenant: Tenant) {}

    @Cached({
      key(this: Reports, id: number) {
        return [this.tenant.id, id];
      },
    })
    async report(id: number): Promise<string> {
      runs.push(this.tenant.id);
      return `${this.tenant.id} ${id}`;
    }
  }

  @Controller()
  class ReportsController {
    constructor(private readonly reports: Reports) {}
    @Get(':id') read(@Param('id', ParseIntPipe) id: number): Promise<string> {
      return this.reports.report(id);
    }
  }

  it.each(PLATFORMS)('work with what they read of the request in their key, on %s', async (platform) => {
    runs.length = 0;
    const app = await startApp(platform, {
      imports: [CachingModule.forRoot()],
      controllers: [ReportsController],
      providers: [Tenant, Reports],
    });
    open.push(app);
    for (const tenant of ['a', 'b', 'a', 'b']) {
      expect((await app.fetch('/1', { headers: { 'x-tenant': tenant } })).text).toBe(`${tenant} 1`);
    }
    expect(runs).toEqual(['a', 'b']);
  });

  it('are refused at the start without it, whatever makes them so', async () => {
    @Injectable()
    class Forgetful {
      constructor(readonly tenant: Tenant) {}
      @Cached()
      async report(id: number): Promise<string> {
        return `${this.tenant.id} ${id}`;
      }
    }
    await expect(start({ providers: [Tenant, Forgetful] })).rejects.toThrow(
      /@Cached on Forgetful.report: objects of this class are made for a request/,
    );
  });
});

describe('what others know a method by', () => {
  @Controller('things')
  class Things {
    runs = 0;

    @Get('below/:id')
    @HttpCode(202)
    @Header('x-below', 'yes')
    @SetMetadata('below', 1)
    @Cached()
    async above(@Param('id', ParseIntPipe) id: number): Promise<{ id: number; run: number }> {
      return { id, run: (this.runs += 1) };
    }

    @Cached()
    @Get('above/:id')
    @HttpCode(202)
    @Header('x-below', 'yes')
    @SetMetadata('below', 1)
    async below(@Param('id', ParseIntPipe) id: number): Promise<{ id: number; run: number }> {
      return { id, run: (this.runs += 1) };
    }
  }

  it.each(PLATFORMS)('stays, whichever decorator comes first, on %s', async (platform) => {
    const app = await startApp(platform, { imports: [CachingModule.forRoot()], controllers: [Things] });
    open.push(app);
    for (const path of ['/things/below/7', '/things/above/7']) {
      const first = await app.fetch(path);
      expect([first.status, first.headers.get('x-below'), JSON.parse(first.text).id]).toEqual([
        202,
        'yes',
        7,
      ]);
      expect((await app.fetch(path)).text).toBe(first.text);
    }
    const { above, below } = Things.prototype;
    for (const [name, method] of Object.entries({ above, below })) {
      expect([method.name, method.length, Reflect.getMetadata('below', method)]).toEqual([name, 1, 1]);
      expect(Reflect.getMetadata('design:paramtypes', Things.prototype, name)).toEqual([Number]);
    }
  });

  it('includes properties that were set on it', async () => {
    const mark: MethodDecorator = (_target, _name, descriptor) =>
      void Object.assign(descriptor.value as object, { mark: 1 });
    class Marked {
      @Cached()
      @mark
      async find(): Promise<number> {
        return 1;
      }
    }
    expect({ ...Marked.prototype.find }).toEqual({ mark: 1 });
  });
});

describe('while the backend is away', () => {
  @Injectable()
  class Shop {
    price = 1;
    @Cached({ name: 'price', tags: ['prices'] })
    async read(_id: number): Promise<number> {
      return this.price;
    }
    @CachePut({ name: 'price', key: (id: number) => [id] })
    async put(_id: number, price: number): Promise<number> {
      return (this.price = price);
    }
    @CacheEvict({ name: 'price', key: (id: number) => [id], tags: ['others'] })
    async change(_id: number, price: number): Promise<string> {
      this.price = price;
      return 'changed';
    }
  }

  it.each<['put' | 'change', unknown]>([
    ['put', 2],
    ['change', 'changed'],
  ])('%s answers all the same, and the old value does not come back', async (method, answer) => {
    const backend = new FailingBackend(
      new MemoryBackend({ maxEntries: 100, maxBytes: 1e6, sweepInterval: 0 }),
    );
    const module = await start({ providers: [Shop] }, [CachingModule.forRoot({ backend } as never)]);
    const shop = module.get(Shop);
    expect(await shop.read(1)).toBe(1);
    backend.fail('all');
    expect(await shop[method](1, 2)).toBe(answer);
    expect(await shop.read(1)).toBe(2);
    backend.heal();
    expect(await shop.read(1)).toBe(2);
  });
});

function apply(decorator: unknown, target: object, name: string): void {
  const descriptor = Object.getOwnPropertyDescriptor(target, name);
  (decorator as MethodDecorator)(target, name, descriptor as PropertyDescriptor);
}
