import 'reflect-metadata';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, NotFoundException } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  Cached,
  CacheEvict,
  cacheKey,
  CachedMany,
  CachePut,
  CacheService,
  type CacheOptions,
  CACHING_CLOCK,
  CachingModule,
  getCacheToken,
} from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { gate } from '../support/gate.js';
import { until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';

interface Product {
  readonly id: number;
  readonly name: string;
  readonly vendor: string;
}

/** What the methods have run with. */
const runs: unknown[][] = [];
/** What a method waits for. */
let held: Promise<unknown> | undefined;

@Injectable()
class Products {
  readonly table = new Map<number, Product>();

  @Cached('1m')
  async find(id: number, locale?: string): Promise<Product | null> {
    runs.push(['find', id, locale]);
    await held;
    return this.table.get(id) ?? null;
  }

  @Cached({ cache: 'reports', ttl: '1m', staleIfError: '1h' })
  async report(filter: { readonly from: Date; readonly tags: ReadonlySet<string> }): Promise<string> {
    runs.push(['report', filter]);
    return `report ${runs.length}`;
  }

  @Cached({
    name: 'product',
    key: (id: number) => [id],
    tags: (id: number) => [`product:${id}`],
    resultTags: (product: Product | undefined) => [`vendor:${product?.vendor}`],
  })
  async named(id: number, trace: string): Promise<Product | undefined> {
    runs.push(['named', id, trace]);
    await held;
    return this.table.get(id);
  }

  @CachedMany({ name: 'product', tags: (id: number) => [`product:${id}`] })
  async namedMany(ids: readonly number[]): Promise<Map<number, Product>> {
    runs.push(['namedMany', ids]);
    return new Map(ids.flatMap((id) => (this.table.has(id) ? [[id, this.table.get(id) as Product]] : [])));
  }

  @CachePut({
    name: 'product',
    key: (product: Product) => [product.id],
    tags: (product: Product) => [`product:${product.id}`],
  })
  async save(product: Product): Promise<Product | undefined> {
    await held;
    if (product.name === '') throw new NotFoundException('nameless');
    this.table.set(product.id, product);
    return product.name === 'secret' ? undefined : product;
  }

  @CachePut({
    name: 'product',
    resultKey: (product: Product) => [product.id],
    unless: ({ name }: Product) => name === 'draft',
  })
  async create(name: string): Promise<Product> {
    const product = { id: this.table.size + 1, name, vendor: 'acme' };
    this.table.set(product.id, product);
    return product;
  }

  @CacheEvict({ name: 'product' })
  async remove(id: number): Promise<boolean> {
    await held;
    if (id < 0) throw new NotFoundException('no such product');
    return this.table.delete(id);
  }

  @CacheEvict({ name: 'product', always: true })
  async removeOrFail(id: number): Promise<boolean> {
    this.table.delete(id);
    throw new Error('half done');
  }

  @CacheEvict({
    resultTags: (vendors: readonly string[]) => vendors.map((vendor) => `vendor:${vendor}`),
    tags: ['vendors'],
  })
  async dropVendors(...vendors: readonly string[]): Promise<readonly string[]> {
    return vendors;
  }

  @CacheEvict({ all: true, condition: (isReal: boolean) => isReal })
  async reset(_isReal: boolean): Promise<void> {}

  @Cached({ condition: (id: number) => id > 0, unless: (result: string) => result === 'odd' })
  async guarded(id: number): Promise<string> {
    runs.push(['guarded', id]);
    return id % 2 === 0 ? 'even' : 'odd';
  }

  @Cached()
  async nothing(): Promise<undefined> {
    runs.push(['nothing']);
    return undefined;
  }

  @Cached()
  async failing(error: string): Promise<string> {
    runs.push(['failing', error]);
    throw new NotFoundException(error);
  }

  @Cached({ key: (user: { readonly id: number; readonly log: () => void }) => [user.id] })
  async ofUser(user: { readonly id: number; readonly log: () => void }): Promise<string> {
    runs.push(['ofUser', user.id]);
    return `of ${user.id}`;
  }

  @Cached()
  async unkeyed(log: () => void): Promise<string> {
    runs.push(['unkeyed']);
    log();
    return 'never';
  }

  @Cached()
  async date(): Promise<{ readonly at: Date; readonly seen: Map<string, bigint> }> {
    runs.push(['date']);
    return { at: new Date(5), seen: new Map([['a', 1n]]) };
  }

  /** Two cached methods below, called through `this`. */
  async both(id: number): Promise<(Product | null)[]> {
    return [await this.find(id), await this.find(id)];
  }

  @Cached()
  async fibonacci(n: number): Promise<number> {
    runs.push(['fibonacci', n]);
    return n < 2 ? n : (await this.fibonacci(n - 1)) + (await this.fibonacci(n - 2));
  }
}

function describeDecorators(name: string, options: () => CacheOptions): void {
  describe(`decorated methods on ${name}`, () => {
    let module: TestingModule;
    let clock: FakeClock;
    let products: Products;
    let cache: CacheService;

    beforeEach(async () => {
      clock = new FakeClock();
      runs.length = 0;
      held = undefined;
      const each = {
        ...options(),
        keyPrefix: 'methods',
        readDeadline: '10m',
        writeDeadline: '10m',
      } as CacheOptions;
      module = await Test.createTestingModule({
        imports: [CachingModule.forRoot({ caches: { default: each, reports: each } })],
        providers: [Products],
      })
        .overrideProvider(CACHING_CLOCK)
        .useValue(clock)
        .compile();
      await module.init();
      products = module.get(Products);
      cache = module.get(CacheService);
      await cache.clear();
      await module.get<CacheService>(getCacheToken('reports')).clear();
      for (const id of [1, 2, 3]) products.table.set(id, { id, name: `name ${id}`, vendor: 'acme' });
    });
    afterEach(() => module.close());

    it('run once for each list of arguments, null included, for the life that they say', async () => {
      expect(await products.find(1)).toEqual({ id: 1, name: 'name 1', vendor: 'acme' });
      expect(await products.find(1)).toEqual({ id: 1, name: 'name 1', vendor: 'acme' });
      expect([await products.find(9), await products.find(9)]).toEqual([null, null]);
      await products.find(1, 'de');
      await products.find('1' as never);
      expect(runs).toEqual([
        ['find', 1, undefined],
        ['find', 9, undefined],
        ['find', 1, 'de'],
        ['find', '1', undefined],
      ]);
      const left = await cache.ttl(cacheKey('Products.find', 1));
      expect([left !== null && left !== undefined && left > 50_000 && left <= 60_000, left]).toEqual([
        true,
        left,
      ]);
    });

    it('113 · decorated method called through `this` → cached as well, recursively too', async () => {
      await products.both(1);
      expect(runs).toEqual([['find', 1, undefined]]);
      runs.length = 0;
      expect(await products.fibonacci(20)).toBe(6765);
      expect(runs).toHaveLength(21);
    });

    it('run once for callers at one time, and share the error', async () => {
      const finish = gate();
      held = finish.opened;
      const all = Promise.all(Array.from({ length: 20 }, () => products.find(1)));
      await until(() => runs.length > 0);
      finish.open();
      expect(new Set(await all).size).toBe(1);
      expect(runs).toHaveLength(1);
      const [one, other] = await Promise.allSettled([products.failing('x'), products.failing('x')]);
      expect(one).toMatchObject({ reason: expect.any(NotFoundException) });
      expect((other as PromiseRejectedResult).reason).toBe((one as PromiseRejectedResult).reason);
    });

    it('pass errors on as they are, and store none', async () => {
      await expect(products.failing('gone')).rejects.toThrow(new NotFoundException('gone'));
      await expect(products.failing('gone')).rejects.toBeInstanceOf(NotFoundException);
      expect(runs).toHaveLength(2);
    });

    it('keep what they answer as getOrSet does: types, frozen, and no undefined', async () => {
      const first = await products.date();
      const second = await products.date();
      expect([first, second]).toEqual(Array(2).fill({ at: new Date(5), seen: new Map([['a', 1n]]) }));
      expect(Object.isFrozen(second)).toBe(true);
      expect([await products.nothing(), await products.nothing()]).toEqual([undefined, undefined]);
      expect(runs.map(([method]) => method)).toEqual(['date', 'nothing', 'nothing']);
    });

    it('use the named cache with the options of a load', async () => {
      const filter = () => ({ tags: new Set(['b', 'a']), from: new Date(0) });
      expect(await products.report(filter())).toBe('report 1');
      expect(await products.report({ from: new Date(0), tags: new Set(['a', 'b']) })).toBe('report 1');
      const reports = module.get<CacheService>(getCacheToken('reports'));
      const key = cacheKey('Products.report', filter());
      expect([await reports.get(key), await cache.get(key)]).toEqual(['report 1', undefined]);
      expect((await reports.explain(key)).held).toMatchObject({
        freshFor: 60_000,
        staleIfErrorFor: 3_660_000,
      });
    });

    it('make the key of what the option says, and refuse arguments that make none before they run', async () => {
      const log = (): void => undefined;
      expect([
        await products.ofUser({ id: 1, log }),
        await products.ofUser({ id: 1, log: () => undefined }),
      ]).toEqual(['of 1', 'of 1']);
      expect(runs).toEqual([['ofUser', 1]]);
      await expect(products.unkeyed(log)).rejects.toMatchObject({
        code: 'CACHING_UNENCODABLE_ARGUMENT',
        path: 'arguments[0]',
      });
      expect(runs).toHaveLength(1);
    });

    it('do without the cache where the condition says so, and keep out what unless names', async () => {
      for (const id of [-2, -2, 1, 1, 2, 2]) await products.guarded(id);
      expect(runs.map(([, id]) => id)).toEqual([-2, -2, 1, 1, 2]);
    });

    it('go with their tags, from arguments and from the result', async () => {
      const read = () => products.named(1, 'trace');
      await read();
      await read();
      expect(runs).toHaveLength(1);
      await cache.invalidateTags(['product:2']);
      await read();
      expect(runs).toHaveLength(1);
      await cache.invalidateTags(['product:1']);
      await read();
      expect(runs).toHaveLength(2);
      await products.dropVendors('acme');
      await read();
      expect(runs).toHaveLength(3);
      await products.dropVendors('other');
      await read();
      expect(runs).toHaveLength(3);
    });

    it('share entries under one name: one by one, many, put and evicted', async () => {
      await products.named(1, 'a');
      expect(await products.namedMany([3, 1, 2, 9, 3])).toEqual(
        new Map([3, 1, 2].map((id) => [id, products.table.get(id)])),
      );
      const [, [method, ids] = []] = runs;
      expect([runs.length, method, [...(ids as number[])].sort()]).toEqual([2, 'namedMany', [2, 3, 9]]);
      await products.named(2, 'b');
      expect(runs).toHaveLength(2);
      const changed = { id: 2, name: 'changed', vendor: 'acme' };
      expect(await products.save(changed)).toBe(changed);
      expect(await products.named(2, 'c')).toEqual(changed);
      expect((await products.namedMany([2])).get(2)).toEqual(changed);
      expect(runs).toHaveLength(2);
      expect(await cache.get(cacheKey('product', 2))).toEqual(changed);
      expect(await products.remove(2)).toBe(true);
      expect(await products.named(2, 'd')).toBeUndefined();
      expect(runs).toHaveLength(3);
    });

    it('put under a key of the result, and remove what is not to be stored', async () => {
      const { id } = await products.create('new');
      expect(await products.named(id, 'a')).toMatchObject({ name: 'new' });
      expect(runs).toEqual([]);
      const draft = await products.create('draft');
      expect(await cache.has(cacheKey('product', draft.id))).toBe(false);
      await products.save({ id, name: 'secret', vendor: 'acme' });
      expect(await cache.has(cacheKey('product', id))).toBe(false);
    });

    it('leave the entry alone when a put or an evicting method throws, unless always', async () => {
      await products.named(1, 'a');
      await expect(products.save({ id: 1, name: '', vendor: '' })).rejects.toThrow('nameless');
      await cache.set(cacheKey('product', -1), 'kept');
      await expect(products.remove(-1)).rejects.toThrow('no such product');
      expect(await cache.get(cacheKey('product', -1))).toBe('kept');
      expect(await cache.has(cacheKey('product', 1))).toBe(true);
      await expect(products.removeOrFail(1)).rejects.toThrow('half done');
      expect(await cache.has(cacheKey('product', 1))).toBe(false);
    });

    it('are not overwritten by a load that began before a put or an eviction', async () => {
      for (const change of [
        () => products.save({ id: 1, name: 'put', vendor: 'acme' }),
        () => products.remove(1),
      ]) {
        runs.length = 0;
        await cache.clear();
        const finish = gate();
        held = finish.opened;
        const loading = products.named(1, 'slow');
        await until(() => runs.length === 1);
        held = undefined;
        const result = await change();
        finish.open();
        await loading;
        expect(await products.named(1, 'after')).toEqual(result === true ? undefined : result);
      }
    });

    it('empty the cache, where the condition says so', async () => {
      await products.find(1);
      await products.reset(false);
      await products.find(1);
      expect(runs).toHaveLength(1);
      await products.reset(true);
      await products.find(1);
      expect(runs).toHaveLength(2);
    });
  });
}

describeDecorators('memory', () => ({}));
describeService('redis', (service) => describeDecorators('redis', () => ({ url: service().url })));
