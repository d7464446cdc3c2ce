import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSample, type SampleProcess, startSample } from '../support/sample-process.js';
import { PLATFORMS } from '../support/test-app.js';

describe('the sample', () => {
  let sample: SampleProcess | undefined;

  const start = async (environment: Record<string, string>): Promise<SampleProcess> =>
    (sample = await startSample(environment));

  beforeAll(buildSample, 120_000);
  afterEach(() => sample?.stop());

  it.each(PLATFORMS)('caches in each style on %s', async (platform) => {
    const { guide, sequence, fetch } = await start({ PLATFORM: platform });
    expect(guide).toContain('/slow-api/page');
    expect([await sequence('/slow-api'), await sequence('/slow-api')]).toEqual([1, 2]);
    for (const path of [
      '/slow-api/page',
      '/slow-api/manual',
      '/slow-api/get-or-set',
      '/slow-class/first',
      '/slow-class/second',
    ]) {
      expect(await sequence(path)).toBe(await sequence(path));
    }
    const before = await sequence('/slow-api/manual');
    expect((await fetch('/slow-api/manual', { method: 'DELETE' })).status).toBe(204);
    expect(await sequence('/slow-api/manual')).toBeGreaterThan(before);
  });

  it.each(PLATFORMS)('asks the upstream once for 50 cold requests on %s', async (platform) => {
    const { sequence } = await start({ PLATFORM: platform });
    const seen = await Promise.all(Array.from({ length: 50 }, () => sequence('/slow-api/page')));
    expect(new Set(seen)).toEqual(new Set([1]));
  });

  it.each(PLATFORMS)('answers what is under way at a SIGTERM and then ends, on %s', async (platform) => {
    const { fetch, stop, port } = await start({ PLATFORM: platform });
    // As browsers do, which may never ask for anything on it.
    const ahead = connect(Number(port), 'localhost');
    await once(ahead, 'connect');
    const answers = [fetch('/slow-api'), fetch('/slow-api/page')];
    await fetch('/nowhere');
    const ended = stop();
    for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
    await ended;
  });

  it('is reachable when the URL of its cache is a list of servers', async () => {
    const { guide } = await start({ CACHE_URL: 'memcached://127.0.0.1:1,127.0.0.1:2' });
    expect(guide).toContain('cache in memcached');
  });

  it('says at its start what is wrong and what to change', async () => {
    const { port } = await start({});
    const startWith = (environment: Record<string, string>) =>
      startSample({ UPSTREAM_DELAY: '0', ...environment });
    await expect(startWith({ PORT: port })).rejects.toThrow(
      new RegExp(`with code 1: [^]*Port ${port} is in use. Give another one: PORT=3001 npm start\\n$`),
    );
    await expect(startWith({ PLATFORM: 'koa' })).rejects.toThrow(
      /code 1: PLATFORM is "koa"; use express or fastify\.\n$/,
    );
    await expect(startWith({ CACHE_URL: 'rdis://x' })).rejects.toThrow(
      /the scheme rdis: belongs to no backend/,
    );
  });
});
