import 'reflect-metadata';
import { transform } from '@swc/core';
import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as library from 'nestjs-caching';
import { openCache } from '../support/caches.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

const ROOT = new URL('../../', import.meta.url).pathname;
const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

/** The code of the fenced block that is marked with a file name. */
async function example(path: string, file: string): Promise<string> {
  const match = new RegExp(`\`\`\`ts file=${file}\\n([^]*?)\`\`\``).exec(await read(path));
  if (match?.[1] === undefined) throw new Error(`${path} has no example ${file}`);
  return match[1];
}

/** Runs an example as a module of its own, beside this one, so that its imports are found. */
async function load<T>(code: string): Promise<T> {
  const folder = await mkdtemp(join(ROOT, 'test/docs/.example-'));
  try {
    const file = join(folder, 'example.ts');
    await writeFile(file, code);
    return (await import(file)) as T;
  } finally {
    await rm(folder, { recursive: true });
  }
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
      'CacheClosedError',
      'CacheControl',
      'CachePage',
      'CacheService',
      'CachingError',
      'CachingModule',
      'Condition',
      'InjectCache',
      'InvalidArgumentError',
      'InvalidDecorationError',
      'InvalidDurationError',
      'InvalidKeyError',
      'InvalidOptionsError',
      'MissingKeyError',
      'NeverCache',
      'NotANumberError',
      'NumberOutOfRangeError',
      'PeerMissingError',
      'UnknownCacheError',
      'UnserializableValueError',
      'UnsupportedOperationError',
      'ValueTooLargeError',
      'VaryOn',
      'VaryOnCookie',
      'getCacheToken',
    ]);
  });
});
