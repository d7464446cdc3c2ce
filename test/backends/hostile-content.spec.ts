import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import KeyvRedis from '@keyv/redis';
import type { Knex } from 'knex';
import { describeHostileContent } from 'nestjs-caching/testing';
import { FileBackend } from '../../libs/caching/src/backends/file.backend.js';
import { CacheFolder } from '../../libs/caching/src/backends/file/cache-folder.js';
import { KeyvBackend } from '../../libs/caching/src/backends/keyv.backend.js';
import { MemcachedBackend } from '../../libs/caching/src/backends/memcached.backend.js';
import { MemoryBackend } from '../../libs/caching/src/backends/memory.backend.js';
import { RedisBackend } from '../../libs/caching/src/backends/redis.backend.js';
import { systemClock } from '../../libs/caching/src/clock.js';
import { describeService } from '../support/services.js';
import { applicationKnex, createBackend } from './database-subjects.js';
import { connectPlain, LIMITS, type PlainClient } from './redis-servers.js';

const runner = { describe, it, expect, beforeEach, afterEach };

describeHostileContent('memory', {
  create: () => new MemoryBackend({ maxEntries: 1000, maxBytes: 2 ** 20, sweepInterval: 0 }),
  runner,
});

describe('file', () => {
  let directory: string;
  const pathOf = (key: string): string => new CacheFolder(directory).place(key).path;

  describeHostileContent('file', {
    create: async () => {
      directory = await mkdtemp(join(tmpdir(), 'nestjs-caching-hostile-'));
      return new FileBackend({ directory, maxEntries: 1000, sweepIntervalMs: 0, clock: systemClock });
    },
    destroy: () => rm(directory, { recursive: true }),
    storage: () => ({
      read: (key) => readFile(pathOf(key)),
      write: (key, bytes) => writeFile(pathOf(key), bytes),
    }),
    runner,
  });
});

describe('keyv over a Map', () => {
  let map: Map<string, string>;

  describeHostileContent('keyv, a Map', {
    create: () => {
      map = new Map();
      return new KeyvBackend({ store: map, clock: systemClock });
    },
    storage: () => ({
      read: (key) => Buffer.from(map.get(key)!),
      write: (key, bytes) => void map.set(key, Buffer.from(bytes).toString()),
    }),
    runner,
  });
});

describeService(
  'redis',
  (service) => {
    let plain: PlainClient;
    beforeAll(async () => {
      plain = await connectPlain(service().url);
    });
    afterAll(() => plain.destroy());

    const storage = () => ({
      read: async (key: string) => (await plain.sendCommand(['GET', key], AS_BYTES)) as unknown as Buffer,
      write: async (key: string, bytes: Uint8Array) =>
        void (await plain.sendCommand(['SET', key, Buffer.from(bytes)])),
    });

    describeHostileContent('redis', {
      create: async () => {
        await plain.flushAll();
        return new RedisBackend({ url: service().url, ...LIMITS });
      },
      storage,
      runner,
    });

    let store: KeyvRedis<unknown>;

    describeHostileContent('keyv, KeyvRedis as a store', {
      create: async () => {
        await plain.flushAll();
        store = new KeyvRedis(service().url);
        return new KeyvBackend({ store, clock: systemClock });
      },
      destroy: () => store.disconnect(true),
      storage,
      runner,
    });
  },
  { own: true },
);

/** Strings in the replies of the plain client come as bytes. */
const AS_BYTES = { typeMapping: { 36: Buffer } };

describeService(
  'memcached',
  (service) => {
    /** Says something to the server and answers what it says until it comes to this end. */
    async function say(words: Uint8Array, end: RegExp): Promise<Buffer> {
      const socket = connect(service().port, service().host);
      socket.write(words);
      let heard = Buffer.alloc(0);
      while (!end.test(heard.toString('latin1'))) {
        heard = Buffer.concat([heard, ...((await once(socket, 'data')) as Buffer[])]);
      }
      socket.destroy();
      return heard;
    }

    describeHostileContent('memcached', {
      create: async () => {
        await say(Buffer.from('flush_all\r\n'), /OK\r\n$/);
        return new MemcachedBackend({
          servers: [`${service().host}:${service().port}`],
          connectTimeoutMs: 2000,
          socketTimeoutMs: 5000,
          maxItemBytes: 1_048_576,
          clock: systemClock,
        });
      },
      storage: () => ({
        read: async (key) => {
          const reply = await say(Buffer.from(`get ${key}\r\n`), /END\r\n$/);
          const begin = reply.indexOf('\r\n') + 2;
          return reply.subarray(begin, reply.length - '\r\nEND\r\n'.length);
        },
        write: async (key, bytes) => {
          const words = [Buffer.from(`set ${key} 0 0 ${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
          await say(Buffer.concat(words), /STORED\r\n$/);
        },
      }),
      runner,
    });
  },
  { own: true },
);

function describeDatabase(url: () => string): void {
  let knex: Knex;
  beforeAll(async () => {
    knex = await applicationKnex(url());
  });
  afterAll(() => knex.destroy());
  const row = (key: string) => knex('nestjs_cache').where({ cache_key: key });

  describeHostileContent('database', {
    create: async () => {
      const backend = createBackend({ url: url() });
      await backend.clear('');
      return backend;
    },
    storage: () => ({
      read: async (key) => {
        const { payload }: { payload: Uint8Array } = await row(key).first('payload');
        return payload;
      },
      write: async (key, bytes) =>
        void (await row(key).update({ payload: Buffer.from(bytes), number: null })),
    }),
    runner,
  });
}

describe('on sqlite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-caching-hostile-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  describeDatabase(() => `sqlite://${folder}/cache.db`);
});
describeService('postgres', (service) => describeDatabase(() => service().url));
describeService('mariadb', (service) => describeDatabase(() => service().url));
