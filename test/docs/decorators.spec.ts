import 'reflect-metadata';
import { transform } from '@swc/core';
import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { cacheKey, CacheService, CachingModule } from 'nestjs-caching';
import { example, load, read } from '../support/examples.js';

interface Product {
  id: number;
  name: string;
  vendor: string;
}

/** What the examples call `database`, and what it was asked. */
function database() {
  const runs: string[] = [];
  const table = new Map<number, Product>([
    [1, { id: 1, name: 'tea', vendor: 'acme' }],
    [2, { id: 2, name: 'milk', vendor: 'farm' }],
  ]);
  const found = (id: number) => structuredClone(table.get(id));
  return {
    runs,
    search: async () => [...table.values()],
    find: async (id: number) => (runs.push(`find ${id}`), found(id) ?? null),
    findMany: async (ids: number[]) => {
      runs.push(`findMany ${ids.join()}`);
      return new Map(ids.flatMap((id) => (table.has(id) ? [[id, found(id)]] : [])) as [number, Product][]);
    },
    save: async (product: Product) => (table.set(product.id, product), product),
    remove: async (id: number) => void table.delete(id),
    renameVendor: async (vendor: string, name: string) => {
      for (const product of table.values()) if (product.vendor === vendor) product.vendor = name;
    },
  };
}

describe('docs/decorators.md', () => {
  it('says what its calls answer', async () => {
    const code = await example('docs/decorators.md', 'products.ts');
    const blocks = [...(await read('docs/decorators.md')).matchAll(/```ts run\n([^]*?)```/g)];
    expect(blocks).toHaveLength(3);
    for (const [, block = ''] of blocks) {
      const given = database();
      Object.assign(globalThis, { exampleDatabase: given });
      const { ProductsService } = await load<{ ProductsService: new () => object }>(
        `const database = (globalThis as any).exampleDatabase;\n${code}`,
      );
      const module = await Test.createTestingModule({
        imports: [CachingModule.forRoot()],
        providers: [ProductsService],
      }).compile();
      await module.init();
      const checked = block.replace(/^(.*); \/\/ → (.*)$/gm, 'expect(await ($1)).toStrictEqual($2);');
      expect(checked).not.toContain('// →');
      const script = await transform(
        `export async function run(products, cache, cacheKey, runs, expect) {${checked}}`,
        { jsc: { target: 'es2022' } },
      );
      const { run } = await load<{ run: (...args: unknown[]) => Promise<void> }>(script.code);
      await run(module.get(ProductsService), module.get(CacheService), cacheKey, given.runs, expect);
      await module.close();
    }
  });
});
