import { describe, expect, it } from '@jest/globals';
import { Cached, CacheEvict, CachedMany, CachePut } from 'nestjs-caching';

interface Product {
  readonly id: number;
  readonly name: string;
}

/** What compiles. None of it runs. */
abstract class Fits<Row extends Product> {
  private readonly tenant = 'a';

  @Cached() async plain(_id: number): Promise<string> {
    return '';
  }
  @Cached('5m') async withTtl(_id: number): Promise<void> {}
  @Cached(null) async forEver(..._ids: readonly number[]): Promise<null> {
    return null;
  }
  @Cached({ key: (id: number) => [id] }) async fewer(_id: number, _trace: string): Promise<string> {
    return '';
  }
  @Cached({ tags: (id: number | string) => [`p:${id}`] }) async wider(_id: number): Promise<string> {
    return '';
  }
  @Cached({
    ttl: '5m',
    staleIfError: '1h',
    tags: ['products'],
    key: (id: number, locale: string) => [id, locale],
    condition: (id: number) => id > 0,
    unless: (product: Product | null) => product === null,
    resultTags: (product: Product | null, id: number) => [`${id}${product?.name}`],
  })
  async all(_id: number, _locale: string): Promise<Product | null> {
    return null;
  }
  @Cached({
    key(this: Fits<Product>, id: number) {
      return [this.tenant, id];
    },
  })
  async ofThis(_id: number): Promise<string> {
    return '';
  }
  @Cached({ unless: (row: Product) => row.id === 0 }) async row(_id: number): Promise<Row> {
    return { id: 1, name: '' } as Row;
  }
  @Cached() protected async hidden(): Promise<number> {
    return this.secret();
  }
  @Cached() private async secret(): Promise<number> {
    return 1;
  }
  @CachedMany() async many(_ids: readonly number[]): Promise<Map<number, string>> {
    return new Map();
  }
  @CachedMany({
    tags: (id: number, locale: string) => [`${id}${locale}`],
    unless: (name: string) => name === '',
  })
  async manyByOne(_ids: number[], _locale: string): Promise<ReadonlyMap<number, string>> {
    return new Map();
  }
  @CachedMany({ answers: 'array', resultTags: (name: string | null, id: number) => [`${id}${name}`] })
  async list(_ids: number[]): Promise<(string | null | undefined)[]> {
    return [];
  }
  @CachePut({ name: 'product', resultKey: (product: Product) => [product.id] })
  async put(_name: string): Promise<Product> {
    return { id: 1, name: '' };
  }
  @CacheEvict({ name: 'product', key: (product: Product) => [product.id], soft: true })
  async evict(_product: Product): Promise<void> {}
}

/** What does not. Never called, since half of it is refused when the class is loaded, too. */
function misfits(): unknown {
  class Misfits {
    // @ts-expect-error: the method does not answer a promise
    @Cached() sync(_id: number): number {
      return 1;
    }
    // @ts-expect-error: a getter is no method
    @Cached() get getter(): Promise<number> {
      return Promise.resolve(1);
    }
    // @ts-expect-error: a property is no method
    @Cached() property?: string;
    // @ts-expect-error: seconds is no unit of Duration
    @Cached('5 minutes') async unit(): Promise<void> {}
    // @ts-expect-error: a misspelled option
    @Cached({ tll: '5m' }) async option(): Promise<void> {}
    // @ts-expect-error: another type of argument
    @Cached({ key: (id: string) => [id] }) async argument(_id: number): Promise<void> {}
    // @ts-expect-error: more arguments than the method has
    @Cached({ key: (id: number, locale: string) => [id, locale] }) async count(_id: number): Promise<void> {}
    // @ts-expect-error: a key is a list
    @Cached({ key: (id: number) => id }) async list(_id: number): Promise<void> {}
    // @ts-expect-error: a condition must know at once
    @Cached({ condition: async (_id: number) => true }) async condition(_id: number): Promise<void> {}
    // @ts-expect-error: the result may be null
    @Cached({ unless: (product: Product) => product.id === 0 }) async result(): Promise<Product | null> {
      return null;
    }
    // @ts-expect-error: tags are text
    @Cached({ tags: (id: number) => [id] }) async tags(_id: number): Promise<void> {}
    // @ts-expect-error: `this` of another class
    @Cached({ key(this: Fits<Product>, id: number) { return [this, id]; } }) async other(_id: number): Promise<void> {} // prettier-ignore
    // @ts-expect-error: no list of ids
    @CachedMany() async noList(_id: number): Promise<Map<number, string>> {
      return new Map();
    }
    // @ts-expect-error: the function is asked for one id
    @CachedMany({ key: (ids: number[]) => [ids] }) async oneId(_ids: number[]): Promise<Map<number, string>> {
      return new Map();
    }
    // @ts-expect-error: a list needs answers: 'array'
    @CachedMany() async noMap(_ids: number[]): Promise<string[]> {
      return [];
    }
    // @ts-expect-error: a Map is not what it says
    @CachedMany({ answers: 'array' }) async noArray(_ids: number[]): Promise<Map<number, string>> {
      return new Map();
    }
    // @ts-expect-error: whose entry?
    @CachePut({ ttl: '5m' }) async nameless(): Promise<void> {}
    // @ts-expect-error: the result has no id
    @CachePut({ name: 'p', resultKey: (product: Product) => [product.id] }) async noId(): Promise<string> {
      return '';
    }
    // @ts-expect-error: another type of argument
    @CacheEvict({ name: 'p', key: (id: string) => [id] }) async evict(_id: number): Promise<void> {}
  }
  return Misfits;
}

describe('the types of the decorators', () => {
  it('take what fits a method and nothing else: tsc checks this file', () => {
    expect([Fits.name, misfits.name]).toEqual(['Fits', 'misfits']);
  });
});
