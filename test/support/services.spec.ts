import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import mysql from 'mysql2/promise';
import pg from 'pg';

import {
  findService,
  type SearchOptions,
  SERVICE_NAMES,
  skippedServices,
} from '../../scripts/services/index.mjs';
import { describeService, type Service, startService } from './services.js';

/** Writes and reads one value with the client's own words. `read` answers undefined when nothing is there. */
interface Slot {
  write(service: Service): Promise<void>;
  read(service: Service): Promise<string | undefined>;
}

const slots: Record<Service['name'], Slot> = {
  redis: {
    write: async (service) => void (await say(service, 'SET slot kept\r\n')),
    read: async (service) => /\r\n(kept)\r\n/.exec(await say(service, 'GET slot\r\n'))?.[1],
  },
  memcached: {
    write: async (service) => void (await say(service, 'set slot 0 0 4\r\nkept\r\n')),
    read: async (service) => /\r\n(kept)\r\n/.exec(await say(service, 'get slot\r\n'))?.[1],
  },
  postgres: {
    write: async ({ url }) => void (await onPostgres(url, `create table slot as select 'kept' as value`)),
    read: async ({ url }) => (await onPostgres(url, 'select value from slot'))[0]?.value,
  },
  mariadb: {
    write: async ({ url }) => void (await onMariadb(url, `create table slot as select 'kept' as value`)),
    read: async ({ url }) => (await onMariadb(url, 'select value from slot'))[0]?.value,
  },
};

describe.each(SERVICE_NAMES)('startService(%s)', (name) => {
  describeService(
    name,
    (service) => {
      it('answers with the version that it reports, on a port of the loopback interface', async () => {
        expect(service().version).toMatch(/^\d+\.\d+/);
        expect(service().host).toBe('127.0.0.1');
        expect(service().url).toContain(`127.0.0.1:${service().port}`);
        await slots[name].write(service());
        await expect(slots[name].read(service())).resolves.toBe('kept');
      });

      it('answers nothing while it is frozen, and the question after the thaw', async () => {
        service().freeze();
        let isAnswered = false;
        const answer = slots[name].read(service()).finally(() => {
          isAnswered = true;
        });
        await sleep(100);
        expect(isAnswered).toBe(false);
        service().thaw();
        await expect(answer).resolves.toBe('kept');
      });

      it('is gone after kill(), and comes back on its port with its data', async () => {
        const { port } = service();
        await service().kill();
        await expect(slots[name].read(service())).rejects.toThrow();
        await service().start();
        expect(service().port).toBe(port);
        await expect(slots[name].read(service())).resolves.toBe(name === 'memcached' ? undefined : 'kept');
      });

      it('leaves no process and no data after stop(), frozen or not', async () => {
        const other = await startService(name, { own: true });
        expect(existsSync(String(other.folder))).toBe(true);
        other.freeze();
        await other.stop();
        await other.stop();
        expect(existsSync(String(other.folder))).toBe(false);
        await expect(slots[name].read(other)).rejects.toThrow();
      });
    },
    { own: true },
  );
});

describeService(
  'redis',
  (service) => {
    it('takes further arguments', async () => {
      await expect(say(service(), 'CONFIG GET maxmemory-policy\r\n')).resolves.toContain('allkeys-lru');
    });

    it('does not outlive a process that is killed', async () => {
      const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLD_REDIS], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(holder.stdout, 'data')) as [Buffer];
      const { port, folder } = JSON.parse(line.toString()) as { port: number; folder: string };
      expect(existsSync(folder)).toBe(true);
      holder.kill('SIGKILL');
      await until(() => !existsSync(folder));
      await expect(say({ host: '127.0.0.1', port }, 'PING\r\n')).rejects.toThrow('ECONNREFUSED');
    });

    describe('at a URL of the environment', () => {
      let shared: Service;
      let before: string | undefined;

      beforeAll(async () => {
        before = process.env.REDIS_URL;
        process.env.REDIS_URL = service().url;
        shared = await startService('redis');
      });

      afterAll(() => {
        if (before === undefined) delete process.env.REDIS_URL;
        else process.env.REDIS_URL = before;
      });

      it('is used as it is, and refuses what would harm others', async () => {
        expect(shared).toMatchObject({ url: service().url, version: service().version, how: 'at REDIS_URL' });
        await expect(shared.kill()).rejects.toThrow('REDIS_URL');
        expect(() => shared.freeze()).toThrow('REDIS_URL');
        await shared.stop();
        await expect(say(service(), 'PING\r\n')).resolves.toContain('PONG');
      });

      it('is passed over by a spec that needs a server of its own', async () => {
        const own = await startService('redis', { own: true });
        expect(own.url).not.toBe(service().url);
        await own.stop();
      });

      it('is an error that names the variable where nothing answers', async () => {
        process.env.REDIS_URL = 'redis://127.0.0.1:1';
        await expect(startService('redis')).rejects.toThrow(
          'REDIS_URL is set, but no redis answers at 127.0.0.1:1',
        );
      });
    });
  },
  { args: ['--maxmemory-policy', 'allkeys-lru'] },
);

type Sources = NonNullable<SearchOptions['sources']>;

describe('findService', () => {
  let folder: string;
  const none: Sources = {
    apt: { canInstall: () => false, install: async () => {} },
    compose: { isAvailable: async () => false },
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'find-service-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const program = (name: string) => writeFileSync(join(folder, name), '', { mode: 0o755 });
  const search = (sources: Partial<Sources> = {}, env: Record<string, string> = {}) => ({
    env,
    folders: { path: [folder], system: () => [] },
    sources: { ...none, ...sources },
  });

  it('prefers a URL of the environment to a program', async () => {
    program('memcached');
    const place = await findService('memcached', search({}, { MEMCACHED_URL: 'memcached://127.0.0.1:9' }));
    expect(place).toMatchObject({ kind: 'url', url: 'memcached://127.0.0.1:9' });
  });

  it('takes a server only with the programs that it needs beside it', async () => {
    program('postgres');
    await expect(findService('postgres', search())).rejects.toThrow('there is none');
    program('initdb');
    await expect(findService('postgres', search())).resolves.toMatchObject({ kind: 'program' });
  });

  it('installs what is missing, with the second choice of packages after the first one failed', async () => {
    const asked: (readonly string[])[] = [];
    const install = async (packages: readonly string[]) => {
      asked.push(packages);
      if (asked.length === 1) throw new Error('no such package');
      for (const name of ['mariadbd', 'mariadb-install-db', 'my_print_defaults']) program(name);
    };
    const place = await findService('mariadb', search({ apt: { canInstall: () => true, install } }));
    expect(place).toMatchObject({ kind: 'program', how: 'mariadb-server by apt-get' });
    expect(asked).toEqual([['mariadb-server-core', 'mariadb-client-core'], ['mariadb-server']]);
  });

  it('falls back on docker compose', async () => {
    const place = await findService('redis', search({ compose: { isAvailable: async () => true } }));
    expect(place).toMatchObject({ kind: 'compose' });
  });

  it('names every choice when there is nothing', async () => {
    const failure = findService('redis', search());
    for (const choice of ['REDIS_URL', 'PATH', 'apt-get', 'docker compose', 'SKIP_SERVICES=redis']) {
      await expect(failure).rejects.toThrow(choice);
    }
  });
});

describe('SKIP_SERVICES', () => {
  it('is a list of names', () => {
    expect(skippedServices({ SKIP_SERVICES: 'redis, postgres' })).toEqual(['redis', 'postgres']);
    expect(skippedServices({})).toEqual([]);
  });

  it('refuses a name that it does not know', () => {
    expect(() => skippedServices({ SKIP_SERVICES: 'redsi' })).toThrow('it knows: redis, memcached');
  });
});

const HOLD_REDIS = `
  import { startService } from '${new URL('../../scripts/services/index.mjs', import.meta.url).href}';
  const { port, folder } = await startService('redis', { own: true });
  console.log(JSON.stringify({ port, folder }));
  setInterval(() => {}, 1000);
`;

async function say({ host, port }: Pick<Service, 'host' | 'port'>, words: string): Promise<string> {
  const socket = connect({ host, port });
  socket.write(words);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString();
}

async function onPostgres(url: string, sql: string): Promise<{ value: string }[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<{ value: string }>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function onMariadb(url: string, sql: string): Promise<{ value: string }[]> {
  const connection = await mysql.createConnection(url);
  try {
    return (await connection.query(sql))[0] as { value: string }[];
  } finally {
    await connection.end();
  }
}

async function until(isDone: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!isDone()) {
    if (Date.now() > deadline) throw new Error('the condition did not come true within 10 s');
    await sleep(10);
  }
}
