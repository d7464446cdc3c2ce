import 'reflect-metadata';
import { transform } from '@swc/core';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import * as library from 'nestjs-caching';
import { FailingBackend, FakeClock } from 'nestjs-caching/testing';
import { openCache } from '../support/caches.js';
import { example, load, membersOf, read } from '../support/examples.js';
import { playRequests } from '../support/request-examples.js';
import { memory } from '../support/scenarios.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

/** The service of the README. */
interface Products {
  find(id: number): Promise<object>;
  remove(id: number): Promise<void>;
}

describe('README', () => {
  it.each(PLATFORMS)('has an application that caches in both styles on %s', async (platform) => {
    const code = await example('README.md', 'app.ts');
    let runs = 0;
    (globalThis as { slowReport?: () => object }).slowReport = () => ({ run: (runs += 1) });
    const { AppModule } = await load<{ AppModule: new () => object }>(
      `const slowReport = () => (globalThis as any).slowReport();\n${code}`,
    );
    const app = await startApp(platform, { imports: [AppModule] });
    for (const path of ['/reports', '/reports/value']) {
      expect((await app.fetch(path)).text).toBe((await app.fetch(path)).text);
    }
    expect(runs).toBe(2);
    await app.close();
  });

  it.each(PLATFORMS)('says of each request what becomes of it on %s', async (platform) => {
    expect(await playRequests('README.md', platform)).toBe(1);
  });

  it('has a service whose methods are cached, and a fragment', async () => {
    const runs: string[] = [];
    const db = {
      find: async (id: number) => ({ id, run: runs.push(`find ${id}`) }),
      remove: async (id: number) => void runs.push(`remove ${id}`),
      popular: () => (runs.push('popular'), ['tea']),
    };
    Object.assign(globalThis, { readme: { ...library, Injectable, db } });
    const { ProductsService } = await load<{ ProductsService: new () => Products }>(
      `const { Cached, CacheEvict, Injectable, db } = (globalThis as any).readme;\n${await example('README.md', 'methods.ts')}`,
    );
    const app = await Test.createTestingModule({
      imports: [library.CachingModule.forRoot()],
      providers: [ProductsService],
    }).compile();
    await app.init();
    const products = app.get(ProductsService);
    expect(await products.find(1)).toBe(await products.find(1));
    await products.remove(1);
    await products.find(1);
    expect(runs.splice(0)).toEqual(['find 1', 'remove 1', 'find 1']);

    Object.assign(globalThis, { readme: { db, fragments: app.get(library.FragmentCache) } });
    const { popular } = await load<{ popular: (language: string) => Promise<string> }>(
      `const { db, fragments } = (globalThis as any).readme;\n${await example('README.md', 'fragments.ts')}`,
    );
    for (let time = 0; time < 2; time += 1) expect(await popular('de')).toBe('<ul><li>tea</li></ul>');
    expect(runs).toEqual(['popular']);
    await app.close();
  });

  it('names every option of the code', async () => {
    const code = await read('libs/caching/src/caching.options.ts');
    const [, section = ''] = (await read('README.md')).split('\n## Options\n');
    const named = [...section.matchAll(/^\|([^|]*)\|/gm)].join();
    for (const option of ['CommonCacheOptions', 'PagesOptions', 'GlobalOption'].flatMap((name) =>
      membersOf(code, name),
    ))
      expect(named).toContain(`\`${option}\``);
  });

  it('has calls on values that run as they are', async () => {
    const code = await example('README.md', 'values.ts');
    const cache = await openCache();
    const { code: script } = await transform(`export async function run(cache) {${code}}`, {
      jsc: { target: 'es2022' },
    });
    const { run } = await load<{ run: (cache: library.CacheService) => Promise<void> }>(script);
    await run(cache);
    expect(await cache.has('user:1')).toBe(false);
    await cache.close();
  });
});

/** The spec of the guide beside its module, as a function of the runner: a module that is imported may not declare tests. */
const { describeApplication } = await load<{ describeApplication(runner: object): void }>(
  [
    await example('docs/getting-started.md', 'module.ts'),
    (await example('docs/getting-started.md', 'app.spec.ts'))
      .replace(/^import .* from '(@jest\/globals|\.\/app\.module\.js)';$/gm, '')
      .replace(
        /^const memory = /m,
        'export function describeApplication({ afterEach, expect, it }: any) {\n$&',
      ),
    '}',
  ].join('\n'),
);

describe('docs/getting-started.md', () => {
  it('configures modules that start', async () => {
    const { AppModule } = await load<{ AppModule: new () => object }>(
      await example('docs/getting-started.md', 'module.ts'),
    );
    const { caching } = await load<{ caching: never }>(await example('docs/getting-started.md', 'async.ts'));
    for (const imports of [[AppModule], [caching]]) {
      const app = await (await Test.createTestingModule({ imports }).compile()).init();
      expect(app.get<library.CacheService>(library.getCacheToken('reports'), { strict: false }).name).toBe(
        'reports',
      );
      await app.close();
    }
  });

  describe('has tests of an application that pass', () => describeApplication({ afterEach, expect, it }));
});

describe('docs/migrating-from-cache-manager.md', () => {
  it.each(PLATFORMS)(
    'has an application that caches alike before and after the move on %s',
    async (platform) => {
      for (const file of ['bridge.ts', 'moved.ts']) {
        const runs: string[] = [];
        Object.assign(globalThis, {
          loadProduct: (id: string) => ({ id, run: runs.push(id) }),
          listProducts: () => [{ run: runs.push('list') }],
        });
        const code = await example('docs/migrating-from-cache-manager.md', file);
        const { AppModule } = await load<{ AppModule: new () => object }>(
          `const { loadProduct, listProducts } = globalThis as any;\n${code}`,
        );
        const app = await startApp(platform, { imports: [AppModule] });
        for (const path of ['/products', '/products/1']) {
          expect((await app.fetch(path)).text).toBe((await app.fetch(path)).text);
        }
        expect([file, runs]).toEqual([file, ['list', '1']]);
        const cache = app.app.get(library.CacheService);
        expect(await cache.get('product:1')).toEqual({ id: '1', run: 2 });
        await app.close();
      }
    },
  );
});

describe('docs/low-level.md', () => {
  it('says what its calls answer', async () => {
    const blocks = [
      ...(await read('docs/low-level.md')).matchAll(/```ts run(?: clock| outage)?\n([^]*?)```/g),
    ];
    expect(blocks.length).toBeGreaterThan(8);
    for (const [, block = ''] of blocks) {
      const clock = new FakeClock();
      const backend = new FailingBackend(memory(clock), clock);
      const cache = await openCache({ backend }, clock);
      const checked = block.replace(/^(.*); \/\/ → (.*)$/gm, 'expect(await ($1)).toStrictEqual($2);');
      expect(checked).not.toContain('// →');
      const { code } = await transform(
        `export async function run(cache, clock, backend, expect, settled) {${checked}}`,
        { jsc: { target: 'es2022' } },
      );
      const { run } = await load<{ run: (...given: unknown[]) => Promise<void> }>(code);
      const settled = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 20));
      await run(cache, clock, backend, expect, settled);
      await cache.close();
    }
  });
});

describe('docs/low-level.md, on statistics', () => {
  it('lists the counters of the code and no others', async () => {
    const code = await read('libs/caching/src/cache/counters.ts');
    const counters = [...code.matchAll(/^ {2}readonly (\w+): number;$/gm)].map(([, name]) => name);
    const [, section = ''] = (await read('docs/low-level.md')).split('\n## Statistics and health\n');
    const rows = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    expect(rows).toEqual(counters);
  });
});

describe('docs/low-level.md, on converters', () => {
  it('gives instances back', async () => {
    const { caching, Money } = await load<{ caching: never; Money: new (...args: unknown[]) => object }>(
      await example('docs/low-level.md', 'converters.ts'),
    );
    const module = await Test.createTestingModule({ imports: [caching] }).compile();
    const cache = module.get(library.CacheService);
    await cache.set('k', { price: new Money(5n, 'EUR') });
    expect(await cache.get('k')).toEqual({ price: new Money(5n, 'EUR') });
    expect((await cache.get<{ price: object }>('k'))?.price).toBeInstanceOf(Money);
    await module.close();
  });
});

describe('docs/pages-invalidation.md', () => {
  it.each(PLATFORMS)('has an application that shows what has changed on %s', async (platform) => {
    const prices = new Map([
      ['1', 1],
      ['2', 2],
    ]);
    const products = {
      all: () => Object.fromEntries(prices),
      find: (id: string) => prices.get(id),
      add: ({ id, price }: { id: string; price: number }) => prices.set(id, price).size,
      change: (id: string, { price }: { price: number }) => ({ id, price: prices.set(id, price).get(id) }),
    };
    Object.assign(globalThis, { products });
    const declared =
      'const { products } = globalThis as any;\ntype Product = { id: string; price: number };\n';
    const { AppModule } = await load<{ AppModule: new () => object }>(
      declared + (await example('docs/pages-invalidation.md', 'products.ts')),
    );
    const { Prices } = await load<{
      Prices: new (
        pages: library.PageCache,
      ) => Record<'haveChanged' | 'ofOneHasChanged', (id?: string) => Promise<void>>;
    }>(await example('docs/pages-invalidation.md', 'prices.ts'));
    const app = await startApp(platform, { imports: [AppModule] });
    const read = async (): Promise<string> => {
      const paths = ['/products', '/products/1', '/products/2'];
      return (await Promise.all(paths.map(async (path) => (await app.fetch(path)).text))).join(' ');
    };
    const send = async (method: string, path: string, body: unknown): Promise<void> => {
      const headers = { 'content-type': 'application/json' };
      expect((await app.fetch(path, { method, headers, body: JSON.stringify(body) })).status).toBeLessThan(
        300,
      );
    };
    expect(await read()).toBe('{"1":1,"2":2} 1 2');
    await send('PATCH', '/products/1', { id: '1', price: 10 });
    expect(await read()).toBe('{"1":10,"2":2} 10 2');
    await send('POST', '/imports', [{ id: '2', price: 20 }]);
    expect(await read()).toBe('{"1":10,"2":2} 10 20');
    await send('POST', '/products', { id: '3', price: 3 });
    expect(await read()).toBe('{"1":10,"2":20,"3":3} 10 20');

    const byHand = new Prices(app.app.get(library.PageCache));
    prices.set('1', 100).set('2', 200);
    expect(await read()).toBe('{"1":10,"2":20,"3":3} 10 20');
    await byHand.ofOneHasChanged('1');
    expect(await read()).toBe('{"1":100,"2":200,"3":3} 100 20');
    await byHand.haveChanged();
    expect(await read()).toBe('{"1":100,"2":200,"3":3} 100 200');
    await app.close();
  });
});

describe('docs/errors.md', () => {
  it('lists the codes of errors.ts and no others', async () => {
    const codes = [
      ...(await read('libs/caching/src/errors.ts')).matchAll(/code(?:: string)? = '(\w+)'/g),
    ].map(([, code]) => code);
    const listed = [...(await read('docs/errors.md')).matchAll(/^\| `(\w+)`/gm)].map(([, code]) => code);
    expect(listed.sort()).toEqual(codes.sort());
  });
});

describe('the public API', () => {
  it('is what it was', () => {
    expect(Object.keys(library).sort()).toEqual([
      'AlreadyConfiguredError',
      'BackendError',
      'BackendTimeoutError',
      'CACHING_CLOCK',
      'CACHING_OPTIONS',
      'CacheClosedError',
      'CacheControl',
      'CacheEvict',
      'CachePage',
      'CachePut',
      'CacheService',
      'Cached',
      'CachedMany',
      'CachingError',
      'CachingModule',
      'CircuitOpenError',
      'Condition',
      'FragmentCache',
      'InjectCache',
      'InvalidArgumentError',
      'InvalidDecorationError',
      'InvalidDurationError',
      'InvalidKeyError',
      'InvalidOptionsError',
      'InvalidPageTargetError',
      'InvalidatesPages',
      'LoadCycleError',
      'LoadTimeoutError',
      'LockTimeoutError',
      'MissingKeyError',
      'NeverCache',
      'NotANumberError',
      'NotConnectedError',
      'NotStartedError',
      'NumberOutOfRangeError',
      'PageCache',
      'PeerMissingError',
      'TooManyLoadsError',
      'UnencodableArgumentError',
      'UnknownCacheError',
      'UnserializableValueError',
      'UnsupportedOperationError',
      'ValueTooLargeError',
      'VaryOn',
      'VaryOnCookie',
      'cacheKey',
      'fragmentKey',
      'getCacheToken',
      'withRequestMemo',
    ]);
  });
});
