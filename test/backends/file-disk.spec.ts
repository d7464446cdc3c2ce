import {
  chmod,
  chown,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { FakeClock } from 'nestjs-caching/testing';
import { FileBackend } from '../../libs/caching/src/backends/file.backend.js';
import { InvalidOptionsError } from '../../libs/caching/src/errors.js';

const HOUR_MS = 3_600_000;
/** Enough on a machine that is busy with other things. */
jest.setTimeout(60_000);

let clock: FakeClock;
let parent: string;
let directory: string;
let backend: FileBackend;

beforeEach(async () => {
  clock = new FakeClock(Date.now());
  parent = await mkdtemp(join(tmpdir(), 'nestjs-caching-file-'));
  directory = join(parent, 'cache');
  backend = open(directory);
});

afterEach(async () => {
  await backend.close();
  await rm(parent, { recursive: true });
});

describe('the folder', () => {
  it('is refused when its path is relative', () => {
    expect(() => open('var/cache')).toThrow(InvalidOptionsError);
    expect(() => open('./cache')).toThrow('Give an absolute path');
  });

  it('is not made by looking', async () => {
    expect(await backend.get('key')).toBeUndefined();
    expect(await backend.delete('key')).toBe(false);
    expect(await backend.touch('key', 1000)).toBe(false);
    expect(await backend.prune()).toBe(0);
    await backend.clear('');
    await expect(stat(directory)).rejects.toThrow('ENOENT');
  });

  it.each([0o000, 0o022, 0o077])(
    'is private with all that is made above it, under umask %i',
    async (mask) => {
      const nested = open(join(directory, 'a/b'));
      const before = process.umask(mask);
      try {
        await nested.set('key', Uint8Array.of(1), null);
      } finally {
        process.umask(before);
      }
      const [file = ''] = await entryFiles();
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      for (let path = dirname(file); path !== parent; path = dirname(path)) {
        expect((await stat(path)).mode & 0o777).toBe(0o700);
      }
      await nested.close();
    },
  );

  it('is usable by us even under a umask that takes rights from the owner', async () => {
    const before = process.umask(0o300);
    try {
      await backend.set('key', 1, null);
    } finally {
      process.umask(before);
    }
    for (let path = dirname((await entryFiles())[0] ?? ''); path !== parent; path = dirname(path)) {
      expect((await stat(path)).mode & 0o777).toBe(0o700);
    }
  });

  it('is made again when it was removed', async () => {
    await backend.set('key', 1, null);
    await rm(directory, { recursive: true });
    expect(await backend.get('key')).toBeUndefined();
    await backend.set('key', 2, null);
    expect(await backend.get('key')).toBe(2);
    await rm(directory, { recursive: true });
    expect(await backend.add('key', 3, null)).toBe(true);
    await rm(directory, { recursive: true });
    expect(await backend.increment('key', 1, 0, null)).toBe(1);
    await rm(directory, { recursive: true });
    expect(await backend.delete('key')).toBe(false);
  });

  it('may be a link that the operator made', async () => {
    await mkdir(join(parent, 'elsewhere'));
    await symlink(join(parent, 'elsewhere'), directory);
    await backend.set('key', 1, null);
    expect(await backend.get('key')).toBe(1);
  });

  it('is refused when it is a file', async () => {
    await writeFile(directory, '');
    await expect(backend.get('key')).rejects.toThrow('is not a folder');
  });

  (process.geteuid?.() === 0 ? it : it.skip)('is refused when a stranger made it for everybody', async () => {
    await mkdir(directory);
    await chmod(directory, 0o777);
    await chown(directory, 12_345, 12_345);
    await expect(backend.set('key', 1, null)).rejects.toThrow('everybody may write to it');
    await expect(backend.get('key')).rejects.toThrow(InvalidOptionsError);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('links planted below the folder', () => {
  it('are not followed in the place of a fan-out folder', async () => {
    await backend.set('key', 1, null);
    const folder = dirname((await entryFiles())[0] ?? '');
    await rename(folder, join(parent, 'elsewhere'));
    await symlink(join(parent, 'elsewhere'), folder);
    const fresh = open(directory);
    await expect(fresh.get('key')).rejects.toThrow('is a link');
    await expect(fresh.set('key', 2, null)).rejects.toThrow('is a link');
    await expect(fresh.clear('')).rejects.toThrow('is a link');
    expect((await entryFiles(join(parent, 'elsewhere'))).length).toBe(1);
    await fresh.close();
  });

  it('are not followed in the place of an entry', async () => {
    await backend.set('key', 1, null);
    const [file = ''] = await entryFiles();
    const target = join(parent, 'target');
    await rename(file, target);
    const before = await readFile(target);

    await symlink(target, file);
    expect(await backend.ttl('key')).toBeUndefined();
    expect(await backend.get('key')).toBeUndefined();
    await symlink(target, file);
    await backend.set('key', 2, null);
    expect((await lstat(file)).isFile()).toBe(true);
    await rm(file);
    await symlink(target, file);
    expect(await backend.increment('key', 1, 10, null)).toBe(11);
    expect(await readFile(target)).toEqual(before);
  });

  it('are refused when strangers may write to a fan-out folder', async () => {
    await backend.set('key', 1, null);
    await chmod(dirname((await entryFiles())[0] ?? ''), 0o777);
    const fresh = open(directory);
    await expect(fresh.get('key')).rejects.toThrow('other users may write to it');
    await fresh.close();
  });
});

describe('a damaged entry', () => {
  it('is a miss and gone, whichever byte was altered', async () => {
    await backend.set('key', Uint8Array.of(1, 2, 3), null);
    const [file = ''] = await entryFiles();
    const good = await readFile(file);
    for (const offset of good.keys()) {
      for (const bit of [0x01, 0x80]) {
        const bad = Buffer.from(good);
        bad[offset] = (bad[offset] ?? 0) ^ bit;
        await writeFile(file, bad);
        expect(await backend.get('key')).toBeUndefined();
        expect(await entryFiles()).toEqual([]);
      }
    }
    await writeFile(file, good);
    expect(await backend.get('key')).toEqual(Uint8Array.of(1, 2, 3));
  });

  it('is a miss and gone, wherever it was cut off or went on', async () => {
    await backend.set('key', 7, 1000);
    const [file = ''] = await entryFiles();
    const good = await readFile(file);
    for (let length = 0; length < good.length; length += 1) {
      await writeFile(file, good.subarray(0, length));
      expect(await backend.ttl('key')).toBeUndefined();
      expect(await backend.get('key')).toBeUndefined();
      expect(await entryFiles()).toEqual([]);
    }
    await writeFile(file, Buffer.concat([good, Buffer.of(0)]));
    expect(await backend.get('key')).toBeUndefined();
  });

  it('is a miss when a large one was cut off or altered at its end', async () => {
    await backend.set('key', new Uint8Array(300_000), null);
    const [file = ''] = await entryFiles();
    const good = await readFile(file);
    await truncate(file, 200_000);
    expect(await backend.get('key')).toBeUndefined();
    good[good.length - 1] = 1;
    await writeFile(file, good);
    expect(await backend.get('key')).toBeUndefined();
  });

  it('is a miss under the name of another key', async () => {
    await backend.set('mine', 1, null);
    const [mine = ''] = await entryFiles();
    await backend.set('yours', 2, null);
    const yours = (await entryFiles()).find((file) => file !== mine) ?? '';
    await copyFile(mine, yours);
    expect(await backend.get('yours')).toBeUndefined();
    expect(await backend.get('mine')).toBe(1);
  });

  it.each<[string, (file: FileBackend) => Promise<unknown>, unknown]>([
    ['delete', (file) => file.delete('key'), false],
    ['add', (file) => file.add('key', 5, null), true],
    ['increment', (file) => file.increment('key', 1, undefined, null), undefined],
    ['increment with an initial value', (file) => file.increment('key', 1, 4, null), 5],
    ['touch', (file) => file.touch('key', 1000), false],
    ['compareAndSet', (file) => file.compareAndSet('key', 1, 2, null), false],
    ['compareAndDelete', (file) => file.compareAndDelete('key', 1), false],
    ['prune', (file) => file.prune(), 1],
  ])('is absent for %s', async (_, operation, answer) => {
    await backend.set('key', 1, null);
    const [file = ''] = await entryFiles();
    const bad = await readFile(file);
    bad[10] = 1;
    await writeFile(file, bad);
    expect(await operation(backend)).toBe(answer);
  });

  it('is none of our business when it is a folder', async () => {
    await backend.set('key', 1, null);
    const [file = ''] = await entryFiles();
    await rm(file);
    await mkdir(file);
    expect(await backend.get('key')).toBeUndefined();
    await backend.clear('');
    expect((await stat(file)).isDirectory()).toBe(true);
    await rm(file, { recursive: true });
  });
});

describe('what is not ours', () => {
  it('is never touched', async () => {
    await backend.set('key', 1, 1000);
    const folder = dirname((await entryFiles())[0] ?? '');
    const strangers = [
      join(directory, 'README'),
      join(directory, 'stray.nestcache'),
      join(folder, 'notes.txt'),
      join(folder, 'short.nestcache'),
      join(folder, `${'G'.repeat(62)}.nestcache`),
    ];
    for (const path of strangers) {
      await writeFile(path, 'mine');
      await utimes(path, 0, 0);
    }
    await mkdir(join(directory, 'other'));
    await writeFile(join(directory, 'other', `${'a'.repeat(62)}.nestcache`), 'mine');
    clock.advance(2 * HOUR_MS);
    expect(await backend.prune()).toBe(1);
    await backend.clear('');
    for (const path of strangers) expect(await readFile(path, 'utf8')).toBe('mine');
    expect(await readdir(join(directory, 'other'))).toEqual([`${'a'.repeat(62)}.nestcache`]);
  });
});

describe('drafts of killed processes', () => {
  it('are swept after an hour, and not before', async () => {
    await backend.set('key', 1, null);
    const folder = dirname((await entryFiles())[0] ?? '');
    const draft = join(folder, `${'b'.repeat(24)}.nesttmp`);
    await mkdir(draft);
    await writeFile(join(draft, 'b'.repeat(24)), 'half');
    await backend.prune();
    expect(await readdir(draft)).toEqual(['b'.repeat(24)]);
    clock.advance(HOUR_MS + 60_000);
    await backend.prune();
    await expect(stat(draft)).rejects.toThrow('ENOENT');
  });

  it('leaves none of its own behind', async () => {
    for (let n = 0; n < 20; n += 1) {
      await backend.set('key', n, null);
      await backend.add('key', n, null);
      await backend.increment('key', 1, 0, null);
      await backend.touch('key', 1000);
      await backend.compareAndDelete('key', -1);
    }
    await Promise.all(Array.from({ length: 20 }, () => backend.add('other', 1, null)));
    await Promise.allSettled([
      backend.set('text', new Uint8Array(3), null),
      backend.increment('text', 1, 0, null),
    ]);
    const files = await readdir(directory, { recursive: true, withFileTypes: true });
    const names = files.filter((file) => file.isFile()).map((file) => file.name);
    expect(names.every((name) => name.endsWith('.nestcache'))).toBe(true);
    expect(files.some((file) => file.name.endsWith('.nesttmp'))).toBe(false);
  });
});

describe('reads during rewrites', () => {
  it('are never torn', async () => {
    const versions = [new Uint8Array(3_000_000).fill(1), new Uint8Array(3_000_000).fill(2)];
    const [first = new Uint8Array(), second = new Uint8Array()] = versions;
    await backend.set('key', first, null);
    const reader = open(directory);
    let isReading = true;
    const rewriting = (async () => {
      for (let n = 0; isReading; n += 1) await backend.set('key', n % 2 === 0 ? second : first, null);
      return 'done';
    })();
    for (let read = 0; read < 200; read += 1) {
      const payload = await reader.get('key');
      const isWhole = versions.some((version) => Buffer.compare(version, payload as Uint8Array) === 0);
      expect(isWhole).toBe(true);
    }
    isReading = false;
    expect(await rewriting).toBe('done');
    await reader.close();
  });
});

describe('a failure of the disk', () => {
  it('is thrown as it is, and nothing is claimed', async () => {
    await writeFile(join(parent, 'file'), '');
    const blocked = open(join(parent, 'file', 'cache'));
    await expect(blocked.set('key', 1, null)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(blocked.get('key')).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(blocked.setMany([{ key: 'key', payload: 1, ttlMs: null }])).rejects.toMatchObject({
      code: 'ENOTDIR',
    });
    await blocked.close();
  });
});

function open(path: string): FileBackend {
  return new FileBackend({ directory: path, maxEntries: 10_000, sweepIntervalMs: 0, clock });
}

async function entryFiles(from = directory): Promise<string[]> {
  const files = await readdir(from, { recursive: true });
  return files.filter((file) => file.endsWith('.nestcache')).map((file) => join(from, file));
}
