import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { startService, type Service } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';

const ROOT = new URL('../../', import.meta.url).pathname;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function run(command: string, args: string[]): Promise<void> {
  const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
}

describe('the sample', () => {
  let sample: ChildProcess | undefined;
  let base = '';
  let redis: Service | undefined;

  beforeAll(() => run(process.execPath, ['scripts/build.mjs']), 120_000);
  afterEach(async () => {
    await stop();
    await redis?.stop();
    redis = undefined;
  });

  async function start(environment: Record<string, string>): Promise<string> {
    const port = environment['PORT'] ?? String(await freePort());
    const env = {
      ...process.env,
      NODE_OPTIONS: '',
      PORT: port,
      UPSTREAM_DELAY: '300',
      ...environment,
    };
    const child = spawn(process.execPath, ['apps/sample/dist/main.js'], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    sample = child;
    base = `http://127.0.0.1:${port}`;
    let guide = '';
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
      guide += String(chunk);
      if (guide.includes('Ctrl-C')) break;
    }
    return guide;
  }

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (sample === undefined) return;
    const ended = once(sample, 'exit');
    sample.kill(signal);
    await ended;
    sample = undefined;
  }

  const sequence = async (path: string): Promise<number> =>
    ((await (await fetch(base + path)).json()) as { sequence: number }).sequence;

  it.each(PLATFORMS)('caches in each style on %s', async (platform) => {
    const guide = await start({ PLATFORM: platform });
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
    expect((await fetch(`${base}/slow-api/manual`, { method: 'DELETE' })).status).toBe(204);
    expect(await sequence('/slow-api/manual')).toBeGreaterThan(before);
  });

  it.each(PLATFORMS)('asks the upstream once for 50 cold requests on %s', async (platform) => {
    await start({ PLATFORM: platform });
    const seen = await Promise.all(Array.from({ length: 50 }, () => sequence('/slow-api/page')));
    expect(new Set(seen)).toEqual(new Set([1]));
  });

  it('keeps its hits over a restart when they are in Redis', async () => {
    redis = await startService('redis', { own: true });
    await start({ CACHE_URL: redis.url });
    const read = async (path: string): Promise<string> => (await fetch(base + path)).text();
    const before = [await read('/slow-api/page'), await read('/slow-api/manual')];
    await stop('SIGINT');
    await start({ REDIS_URL: redis.url, PORT: new URL(base).port });
    expect(await read('/slow-api/manual')).toBe(before[1]);
    expect(await read('/slow-api/page')).toBe(before[0]);
  });
});
