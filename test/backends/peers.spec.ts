import { runInNewContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import { importPeer } from '../../libs/caching/src/backends/import-peer.js';
import { isErrorReply } from '../../libs/caching/src/backends/redis/link.js';

/** An error whose class is not this realm's `Error`, as those of Jest's loader and of a package outside of it are. */
function foreignError(message: string, code?: string): Error {
  const error = runInNewContext('new Error(message)', { message }) as Error;
  return code === undefined ? error : Object.assign(error, { code });
}

describe('importPeer', () => {
  const load = (error: Error) => importPeer('knex', 'The database backend', () => Promise.reject(error));

  it.each(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])(
    'names the missing package for %s of any realm',
    async (code) => {
      const missing = foreignError(`Cannot find package 'knex' imported from here`, code);
      await expect(load(missing)).rejects.toMatchObject({
        code: 'CACHING_PEER_MISSING',
        message: expect.stringContaining('npm install knex'),
        cause: missing,
      });
    },
  );

  it('passes on what a package that is there failed with', async () => {
    for (const error of [foreignError(`Cannot find 'tarn'`, 'ERR_MODULE_NOT_FOUND'), foreignError(`'knex'`)])
      await expect(load(error)).rejects.toBe(error);
  });
});

describe('isErrorReply', () => {
  it('knows a reply by its text, in any realm', () => {
    expect(isErrorReply(foreignError('OOM command not allowed'))).toBe(true);
    expect(isErrorReply(new Error('NOSCRIPT No matching script'))).toBe(true);
  });

  it('takes nothing else for one', () => {
    const refused = foreignError('ECONNREFUSED it is', 'ECONNREFUSED');
    for (const other of [refused, new Error('The client is closed'), 'OOM text', undefined, null, {}])
      expect(isErrorReply(other)).toBe(false);
  });
});

describe('a package that is not installed', () => {
  /** Nothing is asked of the packages that are there, because nothing connects. */
  const providePackages = (missing: string): void => {
    for (const name of ['@keyv/redis', 'knex', 'pg', 'mysql2', 'libsql']) {
      jest.unstable_mockModule(name, () => {
        if (name !== missing) return { default: {} };
        throw foreignError(`Cannot find package '${name}' imported from here`, 'ERR_MODULE_NOT_FOUND');
      });
    }
  };

  it('is not missed by migrations before they have an instance', async () => {
    providePackages('knex');
    jest.resetModules();
    const { createCacheTableSql } = await import('nestjs-caching/database');
    expect(createCacheTableSql('mysql')).toContain('CREATE TABLE');
  });

  it.each([
    ['@keyv/redis', { url: 'redis://127.0.0.1:1' }],
    ['knex', { url: 'postgres://127.0.0.1:1/x' }],
    ['pg', { url: 'postgres://127.0.0.1:1/x' }],
    ['mysql2', { url: 'mysql://127.0.0.1:1/x' }],
    ['libsql', { url: 'sqlite::memory:' }],
  ])('shows when a cache that needs it is opened: %s', async (packageName, options) => {
    providePackages(packageName);
    jest.resetModules();
    const { openCache } = await import('../support/caches.js');
    await expect(openCache({ ...options, keyPrefix: 'peers' })).rejects.toMatchObject({
      code: 'CACHING_PEER_MISSING',
      packageName,
    });
  });
});
