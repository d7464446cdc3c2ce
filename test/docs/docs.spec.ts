import 'reflect-metadata';
import { transform } from '@swc/core';
import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import * as library from 'nestjs-caching';
import { FailingBackend, FakeClock } from 'nestjs-caching/testing';
import { openCache } from '../support/caches.js';
import { example, load, read } from '../support/examples.js';
import { memory } from '../support/scenarios.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

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
      'InjectCache',
      'InvalidArgumentError',
      'InvalidDecorationError',
      'InvalidDurationError',
      'InvalidKeyError',
      'InvalidOptionsError',
      'LoadCycleError',
      'LoadTimeoutError',
      'LockTimeoutError',
      'MissingKeyError',
      'NeverCache',
      'NotANumberError',
      'NotConnectedError',
      'NumberOutOfRangeError',
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
      'getCacheToken',
      'withRequestMemo',
    ]);
  });
});
