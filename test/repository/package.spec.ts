import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

const run = promisify(execFile);

const ROOT = resolve(import.meta.dirname, '../..');
const LIBRARY = join(ROOT, 'libs/caching');

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional: boolean }>>;
}

const APP = `
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CachePage, CacheService, CachingModule } from 'nestjs-caching';
const at = (prototype, name, ...decorators) => decorators.forEach((each) =>
  each(prototype, name, Object.getOwnPropertyDescriptor(prototype, name)));
class Numbers { n = 0; next() { return { n: ++this.n }; } }
at(Numbers.prototype, 'next', Get(), CachePage('1m'));
Controller()(Numbers);
class App {}
Module({ imports: [CachingModule.forRoot()], controllers: [Numbers] })(App);
const app = await NestFactory.create(App, { logger: ['warn', 'error'] });
await app.listen(0, '127.0.0.1');
const ask = async () => (await fetch(await app.getUrl())).text();
await app.get(CacheService).set('k', new Map([['n', 1n]]));
console.log(await ask(), await ask(), await app.get(CacheService).get('k'));
await app.close();
`;

const TYPES = `
import { CachePage, type CacheService, CachingModule } from 'nestjs-caching';
import { createCacheTable } from 'nestjs-caching/database';
import { FakeClock } from 'nestjs-caching/testing';
export const module = CachingModule.forRoot({ url: 'redis://localhost', ttl: '5m' });
export const read = (cache: CacheService): Promise<number | undefined> => cache.get<number>('k');
export { CachePage, createCacheTable, FakeClock };
// @ts-expect-error a misspelt option
CachingModule.forRoot({ tll: '5m' });
`;

/** Enough on a machine that is busy with other things. */
jest.setTimeout(120_000);

describe('the package', () => {
  let project: string;
  let manifest: Manifest;
  let files: string[];

  const inside = (path: string): string => join(project, 'node_modules/nestjs-caching', path);
  const node = async (...args: string[]): Promise<string> =>
    (await run(process.execPath, args, { cwd: project, env: { ...process.env, NODE_OPTIONS: '' } })).stdout;
  const evaluate = (code: string): Promise<string> => node('--input-type=module', '--eval', code);

  /** A project with the tarball and what it says that it needs; optional peers are not there. */
  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'nestjs-caching-package-'));
    const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: LIBRARY });
    const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
    files = packed.files.map(({ path }) => path);
    await mkdir(inside('.'), { recursive: true });
    const tarball = join(project, packed.filename);
    await run('tar', ['-xzf', tarball, '--strip-components=1', '-C', inside('.')]);
    manifest = JSON.parse(await readFile(inside('package.json'), 'utf8')) as Manifest;
    const needed = Object.keys(manifest.peerDependencies).filter(
      (name) => manifest.peerDependenciesMeta[name]?.optional !== true,
    );
    const names = [
      ...needed,
      ...Object.keys(manifest.dependencies),
      '@nestjs/platform-express',
      '@types/node',
    ];
    for (const name of names) await link(name);
  });
  afterAll(() => rm(project, { recursive: true, force: true }));

  /** The packages that are there wherever the package is. */
  function needed(): string[] {
    const peers = Object.keys(manifest.peerDependencies);
    const required = peers.filter((name) => manifest.peerDependenciesMeta[name]?.optional !== true);
    return [...required, ...Object.keys(manifest.dependencies)];
  }

  async function link(name: string): Promise<void> {
    const path = join(project, 'node_modules', name);
    await mkdir(dirname(path), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), path);
  }

  it('holds all that its manifest names, a README and a licence, and no tests', () => {
    const targets = Object.values(manifest.exports).flatMap((each) =>
      typeof each === 'string' ? [each] : Object.values(each),
    );
    const named = [...targets, ...Object.values(manifest.bin)].map((path) => path.replace(/^\.\//, ''));
    expect(files).toEqual(expect.arrayContaining([...named, 'README.md', 'LICENSE']));
    expect(files.filter((path) => /\.spec\.|tsbuildinfo|node_modules/.test(path))).toEqual([]);
  });

  it('holds what its README and guides lead to', async () => {
    for (const path of files.filter((each) => /^[^/]*\.md$|^docs\/.*\.md$/.test(each))) {
      const links = (await readFile(inside(path), 'utf8')).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g);
      for (const [, link = ''] of links)
        expect([path, files]).toEqual([path, expect.arrayContaining([join(dirname(path), link)])]);
    }
  });

  it('holds the sources that its maps name', async () => {
    const path = 'dist/cache/cache.service.js.map';
    const { sources } = JSON.parse(await readFile(inside(path), 'utf8')) as { sources: string[] };
    for (const source of sources) expect(files).toContain(join(dirname(path), source));
  });

  it('runs an application with the memory cache, without any optional package', async () => {
    await writeFile(join(project, 'app.mjs'), APP);
    expect(await node('app.mjs')).toBe(`{"n":1} {"n":1} Map(1) { 'n' => 1n }\n`);
  });

  it('can be required as well, and is then the same', async () => {
    const code = `
      import { createRequire } from 'node:module';
      import * as imported from 'nestjs-caching';
      const required = createRequire(import.meta.url)('nestjs-caching');
      console.log(Object.keys(imported).length > 10, required.CachingModule === imported.CachingModule);`;
    expect(await evaluate(code)).toBe('true true\n');
  });

  it('has its other entries, of which only compat needs a package more', async () => {
    const code = `
      const names = ['testing', 'database', 'compat'];
      const load = (name) => import('nestjs-caching/' + name).then((m) => Object.keys(m).length > 0, (e) => e.message);
      console.log(JSON.stringify(await Promise.all(names.map(load))));`;
    expect(JSON.parse(await evaluate(code))).toEqual([
      true,
      true,
      expect.stringContaining("package '@nestjs/cache-manager'"),
    ]);
  });

  it('names the package that a backend misses', async () => {
    const code = (url: string) => `
      import 'reflect-metadata';
      import { NestFactory } from '@nestjs/core';
      import { CachingModule } from 'nestjs-caching';
      const imports = [CachingModule.forRoot({ url: '${url}', keyPrefix: 'x' })];
      const options = { logger: false, abortOnError: false };
      await NestFactory.createApplicationContext({ module: class {}, imports }, options).catch((e) => console.log(e.message));`;
    expect(await evaluate(code('redis://127.0.0.1'))).toContain('npm install @keyv/redis');
    expect(await evaluate(code('postgres://127.0.0.1/x'))).toContain('npm install knex');
  });

  it('has a command', async () => {
    const [bin = ''] = Object.values(manifest.bin);
    const args = ['create-table', '--dry-run', '--url', 'mysql://127.0.0.1/x', '--table', 'mine'];
    expect(await node(inside(bin), ...args)).toContain('CREATE TABLE IF NOT EXISTS `mine`');
  });

  describe('in its types', () => {
    const compile = (...flags: string[]): Promise<string> => {
      const common =
        '--noEmit --strict --skipLibCheck --module nodenext --target es2023 --types node types.mts';
      return node(join(ROOT, 'node_modules/typescript/bin/tsc'), ...common.split(' '), ...flags);
    };
    beforeAll(() => writeFile(join(project, 'types.mts'), TYPES));

    it('is what a strict project takes', async () => {
      await expect(compile()).resolves.toBe('');
    });

    it('names no optional package', async () => {
      const reached = (await compile('--listFilesOnly'))
        .split('\n')
        .filter((path) => path.startsWith(inside('.')));
      const texts = await Promise.all(reached.map((path) => readFile(path, 'utf8')));
      const named = texts.flatMap((text) => [...text.matchAll(/(?:from |import\()['"]([^.'"][^'"]*)['"]/g)]);
      const packages = new Set(named.map(([, name]) => name).filter((name) => !name?.startsWith('node:')));
      expect(reached.length).toBeGreaterThan(10);
      expect(needed()).toEqual(expect.arrayContaining([...packages]));
    });
  });
});
