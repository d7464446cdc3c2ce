import { chmod, cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { withLock } from './lock.mjs';
import * as probe from './probes.mjs';
import { run } from './run.mjs';

/**
 * How each server is found and run. Commits reach the operating system before they are confirmed and are not synced
 * to the disk: fast, and what was written outlives a SIGKILL of the server (memcached apart, which keeps nothing).
 *
 * - `programs`: the server first, then what it needs beside it.
 * - `packages`: Debian's, tried one list after the other.
 * - `image`: what differs from docker-compose.yml for a test: the command that takes further arguments, no password.
 * - `prepare`: fills the data folder once. `command`: the arguments of the server.
 * - `stopSignal`: ends it at once and cleanly.
 * - `version`: answers the version if a server is ready at the URL, and rejects otherwise.
 */
export const RECIPES = {
  redis: {
    variable: 'REDIS_URL',
    port: 6379,
    programs: ['redis-server'],
    packages: [['redis-server']],
    image: {
      command: ['redis-server', '--save', '', '--appendonly', 'yes', '--appendfsync', 'no'],
      environment: {},
    },
    url: (port) => `redis://127.0.0.1:${port}`,
    prepare: async () => {},
    command: ({ port, folder }) => [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no'],
      ...['--save', '', '--appendonly', 'yes', '--appendfsync', 'no'],
    ],
    stopSignal: 'SIGKILL',
    version: probe.redis,
  },
  memcached: {
    variable: 'MEMCACHED_URL',
    port: 11211,
    programs: ['memcached'],
    packages: [['memcached']],
    image: { command: ['memcached'], environment: {} },
    url: (port) => `memcached://127.0.0.1:${port}`,
    prepare: async () => {},
    command: ({ port }) => ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '64'],
    stopSignal: 'SIGKILL',
    version: probe.memcached,
  },
  postgres: {
    variable: 'POSTGRES_URL',
    port: 5432,
    programs: ['postgres', 'initdb'],
    packages: [['postgresql']],
    image: {
      command: ['postgres'],
      environment: { POSTGRES_USER: 'postgres', POSTGRES_DB: 'postgres', POSTGRES_HOST_AUTH_METHOD: 'trust' },
    },
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    prepare: ({ programs, folder, user }) =>
      fromTemplate('postgres', programs.postgres, folder, user, (data) =>
        run(
          programs.initdb,
          [...['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8'], '--locale=C', '--no-sync'],
          { user, cwd: '/' },
        ),
      ),
    command: ({ port, folder }) => [
      ...[
        '-D',
        join(folder, 'data'),
        '-h',
        '127.0.0.1',
        '-p',
        String(port),
        '-c',
        'unix_socket_directories=',
      ],
      ...[
        '-c',
        'fsync=off',
        '-c',
        'full_page_writes=off',
        '-c',
        'shared_buffers=16MB',
        '-c',
        'autovacuum=off',
      ],
      ...['-c', 'dynamic_shared_memory_type=mmap', '-c', 'max_wal_size=64MB'],
    ],
    stopSignal: 'SIGQUIT',
    version: probe.postgres,
  },
  mariadb: {
    variable: 'MYSQL_URL',
    port: 3306,
    // The last one is called by the second. Debian has moved it from the package of the server to that of the client.
    programs: ['mariadbd', 'mariadb-install-db', 'my_print_defaults'],
    packages: [['mariadb-server-core', 'mariadb-client-core'], ['mariadb-server']],
    image: {
      command: ['mariadbd'],
      environment: {
        MARIADB_ROOT_PASSWORD: '',
        MARIADB_ALLOW_EMPTY_ROOT_PASSWORD: '1',
        MARIADB_ROOT_HOST: '%',
        MARIADB_DATABASE: 'test',
      },
    },
    url: (port) => `mysql://root@127.0.0.1:${port}/test`,
    prepare: ({ programs, folder, user }) =>
      fromTemplate('mariadb', programs.mariadbd, folder, user, (data) =>
        run(
          programs['mariadb-install-db'],
          ['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', ...SMALL_INNODB],
          { user, cwd: '/' },
        ),
      ),
    command: ({ port, folder }) => [
      ...['--no-defaults', `--datadir=${join(folder, 'data')}`, `--tmpdir=${folder}`, `--port=${port}`],
      ...['--bind-address=127.0.0.1', `--socket=${join(folder, 's')}`, `--pid-file=${join(folder, 'pid')}`],
      ...[
        '--skip-name-resolve',
        '--skip-log-bin',
        '--performance-schema=OFF',
        '--innodb-flush-log-at-trx-commit=2',
      ],
      ...['--innodb-flush-method=nosync', ...SMALL_INNODB],
    ],
    stopSignal: 'SIGKILL',
    version: probe.mariadb,
  },
};

/** Programs that tests start themselves: as the servers, without what runs them. The variable holds a path. */
export const TOOLS = {
  chromium: { variable: 'CHROMIUM', programs: ['chromium'], packages: [['chromium']] },
};

const SMALL_INNODB = ['--innodb-buffer-pool-size=16M', '--innodb-log-file-size=8M'];
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/nestjs-caching');

/** Fills `folder/data` from a template that `create` makes once for each version of a server. */
async function fromTemplate(name, program, folder, user, create) {
  const version = (await run(program, ['--version'], { cwd: '/' })).match(/\d+(\.\d+)+/)?.[0] ?? 'unknown';
  const template = join(CACHE, `${name}-${version}-${user?.uid ?? 'own'}`);
  await withLock(`${template}.lock`, () => makeTemplate(template, user, create));
  const data = join(folder, 'data');
  await cp(template, data, { recursive: true });
  await give(data, user);
  await chmod(data, 0o700);
}

async function makeTemplate(template, user, create) {
  const isThere = await run('ls', [template]).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  // In a temporary folder: the user that makes it may not be let into the repository.
  const workshop = await mkdtemp(join(tmpdir(), 'nestjs-caching-template-'));
  try {
    await give(workshop, user);
    await create(join(workshop, 'data'));
    await mkdir(dirname(template), { recursive: true });
    await rm(`${template}.new`, { recursive: true, force: true });
    await cp(join(workshop, 'data'), `${template}.new`, { recursive: true });
    await rename(`${template}.new`, template);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

/** Hands a folder with all that it holds to the user that the servers run as. */
export async function give(folder, user) {
  if (user !== undefined) await run('chown', ['-R', `${user.uid}:${user.gid}`, folder]);
}
