import fs, { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { FakeClock } from 'nestjs-caching/testing';
import { FileBackend } from '../../libs/caching/src/backends/file.backend.js';

/** Enough on a machine that is busy with other things. */
jest.setTimeout(60_000);

let clock: FakeClock;
let directory: string;
let backends: FileBackend[];

beforeEach(async () => {
  clock = new FakeClock();
  directory = await mkdtemp(join(tmpdir(), 'nestjs-caching-file-'));
  backends = [];
});

afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(backends.map((backend) => backend.close()));
  await rm(directory, { recursive: true });
});

describe('the bound on entries', () => {
  it.each([1, 2, 10, 100, 300])('holds exactly for one process at %i', async (maxEntries) => {
    const backend = open({ maxEntries });
    for (let n = 0; n < maxEntries; n += 1) await backend.set(`key:${n}`, n, null);
    expect(await countFiles()).toBe(maxEntries);
    for (let n = 0; n < 40; n += 1) {
      await backend.set(`more:${n}`, n, null);
      expect(await backend.get(`more:${n}`)).toBe(n);
      expect(await countFiles()).toBeLessThanOrEqual(maxEntries);
    }
    expect(await countFiles()).toBeGreaterThanOrEqual(Math.floor(maxEntries * 0.98));
  });

  it('holds when many are written at once', async () => {
    const backend = open({ maxEntries: 300 });
    const writes = Array.from({ length: 900 }, (_, n) => ({ key: `key:${n}`, payload: n, ttlMs: null }));
    await backend.setMany(writes);
    expect(await countFiles()).toBeLessThanOrEqual(300);
    expect(await countFiles()).toBeGreaterThan(250);
  });

  it('finds what was there before it began', async () => {
    const before = open({ maxEntries: 10_000 });
    await before.setMany(
      Array.from({ length: 1000 }, (_, n) => ({ key: `old:${n}`, payload: n, ttlMs: null })),
    );
    const backend = open({ maxEntries: 500 });
    for (let n = 0; n < 150; n += 1) await backend.set(`new:${n}`, n, null);
    expect(await countFiles()).toBeLessThanOrEqual(500);
  });

  it('counts what add and increment make, and what delete, clear and prune free', async () => {
    const backend = open({ maxEntries: 50 });
    for (let n = 0; n < 20; n += 1) await backend.add(`add:${n}`, n, null);
    for (let n = 0; n < 20; n += 1) await backend.increment(`increment:${n}`, 1, 0, null);
    for (let n = 0; n < 10; n += 1) await backend.set(`short:${n}`, 1, 1000);
    await backend.clear('add:');
    expect(await backend.deleteMany(['increment:0', 'increment:1'])).toBe(2);
    clock.advance(1000);
    expect(await backend.prune()).toBe(10);
    for (let n = 0; n < 32; n += 1) await backend.set(`key:${n}`, n, null);
    expect(await countFiles()).toBe(50);
    await backend.add('one more', 1, null);
    expect(await countFiles()).toBe(50);
    await backend.increment('and another', 1, 0, null);
    expect(await countFiles()).toBe(50);
  });

  it('gives the room of deleted entries to new ones', async () => {
    const backend = open({ maxEntries: 50 });
    for (let n = 0; n < 50; n += 1) await backend.set(`key:${n}`, n, null);
    for (let n = 0; n < 5; n += 1) expect(await backend.delete(`key:${n}`)).toBe(true);
    for (let n = 0; n < 5; n += 1) expect(await backend.compareAndDelete(`key:${n + 5}`, n + 5)).toBe(true);
    for (let n = 0; n < 10; n += 1) await backend.set(`new:${n}`, n, null);
    expect(await countFiles()).toBe(50);
  });

  it('evicts nothing when entries are overwritten', async () => {
    const backend = open({ maxEntries: 40 });
    const keys = Array.from({ length: 40 }, (_, n) => `key:${n}`);
    for (let round = 0; round < 5; round += 1) {
      for (const key of keys) await backend.set(key, round, null);
    }
    expect(await backend.getMany(keys)).toEqual(keys.map(() => 4));
  });

  it('evicts what has expired first', async () => {
    const backend = open({ maxEntries: 100 });
    // The lasting ones are the oldest, so age alone would take them; victims come from a sample, so expired ones abound.
    const keys = Array.from({ length: 10 }, (_, n) => `lasting:${n}`);
    for (const key of keys) await backend.set(key, 1, null);
    for (let n = 0; n < 90; n += 1) await backend.set(`short:${n}`, n, 1000);
    clock.advance(1000);
    for (let n = 0; n < 25; n += 1) await backend.set(`new:${n}`, n, null);
    expect(await backend.getMany(keys)).toEqual(keys.map(() => 1));
  });

  it('evicts rather what was written long ago', async () => {
    const backend = open({ maxEntries: 200 });
    for (let n = 0; n < 100; n += 1) await backend.set(`old:${n}`, n, null);
    for (const file of await entryFiles()) await utimes(file, 1000, 1000);
    for (let n = 0; n < 100; n += 1) await backend.set(`young:${n}`, n, null);
    for (let n = 0; n < 50; n += 1) await backend.set(`new:${n}`, n, null);
    const held = async (prefix: string): Promise<number> =>
      (await backend.getMany(Array.from({ length: 100 }, (_, n) => `${prefix}:${n}`))).filter(
        (payload) => payload !== undefined,
      ).length;
    expect(await held('young')).toBeGreaterThan(await held('old'));
    expect(await held('young')).toBeGreaterThan(90);
  });
});

describe('the cost of a write', () => {
  /** Calls that grow with what they look at, and names that were listed, over a hundred new entries. */
  async function costOf(existing: number, maxEntries: number): Promise<{ files: number; names: number }> {
    const backend = open({ maxEntries });
    for (let n = 0; n < existing; n += 500) {
      const batch = Array.from({ length: Math.min(500, existing - n) }, (_, index) => index + n);
      await backend.setMany(batch.map((key) => ({ key: `old:${key}`, payload: 1, ttlMs: null })));
    }
    const spies = (['open', 'lstat', 'stat', 'unlink', 'rename', 'mkdir', 'rm'] as const).map((name) =>
      jest.spyOn(fs, name),
    );
    let names = 0;
    const { readdir: list } = fs;
    const listing = jest.spyOn(fs, 'readdir').mockImplementation((async (path: string) => {
      const found = await list(path);
      names += found.length;
      return found;
    }) as unknown as typeof fs.readdir);
    for (let n = 0; n < 100; n += 1) await backend.set(`new:${n}`, 1, null);
    const files = spies.reduce((calls, spy) => calls + spy.mock.calls.length, listing.mock.calls.length);
    jest.restoreAllMocks();
    return { files: files / 100, names: names / 100 };
  }

  it('does not depend on how many entries there are', async () => {
    const few = await costOf(300, 10_000);
    const many = await costOf(4000, 10_000);
    expect(few.files).toBeLessThan(16);
    expect(many.files).toBeLessThan(16);
    expect(many.names).toBeLessThan(64);
  });

  it('stays bounded where every write has to make room', async () => {
    const { files, names } = await costOf(2000, 2000);
    expect(files).toBeLessThan(60);
    expect(names).toBeLessThan(200);
  });
});

describe('the sweep', () => {
  it('frees what has expired without traffic, again and again', async () => {
    const backend = open({ sweepIntervalMs: 60_000 });
    for (let round = 0; round < 2; round += 1) {
      await backend.set('short', 1, 1000);
      await backend.set('lasting', 1, null);
      expect(await countFiles()).toBe(2);
      await until(() => clock.pending === 1);
      clock.advance(60_000);
      await until(async () => (await countFiles()) === 1);
      expect(await backend.get('lasting')).toBe(1);
    }
  });

  it('has no timer before the first write, and none after close', async () => {
    const backend = open({ sweepIntervalMs: 60_000 });
    await backend.get('key');
    expect(clock.pending).toBe(0);
    await backend.set('key', 1, null);
    expect(clock.pending).toBe(1);
    await backend.close();
    expect(clock.pending).toBe(0);
  });

  it('never comes at an interval of 0', async () => {
    const backend = open({ sweepIntervalMs: 0 });
    await backend.set('key', 1, null);
    expect(clock.pending).toBe(0);
  });

  it('goes on after it has failed', async () => {
    const backend = open({ sweepIntervalMs: 60_000 });
    await backend.set('short', 1, 1000);
    const failing = jest
      .spyOn(fs, 'readdir')
      .mockRejectedValue(Object.assign(new Error('EIO'), { code: 'EIO' }));
    clock.advance(60_000);
    await until(() => failing.mock.calls.length > 0 && clock.pending === 1);
    failing.mockRestore();
    clock.advance(60_000);
    await until(async () => (await countFiles()) === 0);
  });

  it('ends soon when the backend is closed in the middle of it', async () => {
    const backend = open({ sweepIntervalMs: 60_000 });
    await backend.set('short', 1, 1000);
    clock.advance(60_000);
    await backend.close();
    expect(clock.pending).toBe(0);
  });
});

function open(options: { maxEntries?: number; sweepIntervalMs?: number }): FileBackend {
  const backend = new FileBackend({ directory, maxEntries: 10_000, sweepIntervalMs: 0, clock, ...options });
  backends.push(backend);
  return backend;
}

async function countFiles(): Promise<number> {
  return (await entryFiles()).length;
}

async function entryFiles(): Promise<string[]> {
  // Not `recursive`: drafts are folders, and one may be gone before the listing comes to it.
  const folders = (await readdir(directory)).map((folder) => join(directory, folder));
  const files = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((file) => join(folder, file))),
  );
  return files.flat().filter((file) => file.endsWith('.nestcache'));
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('It never became so.');
    await delay(2);
  }
}
