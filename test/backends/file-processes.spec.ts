import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { systemClock } from '../../libs/caching/src/clock.js';
import { FileBackend } from '../../libs/caching/src/backends/file.backend.js';
import { kill, useBuilt } from '../support/processes.js';
import type { Order } from './file-process.js';

/** Enough on a machine that is busy with other things. */
jest.setTimeout(60_000);

const startProcess = useBuilt('test/backends/file-process');
let directory: string;
let backend: FileBackend;
let processes: ChildProcess[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'nestjs-caching-file-'));
  backend = open();
  processes = [];
});

afterEach(async () => {
  await Promise.all(processes.map(kill));
  await backend.close();
  await rm(directory, { recursive: true });
});

describe('several processes on one folder', () => {
  it('lets exactly one of them add a key', async () => {
    const workers = await Promise.all([start(), start(), start()]);
    const keys = Array.from({ length: 60 }, (_, n) => `add:${n}`);
    const answers = await Promise.all(
      workers.map((worker) => order<boolean[]>(worker, { does: 'add', keys })),
    );
    for (const n of keys.keys()) expect(answers.filter((added) => added[n]).length).toBe(1);
    for (const [n, key] of keys.entries()) {
      const winner = workers[answers.findIndex((added) => added[n])];
      expect(await backend.get(key)).toBe(winner?.pid);
    }
  });

  it('lets exactly one of them add over an expired entry', async () => {
    await backend.set('add:0', 1, 1);
    while ((await backend.ttl('add:0')) !== undefined) await delay(1);
    const workers = await Promise.all([start(), start(), start()]);
    const answers = await Promise.all(
      workers.map((worker) => order<boolean[]>(worker, { does: 'add', keys: ['add:0'] })),
    );
    expect(answers.flat().filter((added) => added).length).toBe(1);
  });

  it('counts every increment of each of them', async () => {
    const workers = await Promise.all([start(), start(), start()]);
    await Promise.all(
      workers.map((worker) => order(worker, { does: 'increment', key: 'counter', times: 150 })),
    );
    expect(await backend.get('counter')).toBe(450);
  });

  it('counts every increment, though one of them stands still in the middle for longer than its turn', async () => {
    const workers = await Promise.all([start(), start(), start()]);
    const counted = workers.map((worker) => order(worker, { does: 'increment', key: 'counter', times: 400 }));
    for (const worker of workers) {
      worker.kill('SIGSTOP');
      await delay(1200);
      worker.kill('SIGCONT');
    }
    await Promise.all(counted);
    expect(await backend.get('counter')).toBe(1200);
  });

  it('holds the bound, to 64 entries for each further process', async () => {
    const workers = await Promise.all([start(1000), start(1000), start(1000)]);
    await Promise.all(
      workers.map((worker, n) => order(worker, { does: 'fill', prefix: `fill:${n}`, entries: 600 })),
    );
    const { length } = await entryFiles();
    expect(length).toBeLessThanOrEqual(1128);
    expect(length).toBeGreaterThanOrEqual(900);
  });
});

describe('a process that is killed while it writes', () => {
  it('leaves a whole entry, and a key that others can write', async () => {
    let counted = 0;
    for (let round = 0; round < 12; round += 1) {
      const worker = await start();
      worker.send({ does: 'storm', key: 'storm', bytes: 200_000 } satisfies Order);
      await until(async () => Number((await backend.get('storm:count')) ?? 0) > counted);
      await delay(Math.random() * 8);
      await kill(worker);

      const files = await entryFiles();
      const payload = (await backend.get('storm')) as Uint8Array;
      expect(payload.length).toBe(200_000);
      expect(payload.every((byte) => byte === payload[0])).toBe(true);
      // Nothing was found damaged and removed.
      expect(await entryFiles()).toEqual(files);

      await backend.set('storm', Uint8Array.of(1), null);
      expect(await backend.get('storm')).toEqual(Uint8Array.of(1));
      counted = (await backend.increment('storm:count', 1, 0, null)) ?? 0;
    }
  });

  it('holds nobody up for ever when it had the turn, and cannot commit what it left', async () => {
    await backend.set('key', 1, null);
    const [entry = ''] = await entryFiles();
    const lock = join(dirname(entry), 'nestlock');
    const draft = join(lock, 'a'.repeat(24));
    await mkdir(lock, { recursive: true });
    await writeFile(draft, 'half an ent');
    expect(await backend.increment('key', 1, 0, null)).toBe(2);
    await expect(readFile(draft)).rejects.toThrow('ENOENT');
  });
});

describe('a link in the place of the lock', () => {
  it('is not followed', async () => {
    await backend.set('key', 1, null);
    const [entry = ''] = await entryFiles();
    const lock = join(dirname(entry), 'nestlock');
    const elsewhere = await mkdtemp(join(tmpdir(), 'nestjs-caching-elsewhere-'));
    await rm(lock, { recursive: true, force: true });
    await symlink(elsewhere, lock);
    await expect(backend.set('key', 2, null)).rejects.toThrow('ENOTDIR');
    expect(await readdir(elsewhere)).toEqual([]);
    expect(await backend.get('key')).toBe(1);
    await rm(elsewhere, { recursive: true });
  });
});

function open(): FileBackend {
  return new FileBackend({ directory, maxEntries: 10_000, sweepIntervalMs: 0, clock: systemClock });
}

async function start(maxEntries = 10_000): Promise<ChildProcess> {
  const worker = startProcess(directory, String(maxEntries));
  processes.push(worker);
  const ended = once(worker, 'exit').then(() => Promise.reject(new Error('The process has ended.')));
  ended.catch(() => undefined);
  await Promise.race([once(worker, 'message'), ended]);
  return worker;
}

async function order<Answer>(worker: ChildProcess, what: Order): Promise<Answer> {
  const answered = once(worker, 'message');
  worker.send(what);
  const [message] = (await answered) as [{ answer: Answer; error?: string }];
  if (message.error !== undefined) throw new Error(message.error);
  return message.answer;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('It never became so.');
    await delay(1);
  }
}

async function entryFiles(): Promise<string[]> {
  const files = await readdir(directory, { recursive: true });
  return files
    .filter((file) => file.endsWith('.nestcache'))
    .map((file) => join(directory, file))
    .sort();
}
