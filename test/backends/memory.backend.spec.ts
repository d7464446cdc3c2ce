import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { describeBackend, FakeClock } from 'nestjs-caching/testing';
import { MemoryBackend, type MemoryBackendOptions } from '../../libs/caching/src/backends/memory.backend.js';
import { entrySize } from '../../libs/caching/src/backends/memory/payload-size.js';
import { ValueTooLargeError } from '../../libs/caching/src/errors.js';

const ROOMY = { maxEntries: 100_000, maxBytes: 2 ** 26, sweepInterval: 30_000 };
const LIFE = 600_000;
/** For tests with a million entries. */
const LONG_TEST_MS = 120_000;

let clock: FakeClock;
let backend: MemoryBackend;
beforeEach(() => void use({}));
afterEach(() => backend.close());

/** A backend on a new clock. */
function use(options: Partial<MemoryBackendOptions>): MemoryBackend {
  clock = new FakeClock();
  backend = new MemoryBackend({ ...ROOMY, ...options }, clock);
  return backend;
}

function fill(count: number, ttlMs: number | null = null): void {
  for (let n = 0; n < count; n += 1) backend.set(`key:${n}`, n, ttlMs);
}

async function listed(prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of backend.keys(prefix)) keys.push(key);
  return keys.sort();
}

const runner = { describe, it, expect, beforeEach, afterEach };
describeBackend('memory', { create: () => ({ backend: new MemoryBackend(ROOMY) }), runner });
describeBackend('memory on a fake clock', {
  create: () => ({ backend: use({}) }),
  passTime: (ms) => clock.advance(ms),
  runner,
});

describe('the memory backend', () => {
  it('answers at once, without promises', () => {
    backend.set('key', 1, LIFE);
    expect(backend.get('key')).toBe(1);
    expect(backend.ttl('key')).toBe(LIFE);
    expect(backend.add('key', 2, LIFE)).toBe(false);
    expect(backend.increment('key', 1, undefined, null)).toBe(2);
    expect(backend.prune()).toBe(0);
    expect(backend.clear('key')).toBeUndefined();
    expect(backend.delete('key')).toBe(false);
  });

  it('shares nothing with another instance', () => {
    const other = new MemoryBackend(ROOMY, clock);
    backend.set('key', 1, null);
    expect(other.get('key')).toBeUndefined();
    other.clear('');
    expect(backend.get('key')).toBe(1);
  });

  it('copies bytes when they are set and shares them when they are read', () => {
    const bytes = Buffer.from('text');
    backend.set('key', bytes, null);
    bytes.fill(0);
    expect(Buffer.from(backend.get('key') as Uint8Array).toString()).toBe('text');
    expect(backend.get('key')).toBe(backend.get('key'));
  });

  it('fails after close with an error that says so', async () => {
    backend.close();
    expect(() => backend.get('key')).toThrow('The memory backend is closed');
    expect(() => backend.prune()).toThrow('The memory backend is closed');
    await expect(listed()).rejects.toThrow('The memory backend is closed');
  });
});

describe('lives in memory', () => {
  it('end at their millisecond and not before', () => {
    backend.set('key', 1, 1_000);
    clock.advance(999);
    expect([backend.get('key'), backend.ttl('key'), backend.add('key', 2, null)]).toEqual([1, 1, false]);
    clock.advance(1);
    expect([backend.ttl('key'), backend.get('key'), backend.delete('key')]).toEqual([
      undefined,
      undefined,
      false,
    ]);
  });

  it('are whole milliseconds to the last', () => {
    backend.set('key', 1, 10);
    clock.advance(0.75);
    expect(backend.ttl('key')).toBe(10);
    clock.advance(9);
    expect(backend.ttl('key')).toBe(1);
    expect(backend.get('key')).toBe(1);
  });

  it('do not change when the wall clock jumps', () => {
    backend.set('key', 1, 1_000);
    clock.jump(86_400_000);
    expect([backend.get('key'), backend.ttl('key')]).toEqual([1, 1_000]);
    clock.jump(-2 * 86_400_000);
    clock.advance(1_000);
    expect(backend.get('key')).toBeUndefined();
  });
});

describe('room in memory', () => {
  it('is made by dropping what was not read for longest', () => {
    use({ maxEntries: 9 });
    fill(9);
    for (let n = 0; n < 6; n += 1) backend.get(`key:${n}`);
    backend.set('key:9', 9, null);
    backend.getMany(['key:0', 'key:1', 'key:2', 'key:3', 'key:4', 'key:5']);
    backend.set('key:10', 10, null);
    backend.set('key:11', 11, null);
    expect(backend.getMany(['key:6', 'key:7', 'key:8'])).toEqual([undefined, undefined, undefined]);
    expect(backend.getMany(['key:0', 'key:1', 'key:2', 'key:3', 'key:4', 'key:5'])).toEqual([
      0, 1, 2, 3, 4, 5,
    ]);
    expect(backend.getMany(['key:9', 'key:10', 'key:11'])).toEqual([9, 10, 11]);
  });

  it('counts an increment as a use', () => {
    use({ maxEntries: 9 });
    fill(9);
    for (let n = 0; n < 6; n += 1) backend.increment(`key:${n}`, 1, undefined, null);
    for (let n = 9; n < 12; n += 1) backend.set(`key:${n}`, n, null);
    expect(backend.getMany(['key:0', 'key:5', 'key:6', 'key:7', 'key:8', 'key:9'])).toEqual([
      1,
      6,
      undefined,
      undefined,
      undefined,
      9,
    ]);
  });

  it('counts a write as a use', () => {
    use({ maxEntries: 2 });
    fill(2);
    backend.set('key:0', 5, null);
    backend.set('key:2', 2, null);
    expect(backend.getMany(['key:0', 'key:1', 'key:2'])).toEqual([5, undefined, 2]);
  });

  it('does not count ttl, touch and a refused add as a use', () => {
    use({ maxEntries: 2 });
    fill(2);
    backend.ttl('key:0');
    backend.touch('key:0', LIFE);
    backend.add('key:0', 5, null);
    backend.set('key:2', 2, null);
    expect(backend.getMany(['key:0', 'key:1', 'key:2'])).toEqual([undefined, 1, 2]);
  });

  it('is made by dropping what has expired before what is alive', () => {
    use({ maxEntries: 4, sweepInterval: 0 });
    backend.set('old', 1, null);
    backend.set('short', 1, 100);
    backend.set('shorter', 1, 50);
    backend.set('lasting', 1, 1_000);
    backend.get('short');
    backend.get('shorter');
    clock.advance(100);
    backend.set('new:1', 1, null);
    backend.set('new:2', 1, null);
    expect(backend.getMany(['old', 'lasting', 'new:1', 'new:2'])).toEqual([1, 1, 1, 1]);
  });

  it('finds what has expired behind lives that were lengthened', () => {
    use({ maxEntries: 21, sweepInterval: 0 });
    fill(20, 50);
    for (let n = 0; n < 10; n += 1) backend.set(`key:${n}`, n, LIFE);
    for (let n = 10; n < 15; n += 1) backend.touch(`key:${n}`, LIFE);
    for (let n = 15; n < 20; n += 1) backend.touch(`key:${n}`, null);
    backend.set('expired', 1, 60);
    clock.advance(60);
    backend.set('new', 1, null);
    expect(backend.getMany([...Array(20).keys()].map((n) => `key:${n}`))).toEqual([...Array(20).keys()]);
  });

  it('is not made when a value no larger is written over another', () => {
    const size = entrySize('key:0', new Uint8Array(500));
    use({ maxEntries: 3, maxBytes: 3 * size });
    for (let n = 0; n < 3; n += 1) backend.set(`key:${n}`, new Uint8Array(500), null);
    for (const payload of [new Uint8Array(500), new Uint8Array(20), 5]) backend.set('key:1', payload, LIFE);
    expect([backend.ttl('key:0'), backend.ttl('key:1'), backend.ttl('key:2')]).toEqual([null, LIFE, null]);
  });

  it('is made for a larger value without dropping that key', () => {
    const size = entrySize('key:0', new Uint8Array(500));
    use({ maxBytes: 3 * size });
    for (let n = 0; n < 3; n += 1) backend.set(`key:${n}`, new Uint8Array(500), null);
    backend.set('key:0', new Uint8Array(600), null);
    expect([backend.ttl('key:0'), backend.ttl('key:1'), backend.ttl('key:2')]).toEqual([
      null,
      undefined,
      null,
    ]);
  });

  it('is counted in bytes, key and overhead included', async () => {
    const each = entrySize('key:0000', new Uint8Array(0));
    use({ maxBytes: 10 * each + 7 });
    for (let n = 1000; n < 1100; n += 1) backend.set(`key:${n}`, new Uint8Array(0), null);
    expect((await listed()).length).toBe(10);
    expect(each).toBeGreaterThan(300);
  });

  it('is counted by the size that a held object gives', async () => {
    use({ maxBytes: 100_000 });
    for (let n = 0; n < 30; n += 1) backend.set(`key:${n}`, { size: 9_000 }, null);
    expect((await listed()).length).toBe(10);
  });

  it('is free again after a delete, an expiry and a clear', async () => {
    use({ maxBytes: 4 * entrySize('key:0', 0), sweepInterval: 0 });
    for (let round = 0; round < 50; round += 1) {
      fill(4, 10);
      backend.delete('key:0');
      backend.clear('key:1');
      clock.advance(10);
      backend.get('key:2');
    }
    fill(4);
    expect((await listed()).length).toBe(4);
  });

  it('is not there for a value over the whole bound, whose old value is gone', () => {
    use({ maxBytes: 2_000 });
    backend.set('key', 1, null);
    backend.set('other', 2, null);
    expect(() => backend.set('key', new Uint8Array(2_000), null)).toThrow(ValueTooLargeError);
    expect(backend.getMany(['key', 'other'])).toEqual([undefined, 2]);
    expect(() => backend.add('key', new Uint8Array(2_000), null)).toThrow(ValueTooLargeError);
    expect(() => backend.compareAndSet('other', 2, new Uint8Array(2_000), null)).toThrow(ValueTooLargeError);
    expect(backend.getMany(['key', 'other'])).toEqual([undefined, undefined]);
  });

  it('is refused one by one in a bulk write', () => {
    use({ maxBytes: 2_000 });
    const large = new Uint8Array(2_000);
    const refused = backend.setMany([
      { key: 'a', payload: 1, ttlMs: null },
      { key: 'b', payload: large, ttlMs: null },
      { key: 'c', payload: large, ttlMs: null },
      { key: 'c', payload: 3, ttlMs: null },
    ]);
    expect(refused).toEqual(['b']);
    expect(backend.getMany(['a', 'b', 'c'])).toEqual([1, undefined, 3]);
  });

  it(
    'holds for a million distinct keys',
    async () => {
      const each = entrySize('key:000000', new Uint8Array(100));
      use({ maxEntries: 1_000_000, maxBytes: 2 ** 23 });
      const payload = new Uint8Array(100);
      for (let n = 0; n < 1_000_000; n += 1) backend.set(`key:${String(n).padStart(6, '0')}`, payload, LIFE);
      const keys = await listed();
      expect(keys.length).toBe(Math.floor(2 ** 23 / each));
      expect(keys[0]).toBe(`key:${1_000_000 - keys.length}`);
    },
    LONG_TEST_MS,
  );

  it(
    'grows past a million entries',
    () => {
      use({ maxEntries: 1_200_000, maxBytes: 2 ** 30, sweepInterval: 0 });
      fill(1_200_001, LIFE);
      expect([backend.get('key:0'), backend.get('key:1'), backend.get('key:1200000')]).toEqual([
        undefined,
        1,
        1_200_000,
      ]);
    },
    LONG_TEST_MS,
  );
});

describe('the sweep in memory', () => {
  it('frees what has expired without traffic', () => {
    fill(100, 1_000);
    backend.set('lasting', 1, LIFE);
    clock.advance(30_000);
    expect(backend.prune()).toBe(0);
    expect(backend.get('lasting')).toBe(1);
  });

  it('can be switched off', () => {
    use({ sweepInterval: 0 });
    fill(100, 1_000);
    clock.advance(60_000);
    expect(clock.pending).toBe(0);
    expect(backend.prune()).toBe(100);
  });

  it('has one timer, from the first life on', () => {
    expect(clock.pending).toBe(0);
    backend.set('lasting', 1, null);
    backend.touch('lasting', null);
    expect(clock.pending).toBe(0);
    backend.touch('lasting', LIFE);
    fill(10, LIFE);
    expect(clock.pending).toBe(1);
    clock.advance(30_000);
    expect(clock.pending).toBe(1);
  });

  it('stops when nothing has a life and starts again when something has', () => {
    fill(3, 1_000);
    backend.set('key:0', 1, null);
    backend.touch('key:1', null);
    clock.advance(30_000);
    expect(clock.pending).toBe(0);
    backend.set('key:0', 1, 1_000);
    expect(clock.pending).toBe(1);
    backend.delete('key:0');
    clock.advance(30_000);
    expect(clock.pending).toBe(0);
  });

  it('lets others run between slices', () => {
    const after = jest.spyOn(clock, 'after');
    fill(5_000, 1_000);
    clock.advance(30_000);
    const [first, ...slices] = after.mock.calls.map(([ms]) => ms);
    expect(first).toBe(30_000);
    expect(slices.length).toBeGreaterThan(1);
    expect(new Set(slices)).toEqual(new Set([0]));
    expect(clock.pending).toBe(0);
  });

  it('has no timer after close', () => {
    fill(10, LIFE);
    backend.close();
    expect(clock.pending).toBe(0);
  });
});

describe('a large prune in memory', () => {
  it('counts what goes over several slices', async () => {
    use({ sweepInterval: 0 });
    fill(10_000, 1_000);
    backend.set('lasting', 1, null);
    clock.advance(1_000);
    const pruned = backend.prune();
    expect(pruned).toBeInstanceOf(Promise);
    expect(await pruned).toBe(10_000);
    expect(backend.get('lasting')).toBe(1);
  });
});

describe('a large clear in memory', () => {
  beforeEach(() => {
    fill(20_000, LIFE);
    backend.set('other', 1, null);
  });

  it('hides every key at once', async () => {
    const cleared = backend.clear('key:');
    expect(cleared).toBeInstanceOf(Promise);
    expect([backend.get('key:19999'), backend.ttl('key:19998'), backend.delete('key:19997')]).toEqual([
      undefined,
      undefined,
      false,
    ]);
    expect(backend.touch('key:19996', null)).toBe(false);
    expect(backend.increment('key:19995', 1, undefined, null)).toBeUndefined();
    expect(backend.compareAndDelete('key:19994', 19994)).toBe(false);
    expect(await listed()).toEqual(['other']);
    await cleared;
    expect(await listed()).toEqual(['other']);
  });

  it('leaves what is written after it began', async () => {
    const cleared = backend.clear('key:');
    backend.set('key:19999', 1, null);
    backend.set('key:new', 2, LIFE);
    expect(backend.add('key:19998', 3, null)).toBe(true);
    expect(backend.increment('key:19997', 1, 3, null)).toBe(4);
    expect(backend.getMany(['key:19999', 'key:new', 'key:19998', 'key:19997'])).toEqual([1, 2, 3, 4]);
    await cleared;
    expect(backend.getMany(['key:19999', 'key:new', 'key:19998', 'key:19997'])).toEqual([1, 2, 3, 4]);
    expect((await listed()).length).toBe(5);
  });

  it('may run beside another', async () => {
    const first = backend.clear('key:1');
    backend.set('key:1', 1, null);
    backend.set('key:2', 2, null);
    const second = backend.clear('key:2');
    backend.set('key:2', 3, null);
    await Promise.all([first, second]);
    expect(backend.getMany(['key:1', 'key:2', 'key:15000', 'key:2500', 'key:9'])).toEqual([
      1,
      3,
      undefined,
      undefined,
      9,
    ]);
    expect((await listed('key:1')).length).toBe(1);
    expect((await listed('key:2')).length).toBe(1);
  });

  it('ends when the backend is closed', async () => {
    const cleared = backend.clear('key:');
    backend.close();
    await cleared;
  });
});

describe('a listing in memory', () => {
  it('gives every key that stays, whatever comes and goes meanwhile', async () => {
    fill(10_000);
    const seen = new Map<string, number>();
    for await (const key of backend.keys('key:')) {
      seen.set(key, (seen.get(key) ?? 0) + 1);
      const n = Number(key.slice(4));
      if (n < 9_000) backend.set(`key:${n}`, 'x'.length, null);
      backend.delete(`key:${n + 9_500}`);
      backend.set(`later:${n}`, 1, null);
    }
    for (let n = 0; n < 9_500; n += 1) expect(seen.get(`key:${n}`)).toBe(1);
  });

  it('fails when the backend is closed meanwhile', async () => {
    fill(10_000);
    const keys = backend.keys('key:');
    await keys.next();
    backend.close();
    await expect(
      (async () => {
        for await (const key of keys) expect(key).toMatch(/^key:/);
      })(),
    ).rejects.toThrow('closed');
  });
});
