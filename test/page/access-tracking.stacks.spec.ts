import { beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { AccessReport } from '../../libs/caching/src/page/read-log.js';
import { useBuilt } from '../support/processes.js';
import { PLATFORMS } from '../support/test-app.js';
import { READS } from './reads.js';
import type { Visit } from './stacks-process.js';

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

const startProcess = useBuilt('test/page/stacks-process', {
  imports: ['test/page/reads', 'test/page/stacks', 'test/support/test-app', 'test/support/tracked-app'],
  folders: ['test/support/views'],
});
const visits: Visit[] = [];

beforeAll(async () => {
  const child = startProcess();
  child.on('message', (visit) => visits.push(visit as Visit));
  await once(child, 'exit');
}, 120_000);

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
