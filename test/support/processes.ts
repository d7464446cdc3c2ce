import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { transform } from '@swc/core';
import type { CacheOptions } from 'nestjs-caching';
import type { Order, Report } from './cache-process.js';

const ROOT = resolve(import.meta.dirname, '../..');
const SCRIPT = 'test/support/cache-process';

/** A process of its own with a cache. */
export interface CacheProcess {
  readonly child: ChildProcess;
  /** What came of an order. */
  tell<Answer>(order: Order): Promise<Answer>;
  /** How often a factory of this key has begun. */
  began(key: string): number;
}

/**
 * Builds the library and a script for child processes, once for a spec, with the other scripts that it imports and folders
 * that it reads. The result starts one.
 */
export function useBuilt(
  script: string,
  {
    imports = [],
    folders = [],
  }: { readonly imports?: readonly string[]; readonly folders?: readonly string[] } = {},
): (...args: string[]) => ChildProcess {
  let built: string;
  beforeAll(async () => {
    built = await mkdtemp(join(tmpdir(), 'nestjs-caching-built-'));
    await writeFile(join(built, 'package.json'), '{ "type": "module" }');
    await symlink(join(ROOT, 'node_modules'), join(built, 'node_modules'));
    const sources = await readdir(join(ROOT, 'libs/caching/src'), { recursive: true });
    const files = sources
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join('libs/caching/src', file));
    const scripts = [script, ...imports].map((name) => `${name}.ts`);
    await Promise.all([...scripts, ...files].map((file) => build(built, file)));
    for (const folder of folders) await cp(join(ROOT, folder), join(built, folder), { recursive: true });
  }, 60_000);
  afterAll(() => rm(built, { recursive: true }));
  return (...args) => fork(join(built, `${script}.js`), args, { execArgv: [] });
}

/** Processes with caches, which end with the test that has started them. */
export function useCacheProcesses(): (options: CacheOptions) => Promise<CacheProcess> {
  const startProcess = useBuilt(SCRIPT);
  let children: ChildProcess[] = [];
  afterEach(async () => {
    await Promise.all(children.map(kill));
    children = [];
  });

  return async (options) => {
    const child = startProcess(JSON.stringify(options));
    children.push(child);
    const began = new Map<string, number>();
    const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
    child.on('message', (report: Report) => {
      if ('began' in report) {
        began.set(report.began, (began.get(report.began) ?? 0) + 1);
        return;
      }
      const order = waiting.get(report.number);
      waiting.delete(report.number);
      if ('error' in report) order?.reject(new Error(report.error));
      else order?.resolve(report.answer);
    });
    child.on('exit', () => {
      for (const { reject } of waiting.values()) reject(new Error('The process has ended.'));
    });
    await once(child, 'message');
    let last = 0;
    return {
      child,
      began: (key) => began.get(key) ?? 0,
      tell: <Answer>(order: Order) =>
        new Promise<Answer>((resolve, reject) => {
          last += 1;
          waiting.set(last, { resolve, reject });
          child.send({ number: last, order });
        }),
    };
  };
}

/** Ends a process at once, if it has not ended. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function build(into: string, file: string): Promise<void> {
  const { code } = await transform(await readFile(join(ROOT, file), 'utf8'), {
    swcrc: false,
    configFile: false,
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
      target: 'es2022',
    },
    module: { type: 'es6' },
  });
  const target = join(into, file.replace(/\.ts$/, '.js'));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
}
