import { describe, expect, it } from '@jest/globals';
import knexFactory from 'knex';
import { InvalidOptionsError } from 'nestjs-caching';
import { NullBackend } from '../../libs/caching/src/backends/null.backend.js';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';

function problemsOf(options: unknown): string[] {
  try {
    resolveOptions(options);
  } catch (error) {
    if (error instanceof InvalidOptionsError)
      return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

describe('resolveOptions', () => {
  it('gives one bounded memory cache for nothing', () => {
    const { caches, pages } = resolveOptions({});
    expect(caches.get('default')).toEqual({
      backend: {
        name: 'memory',
        options: { maxEntries: 100_000, maxBytes: 67_108_864, sweepInterval: 30_000 },
      },
      given: new Set(),
      ttlMs: 900_000,
      keyPrefix: '',
      version: 1,
      classInstances: 'refuse',
      converters: [],
      onError: 'throw',
      maxValueBytes: 67_108_864,
      compressAbove: 65_536,
      readDeadlineMs: 250,
      writeDeadlineMs: 1000,
      closeDeadlineMs: 2000,
      revalidateMs: 0,
      errorMs: 0,
      jitterMs: 0,
      seed: undefined,
      errorTtlMs: 1000,
      loadTimeoutMs: 30_000,
      leaseMs: 10_000,
      maxConcurrentLoads: 1000,
      tagMemoMs: 0,
      requestMemo: false,
      breaker: { failures: 5, pauseMs: 1000 },
    });
    expect(pages).toEqual({
      cache: 'default',
      policies: {},
      accessTracking: 'on',
      ignoreReads: [],
      sessionCookies: ['connect.sid', 'sessionId'],
      maxBodySize: 10_485_760,
      maxVariants: 32,
      flightDeadline: 30_000,
    });
  });

  it('takes a Knex instance, which is a function', async () => {
    const knex = knexFactory({ client: 'pg' });
    const { caches } = resolveOptions({ backend: 'database', knex });
    expect(caches.get('default')?.backend).toMatchObject({ name: 'database', options: { knex } });
    expect(problemsOf({ backend: 'database', knex: 'pg' })).toContain('knex: use an object');
    await knex.destroy();
  });

  it('never lets an explicit undefined beat a default, and leaves the caller’s object alone', () => {
    const given = Object.freeze({ ttl: undefined, url: undefined, backend: undefined });
    expect(resolveOptions(given).caches.get('default')?.ttlMs).toBe(900_000);
  });

  it.each([
    ['memory:', 'memory'],
    ['redis://localhost:6379/3', 'redis'],
    ['rediss://user:secret@host', 'redis'],
    ['memcached://a:1,b:2', 'memcached'],
    ['file:///var/cache/app', 'file'],
    ['postgres://u@h/db', 'database'],
    ['sqlite::memory:', 'database'],
    ['null:', 'null'],
  ])('finds the backend of %s', (url, name) => {
    expect(resolveOptions({ url }).caches.get('default')?.backend).toMatchObject({ name });
  });

  it.each([
    [
      { backend: 'reddis' },
      /^backend: unknown backend, did you mean "redis"\?; use one of memory, file, redis/,
    ],
    [{ url: 'localhost:6379 nope' }, /^url: .*(not a URL|belongs to no backend)/],
    [{ url: 'redis://host:port:1' }, /^url: not a URL; write one such as/],
    [{ url: 'localhost:6379' }, /^url: a server, .*; write redis:\/\/localhost:6379 if it is Redis$/],
    [{ url: '10.0.0.1:6379/2' }, /^url: .* write redis:\/\/10\.0\.0\.1:6379 /],
    [{ url: 'redis:6379' }, /^url: .* write redis:\/\/redis:6379 /],
    [{ url: 'ftp://host' }, /^url: the scheme ftp: belongs to no backend/],
    [{ backend: 'memory', url: 'redis://h' }, /^url: the scheme redis: belongs to the redis backend/],
    [{ tll: '5m' }, /^tll: unknown option, did you mean "ttl"\?; allowed here: ttl, keyPrefix/],
    [{ ttl: '5 minutes' }, /^ttl: use milliseconds or text/],
    [{ ttl: NaN }, /^ttl: use milliseconds or text/],
    [{ keyPrefix: 'x'.repeat(65) }, /^keyPrefix: use at most 64 bytes/],
    [{ maxEntries: 0 }, /^maxEntries: /],
    [{ backend: 'redis' }, /^url: give exactly one of url, client, cluster, sentinel/],
    [{ backend: 'file', directory: 'relative' }, /^directory: use an absolute path/],
    [{ backend: { get() {} } }, /^backend: does not implement CacheBackend: set, delete/],
    [{ caches: { reports: {} } }, /^caches: a cache named "default" is missing/],
    [{ caches: { default: {}, reports: { ttl: 'x' } } }, /^caches\.reports\.ttl: /],
    [{ pages: { cache: 'nope' } }, /^pages\.cache: there is no cache named "nope"; known: default/],
    [{ pages: { maxBodySze: 1 } }, /^pages\.maxBodySze: unknown option, did you mean "maxBodySize"\?/],
    ['redis', /^: use an object with options/],
    [undefined, /^: use an object with options/],
  ])('reports %p with its path and the remedy', (options, message) => {
    expect(problemsOf(options)).toContainEqual(expect.stringMatching(message));
  });

  it.each([
    { backend: 'memory' },
    { backend: 'file' },
    { backend: 'redis' },
    { backend: 'memcached' },
    { backend: 'database' },
    { backend: 'keyv' },
    { backend: 'null' },
    { backend: new NullBackend() },
  ])('says of each option of %p where it is and what is allowed', (options) => {
    const listing = problemsOf({ ...options, extra: 1 }).find((problem) => problem.startsWith('extra: '));
    const allowed = listing?.replace(/^.*allowed here: /, '').split(', ') ?? [];
    expect(allowed.length).toBeGreaterThan(10);
    for (const option of allowed) {
      const problems = problemsOf({ ...options, [option]: Symbol('nothing that could be meant') });
      expect(problems).toContainEqual(expect.stringMatching(new RegExp(`^${option}: (use|give) `)));
    }
  });

  it.each(['pages', 'fragments'])('says of each option of %s where it is and what is allowed', (part) => {
    const listing = problemsOf({ [part]: { extra: 1 } }).find((problem) =>
      problem.startsWith(`${part}.extra: `),
    );
    const allowed = listing?.replace(/^.*allowed here: /, '').split(', ') ?? [];
    expect(allowed.length).toBeGreaterThan(1);
    for (const option of allowed) {
      const problems = problemsOf({ [part]: { [option]: Symbol('nothing that could be meant') } });
      expect(problems).toContainEqual(expect.stringMatching(new RegExp(`^${part}\\.${option}: (use|give) `)));
    }
  });

  it('says of an option of a policy where it is and what is allowed', () => {
    const problems = (policy: object) => problemsOf({ pages: { policies: { catalogue: policy } } });
    const [listing] = problems({ shard: true });
    expect(listing).toMatch(/^pages\.policies\.catalogue\.shard: unknown option, did you mean "shared"\?/);
    for (const option of listing?.replace(/^.*allowed here: /, '').split(', ') ?? []) {
      const told = problems({ [option]: Symbol('nothing that could be meant') });
      expect(told).toContainEqual(expect.stringMatching(new RegExp(`\\.${option}: use `)));
    }
  });

  it('says of an option within another where it is and what is allowed there', () => {
    expect(problemsOf({ breaker: { failurs: 3, pause: '5 seconds' } })).toEqual([
      expect.stringMatching(/^breaker\.pause: use milliseconds or text/),
      'breaker.failurs: unknown option, did you mean "failures"?; allowed here: failures, pause',
    ]);
    expect(problemsOf({ pages: 5 })).toEqual(['pages: use an object with options']);
    expect(problemsOf({ pages: { policies: { catalogue: { query: { onyl: ['page'] } } } } })).toEqual([
      'pages.policies.catalogue.query.onyl: unknown option, did you mean "only"?; allowed here: only, ignore',
    ]);
  });

  it('reports every problem at once', () => {
    const problems = problemsOf({
      caches: { default: { ttl: 'x', vresion: 2 }, b: { backend: 'nope' } },
      extra: 1,
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'extra',
      'caches.default.ttl',
      'caches.default.vresion',
      'caches.b.backend',
    ]);
  });

  it('never repeats a password', () => {
    expect(problemsOf({ url: 'rdis://user:secret@host' }).join()).not.toContain('secret');
  });
});
