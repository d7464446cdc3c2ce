import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from '@jest/globals';
import type { CachingOptions } from 'nestjs-caching';
import { describeService, type ServiceName } from './services.js';
import { type Platform, PLATFORMS } from './test-app.js';

type Body = (platform: Platform, options: () => CachingOptions) => void;

/** Options of a cache of its own for each call, in this process and on a server, on each platform. */
export function describePages(body: Body): void {
  describe('in memory', () => onEachPlatform(body, () => ({})));
  onService('redis', body);
}

/** The same on every backend that stores anything. */
export function describePagesEverywhere(body: Body): void {
  describePages(body);
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-caching-pages-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const place = () => join(folder, randomUUID());
  describe('in files', () => onEachPlatform(body, () => ({ backend: 'file', directory: place() })));
  describe('in SQLite', () => onEachPlatform(body, () => ({ url: `sqlite://${place()}` })));
  describe('in a Map of Keyv', () => onEachPlatform(body, () => ({ backend: 'keyv', store: new Map() })));
  for (const name of ['memcached', 'postgres', 'mariadb'] as const) onService(name, body);
}

function onEachPlatform(body: Body, options: () => CachingOptions): void {
  describe.each(PLATFORMS)('on %s', (platform) => body(platform, options));
}

function onService(name: ServiceName, body: Body): void {
  describeService(name, (service) => {
    onEachPlatform(body, () => ({ url: service().url, keyPrefix: `pages-${randomUUID().slice(0, 8)}` }));
  });
}
