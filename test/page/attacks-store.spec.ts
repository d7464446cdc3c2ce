import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CacheBackend, Payload } from '../../libs/caching/src/backends/cache-backend.js';
import { FileBackend } from '../../libs/caching/src/backends/file.backend.js';
import { MemcachedBackend } from '../../libs/caching/src/backends/memcached.backend.js';
import { RedisBackend } from '../../libs/caching/src/backends/redis.backend.js';
import { CacheService } from 'nestjs-caching';
import { decodeFrame, encodeFrame } from '../../libs/caching/src/cache/frame.js';
import { systemClock } from '../../libs/caching/src/clock.js';
import { usePages } from '../support/page-app.js';
import { describeService } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';

/**
 * Attacks of class C5, the store as a foothold, as far as pages are concerned. Those on backends themselves are proven in
 * test/backends: keys of any kind (73), planted links and modes of files (75), names of tables (76), slots of a cluster
 * (78) in the specs of hostile content, of the file, the database and the cluster. There is no signing (70), only a checksum
 * that finds accidents; and no messages between processes (79).
 */
describe.each(PLATFORMS)('C5, the store as a foothold, on %s', (platform) => {
  const pages = usePages(platform);
  const directories: string[] = [];
  // A reader right behind a store may still see its lease, and then waits: on a clock that stands, for ever. This one is slow,
  // so that no deadline comes before a busy machine has answered.
  let ticking: ReturnType<typeof setInterval>;
  beforeEach(() => {
    ticking = setInterval(() => pages.clock.advance(1), 10);
  });
  afterEach(async () => {
    await pages.close();
    clearInterval(ticking);
    await Promise.all(
      directories.splice(0).map((directory) => rm(directory, { recursive: true, force: true })),
    );
  });

  /** A backend whose gets are written down, so that a test knows where the page lies. */
  async function startOn(backend: CacheBackend): Promise<void> {
    asked.clear();
    held = new Proxy(backend, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          if (name === 'get' || name === 'getMany')
            for (const key of [given[0]].flat()) asked.add(String(key));
          return Reflect.apply(value, target, given) as unknown;
        };
      },
    });
    pages.clock.advance(Date.now() - pages.clock.now());
    await pages.start(pages.controller('10m'), { caching: { backend: held, keyPrefix: `c5-${platform}` } });
  }
  const asked = new Set<string>();
  let held: CacheBackend;
  /** The key of the page that was asked for last. */
  async function keyOf(path: string): Promise<string> {
    await pages.ask(path);
    asked.clear();
    await pages.ask(path);
    const keys = [...asked].filter((key) => key.includes(':p:'));
    expect(keys).toHaveLength(1);
    return keys[0] ?? '';
  }
  const payloadAt = async (key: string): Promise<Uint8Array> => {
    const payload = await held.get(key);
    if (!(payload instanceof Uint8Array)) throw new TypeError('The backend keeps no bytes.');
    return payload;
  };
  const put = (key: string, payload: Payload) => held.set(key, payload, 600_000);

  function describeStore(name: string, open: () => Promise<CacheBackend> | CacheBackend): void {
    describe(`out of ${name}`, () => {
      it('66: a page with __proto__ in its head pollutes nothing', async () => {
        await startOn(await open());
        const key = await keyOf('/p/66');
        const frame = decodeFrame(await payloadAt(key), key);
        if (frame === undefined) throw new Error('There is no page.');
        const headLength = Buffer.from(frame.body).readUInt32BE(0);
        const head = Buffer.from(frame.body).toString('utf8', 4, 4 + headLength);
        const rest = Buffer.from(frame.body).subarray(4 + headLength);
        const { runs } = pages;
        for (const planted of [
          head.replace('{', '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},'),
          head.replace('"headers":[', '"headers":[["__proto__","polluted"],'),
          head.replace('"headers":[', '"headers":[["set-cookie","sid=evil"],'),
          head.replace('"headers":[', '"headers":{"__proto__":{"polluted":1}},"x":['),
          head.replace('"status":200', '"status":"200"'),
          'null',
          '[]',
          '{',
        ]) {
          const length = Buffer.alloc(4);
          length.writeUInt32BE(Buffer.byteLength(planted));
          await put(
            key,
            encodeFrame({ ...frame, body: Buffer.concat([length, Buffer.from(planted), rest]) }),
          );
          const { status, headers } = await pages.ask('/p/66');
          expect([planted, status, headers.get('set-cookie')]).toEqual([planted, 200, null]);
          expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
        }
        expect(pages.runs).toBeGreaterThan(runs);
      });

      it('67: __proto__ and the like are keys, tags and paths like any other', async () => {
        await startOn(await open());
        const cache = pages.app.app.get(CacheService);
        const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
        expect(await cache.getMany(names)).toEqual(new Map());
        for (const name of names) {
          expect([name, await cache.get(name)]).toEqual([name, undefined]);
          await cache.set(name, `value of ${name}`, { tags: [name] });
          const { text } = await pages.ask(`/p/${name}`);
          expect([name, await pages.text(`/p/${name}`)]).toEqual([name, text]);
        }
        expect([...(await cache.getMany(names)).values()]).toEqual(names.map((name) => `value of ${name}`));
        for (const [index, name] of names.entries()) {
          await cache.invalidateTags([name]);
          expect([...(await cache.getMany(names)).keys()]).toEqual(names.slice(index + 1));
        }
        expect(Object.keys(Object.prototype)).toEqual([]);
      });

      it('69: a page that is copied under the key of another is not used', async () => {
        await startOn(await open());
        const [one, other] = [await keyOf('/p/one'), await keyOf('/p/other')];
        expect(other).not.toBe(one);
        const { text } = await pages.ask('/p/one');
        await put(other, await payloadAt(one));
        expect(await pages.text('/p/other')).not.toBe(text);
      });

      it('70: a page in which a bit has turned is not used', async () => {
        await startOn(await open());
        const key = await keyOf('/p/70');
        const payload = await payloadAt(key);
        for (const at of [0, 5, payload.length >> 1, payload.length - 1]) {
          const turned = Buffer.from(payload);
          turned[at] = (turned[at] ?? 0) ^ 1;
          await put(key, turned);
          const { runs } = pages;
          expect(await pages.text('/p/70')).toBe(`run ${runs + 1}`);
        }
      });

      it('72 and 73: paths with line ends, blanks and very many bytes are keys like any other', async () => {
        await startOn(await open());
        const paths = [
          '%0d%0aset%20x%200%200%201%0d%0aY',
          'a%20b',
          'a%09b',
          '%00',
          '%7f',
          '%F0%9F%98%80',
          '{a}',
          'x'.repeat(90),
        ];
        const first = [];
        for (const path of paths) first.push((await pages.raw(`/p/${path}`)).text);
        expect(new Set(first).size).toBe(paths.length);
        for (const [index, path] of paths.entries())
          expect([path, (await pages.raw(`/p/${path}`)).text]).toEqual([path, first[index]]);
      });
    });
  }

  describeStore('files', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'attacks-'));
    directories.push(directory);
    return new FileBackend({
      directory,
      maxEntries: 1000,
      sweepIntervalMs: 0,
      clock: systemClock,
    });
  });
  describeService('redis', (redis) => {
    describeStore(
      'Redis',
      () => new RedisBackend({ url: redis().url, connectTimeoutMs: 1000, socketTimeoutMs: 1000 }),
    );
  });
  describeService('memcached', (memcached) => {
    describeStore(
      'memcached',
      () =>
        new MemcachedBackend({
          servers: [`${memcached().host}:${memcached().port}`],
          connectTimeoutMs: 2000,
          socketTimeoutMs: 5000,
          maxItemBytes: 1_048_576,
          clock: systemClock,
        }),
    );
  });
});
