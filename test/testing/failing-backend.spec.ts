import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { describeBackend, FailingBackend, FakeClock } from 'nestjs-caching/testing';
import type { CacheBackend } from '../../libs/caching/src/backends/cache-backend.js';
import { MemoryBackend } from '../../libs/caching/src/backends/memory.backend.js';

const clock = new FakeClock();
const memory = () => new MemoryBackend({ maxEntries: 100_000, maxBytes: 2 ** 26, sweepInterval: 0 }, clock);

describeBackend('a failing backend without faults', {
  create: () => ({ backend: new FailingBackend(memory(), clock) }),
  passTime: (ms) => clock.advance(ms),
  runner: { describe, it, expect, beforeEach, afterEach },
});

describe('FailingBackend', () => {
  let backend: FailingBackend;
  beforeEach(() => {
    backend = new FailingBackend(memory(), clock);
  });
  afterEach(() => backend.close());

  it('fails until it is healed, without asking the backend', async () => {
    backend.fail('set');
    await expect(backend.set('key', 1, null)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(backend.set('key', 1, null)).rejects.toThrow();
    expect(await backend.get('key')).toBeUndefined();
    backend.heal();
    await backend.set('key', 1, null);
    expect(await backend.get('key')).toBe(1);
  });

  it('fails so many times, with the given error', async () => {
    const error = new Error('ours');
    backend.fail('get', { times: 2, error });
    await expect(backend.get('key')).rejects.toBe(error);
    await expect(backend.get('key')).rejects.toBe(error);
    expect(await backend.get('key')).toBeUndefined();
    expect(backend.calls.get('get')).toBe(3);
  });

  it('counts a fault of all operations over all of them', async () => {
    backend.fail('all', { times: 2 });
    await expect(backend.get('key')).rejects.toThrow();
    await expect(backend.ttl('key')).rejects.toThrow();
    expect(await backend.delete('key')).toBe(false);
  });

  it('loses only the answer if the failure takes effect', async () => {
    backend.fail('set', { takesEffect: true });
    await expect(backend.set('key', 1, null)).rejects.toThrow();
    expect(await backend.get('key')).toBe(1);
  });

  it('hangs until it is healed and then goes on', async () => {
    backend.hang('set');
    backend.hang('delete');
    const set = backend.set('key', 1, null);
    const deleted = backend.delete('other');
    expect(await backend.get('key')).toBeUndefined();
    backend.heal('set');
    await set;
    expect(await backend.get('key')).toBe(1);
    backend.heal();
    expect(await deleted).toBe(false);
  });

  it('fails what hangs when it is closed', async () => {
    backend.hang('get');
    const read = backend.get('key');
    await backend.close();
    await expect(read).rejects.toThrow('closed');
  });

  it('delays by the clock', async () => {
    backend.delay('set', 100, { times: 1 });
    const set = backend.set('key', 1, null);
    clock.advance(99);
    expect(await backend.get('key')).toBeUndefined();
    clock.advance(1);
    await set;
    expect(await backend.get('key')).toBe(1);
  });

  it('fails a listing when it is read', async () => {
    backend.fail('keys');
    const listing = backend.keys('')[Symbol.asyncIterator]();
    await expect(listing.next()).rejects.toThrow();
  });

  it('leaves out what the backend leaves out', () => {
    const { name, capabilities, get, set, delete: remove, ttl, clear, close } = memory();
    const bare: CacheBackend = {
      name,
      capabilities,
      get,
      set,
      delete: remove,
      ttl,
      clear,
      close,
    } as CacheBackend;
    const failing = new FailingBackend(bare);
    expect([failing.add, failing.getMany, failing.keys, failing.prune]).toEqual(Array(4).fill(undefined));
  });
});
