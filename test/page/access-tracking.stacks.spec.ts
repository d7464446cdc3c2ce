import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { transform } from '@swc/core';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { AccessReport } from '../../libs/caching/src/page/read-log.js';
import { PLATFORMS } from '../support/test-app.js';
import { READS } from './reads.js';
import type { Visit } from './stacks-process.js';

const ROOT = resolve(import.meta.dirname, '../..');
const NOTHING: AccessReport = { identity: [], headers: [], late: { identity: [], headers: [] } };
const LANGUAGE: AccessReport = { ...NOTHING, identity: ['i18nLang'] };

/** What is installed, and whether its own routes translate. */
const STACKS: readonly [stack: string, isTranslated?: boolean][] = [
  ['nothing'],
  ['helmet'],
  ['compression'],
  ['sessions'],
  ['sessions and compression'],
  ['passport'],
  ['nestjs-cls'],
  ['nestjs-cls as an interceptor'],
  ['nestjs-pino'],
  ['@nestjs/throttler'],
  ['nestjs-i18n', true],
  ['nestjs-i18n with cookies', true],
];
const PUBLIC = ['/json', '/text', '/observable', '/stream'].flatMap((path) => [
  `GET ${path}`,
  `HEAD ${path}`,
]);
const TRANSLATED = ['/by-context', '/by-decorator'].flatMap((path) => [`GET ${path}`, `HEAD ${path}`]);

let built: string;
const visits: Visit[] = [];

beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), 'nestjs-caching-built-'));
  await writeFile(join(built, 'package.json'), '{ "type": "module" }');
  await symlink(join(ROOT, 'node_modules'), join(built, 'node_modules'));
  const pages = await readdir(join(ROOT, 'libs/caching/src/page'));
  const files = [
    ...['page/reads', 'page/stacks', 'page/stacks-process', 'support/test-app', 'support/tracked-app'].map(
      (name) => `test/${name}.ts`,
    ),
    ...pages.map((name) => `libs/caching/src/page/${name}`),
  ];
  await cp(join(ROOT, 'test/support/views'), join(built, 'test/support/views'), { recursive: true });
  await Promise.all(files.map(build));
  const child = fork(join(built, 'test/page/stacks-process.js'), [], { execArgv: [] });
  child.on('message', (visit) => visits.push(visit as Visit));
  await once(child, 'exit');
}, 120_000);

afterAll(() => rm(built, { recursive: true }));

describe.each(PLATFORMS)('a public route on %s is not taken for a personal one', (platform) => {
  it.each(STACKS)('beside %s', (stack, isTranslated = false) => {
    const found = visits
      .filter((visit) => visit.platform === platform && visit.stack === stack)
      .map(({ route, status, report }) => [route, status, report]);
    expect(found).toEqual([
      ...PUBLIC.map((route) => [route, 200, NOTHING]),
      ...(isTranslated ? TRANSLATED.map((route) => [route, 200, LANGUAGE]) : []),
    ]);
  });
});

describe.each(PLATFORMS)('a translated route on %s', (platform) => {
  it('is in the language of the visitor, which is why it is not for everybody', () => {
    const texts = visits.filter((visit) => visit.platform === platform && visit.route === 'GET /by-context');
    expect(texts.map(({ text }) => text)).toEqual(['Hallo', 'Hallo']);
  });
});

describe.each(PLATFORMS)('a request without a connection on %s', (platform) => {
  it('is watched like any other', () => {
    const found = visits.filter((visit) => visit.platform === platform && visit.stack === 'light-my-request');
    const reads = found.map(({ route, report: { identity, headers, late } }) => [
      route,
      [...identity, ...late.identity],
      [...headers, ...late.headers],
    ]);
    // light-my-request has no `headersDistinct`.
    const expected = READS.map(([path, ...read]) =>
      path === '/header-distinct' ? [path, [], []] : [path, ...read],
    );
    expect(reads).toEqual(expected);
  });
});

async function build(file: string): Promise<void> {
  const source = await readFile(join(ROOT, file), 'utf8');
  const { code } = await transform(source, {
    swcrc: false,
    configFile: false,
    jsc: {
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      target: 'es2022',
    },
    module: { type: 'es6' },
  });
  const target = join(built, file.replace(/\.ts$/, '.js'));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
}
