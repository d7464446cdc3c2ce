import { connect, createServer, type Server } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MemcachedBackend,
  type MemcachedBackendOptions,
} from '../../libs/caching/src/backends/memcached.backend.js';
import { systemClock, type Clock } from '../../libs/caching/src/clock.js';
import {
  InvalidKeyError,
  InvalidOptionsError,
  NotANumberError,
  ValueTooLargeError,
} from '../../libs/caching/src/errors.js';
import { describeService, startService, type Service } from '../support/services.js';

const DAY = 86_400_000;
const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** The real clock, moved by hand. */
class ShiftedClock implements Clock {
  shift = 0;
  now = (): number => Date.now() + this.shift;
  monotonic = systemClock.monotonic;
  after = systemClock.after;
}

function backendOn(servers: string[], options: Partial<MemcachedBackendOptions> = {}): MemcachedBackend {
  const defaults = {
    connectTimeoutMs: 2000,
    socketTimeoutMs: 5000,
    maxItemBytes: 1_048_576,
    clock: systemClock,
  };
  return new MemcachedBackend({ servers, ...defaults, ...options });
}

/** Says something to a server without any client and reads until the reply has this end. */
async function say(service: Service, text: string, end: string): Promise<string> {
  const socket = connect(service.port, service.host);
  socket.write(text, 'latin1');
  let heard = '';
  for await (const chunk of socket) {
    heard += (chunk as Buffer).toString('latin1');
    if (heard.endsWith(end)) break;
  }
  return heard;
}

async function stat(service: Service, name: string): Promise<number> {
  const stats = await say(service, 'stats\r\n', 'END\r\n');
  return Number(new RegExp(`^STAT ${name} (\\d+)`, 'm').exec(stats)?.[1]);
}

describeService('memcached', (service) => {
  describe('the memcached backend', () => {
    const clock = new ShiftedClock();
    let backend: MemcachedBackend;
    let other: MemcachedBackend;
    let key: string;
    let count = 0;

    beforeEach(() => {
      clock.shift = 0;
      key = `test:${(count += 1)}`;
      const address = `${service().host}:${service().port}`;
      backend = backendOn([address], { clock });
      other = backendOn([address], { clock });
    });
    afterEach(async () => {
      await Promise.all([backend.close(), other.close()]);
    });

    it.each([
      ['30 days and a second', 30 * DAY + 1000],
      ['a year', 365 * DAY],
      ['a hundred years', 36_500 * DAY],
      ['ever', null],
    ])('keeps an entry for %s', async (_, ttlMs) => {
      await backend.set(key, bytes('x'), ttlMs);
      expect(await backend.get(key)).toEqual(bytes('x'));
      if (ttlMs === null) return expect(await backend.ttl(key)).toBeNull();
      expect(await backend.ttl(key)).toBeGreaterThan(ttlMs - 60_000);
      clock.shift = ttlMs - 60_000;
      expect(await backend.get(key)).toEqual(bytes('x'));
      clock.shift = ttlMs;
      expect(await backend.get(key)).toBeUndefined();
    });

    it('has the server free what has expired', async () => {
      await backend.set(key, bytes('x'), 1);
      await backend.set(`${key}:long`, bytes('x'), 40 * DAY);
      const listed = await say(service(), `mg ${key} t\r\nmg ${key}:long t\r\nmn\r\n`, 'MN\r\n');
      const [short, long] = [...listed.matchAll(/HD t(-?\d+)/g)].map((match) => Number(match[1]));
      expect(short).toBeLessThanOrEqual(2);
      expect(Math.abs((long as number) - 40 * 86_400)).toBeLessThan(5);
    });

    it('carries every byte', async () => {
      const all = Uint8Array.from({ length: 1024 }, (_, i) => i);
      const nasty = bytes('a\r\nEND\r\nVALUE x 0 1\r\nx\r\n');
      await backend.setMany([
        { key, payload: nasty, ttlMs: null },
        { key: `${key}:all`, payload: all, ttlMs: null },
        { key: `${key}:none`, payload: new Uint8Array(), ttlMs: null },
      ]);
      const [first, second, third] = await backend.getMany([key, `${key}:all`, `${key}:none`]);
      expect(Buffer.compare(first as Uint8Array, nasty)).toBe(0);
      expect(Buffer.compare(second as Uint8Array, all)).toBe(0);
      expect(third).toHaveLength(0);
    });

    it('stores what the bytes were at the call', async () => {
      const payload = bytes('before');
      const stored = backend.set(key, payload, null);
      payload.write('after!');
      await stored;
      expect(await backend.get(key)).toEqual(bytes('before'));
    });

    it.each(['', ' ', 'a b', 'a\r\nset injected 0 0 1\r\nx', 'a\nb', 'a\0', 'ä', 'a\x7f', 'k'.repeat(251)])(
      'sends nothing for the key %j',
      async (bad) => {
        await backend.set(key, 1, null);
        const before = await stat(service(), 'cmd_set');
        for (const attempt of [
          () => backend.get(bad),
          () => backend.getMany([key, bad]),
          () => backend.set(bad, 1, null),
          () => backend.setMany([{ key: bad, payload: 1, ttlMs: null }]),
          () => backend.add(bad, 1, null),
          () => backend.delete(bad),
          () => backend.deleteMany([bad]),
          () => backend.touch(bad, null),
          () => backend.ttl(bad),
          () => backend.increment(bad, 1, 0, null),
          () => backend.compareAndSet(bad, 1, 2, null),
          () => backend.compareAndDelete(bad, 1),
        ]) {
          await expect(attempt()).rejects.toThrow(InvalidKeyError);
        }
        expect(await backend.get('injected')).toBeUndefined();
        expect(await stat(service(), 'cmd_set')).toBe(before);
        expect(await backend.get(key)).toBe(1);
      },
    );

    it('tells keys apart that differ in case or in the last character', async () => {
      const keys = [
        'Key',
        'key',
        'KEY',
        `${'k'.repeat(249)}a`,
        `${'k'.repeat(249)}b`,
        '__proto__',
        'constructor',
      ];
      await backend.setMany(keys.map((name, i) => ({ key: name, payload: i, ttlMs: null })));
      expect(await backend.getMany(keys)).toEqual(keys.map((_, i) => i));
      await backend.deleteMany(keys);
      expect(await backend.getMany(keys)).toEqual(keys.map(() => undefined));
    });

    it('reads many keys with one command, wherever they are repeated', async () => {
      const keys = Array.from({ length: 100 }, (_, i) => `${key}:${i}`);
      await backend.setMany(keys.map((name, i) => ({ key: name, payload: i, ttlMs: null })));
      const packets = await stat(service(), 'bytes_read');
      expect(await backend.getMany([...keys, keys[7] as string])).toEqual([...keys.keys(), 7]);
      const oneLine = `get ${keys.join(' ')}\r\n`.length;
      expect((await stat(service(), 'bytes_read')) - packets).toBe(oneLine + 'stats\r\n'.length);
    });

    it('needs one connection', async () => {
      const before = await stat(service(), 'total_connections');
      await Promise.all(Array.from({ length: 200 }, (_, i) => backend.set(`${key}:${i}`, i, 60_000)));
      expect((await stat(service(), 'total_connections')) - before).toBe(2); // the other is that of stat()
    });

    it('opens nothing before the first operation', async () => {
      const before = await stat(service(), 'total_connections');
      await other.close();
      await backendOn([`${service().host}:${service().port}`]).close();
      expect(await stat(service(), 'total_connections')).toBe(before + 1);
    });

    describe('with a value that is too large', () => {
      const large = Buffer.alloc(2_000_000, 'x');

      it.each([
        ['by our limit', 1_048_576],
        ['by the limit of the server', 10_000_000],
      ])('removes the old one and says so, %s', async (_, maxItemBytes) => {
        const tried = backendOn([`${service().host}:${service().port}`], { maxItemBytes });
        await tried.set(key, bytes('old'), null);
        const error = await tried.set(key, large, null).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(ValueTooLargeError);
        expect(error).toMatchObject({ size: 2_000_073 + key.length, limit: 1_048_576 });
        expect(await tried.get(key)).toBeUndefined();
        await tried.close();
      });

      it('takes what just fits and refuses one byte more', async () => {
        const fits = 1_048_576 - 73 - key.length;
        const trusting = backendOn([`${service().host}:${service().port}`], { maxItemBytes: 2_000_000 });
        for (const tried of [backend, trusting]) {
          await tried.set(key, Buffer.alloc(fits), null);
          expect(await backend.get(key)).toHaveLength(fits);
          await expect(tried.set(key, Buffer.alloc(fits + 1), null)).rejects.toThrow(ValueTooLargeError);
        }
        await trusting.close();
      });

      it('answers its key from setMany and stores the others', async () => {
        await backend.set(`${key}:large`, 1, null);
        const refused = await backend.setMany([
          { key, payload: 1, ttlMs: null },
          { key: `${key}:large`, payload: large, ttlMs: null },
          { key: `${key}:last`, payload: 3, ttlMs: null },
        ]);
        expect(refused).toEqual([`${key}:large`]);
        expect(await backend.getMany([key, `${key}:large`, `${key}:last`])).toEqual([1, undefined, 3]);
      });

      it('leaves what add() finds alone', async () => {
        await backend.set(key, 1, null);
        expect(await backend.add(key, large, null)).toBe(false);
        expect(await backend.get(key)).toBe(1);
        await expect(backend.add(`${key}:new`, large, null)).rejects.toThrow(ValueTooLargeError);
      });

      it('removes only what compareAndSet() was to replace', async () => {
        await backend.set(key, 1, null);
        expect(await backend.compareAndSet(key, 2, large, null)).toBe(false);
        expect(await backend.get(key)).toBe(1);
        await expect(backend.compareAndSet(key, 1, large, null)).rejects.toThrow(ValueTooLargeError);
        expect(await backend.get(key)).toBeUndefined();
      });
    });

    describe('over an item of another program', () => {
      beforeEach(async () => {
        await say(service(), `set ${key} 2 0 2\r\n42\r\n`, 'STORED\r\n');
      });

      it('finds nothing', async () => {
        await backend.set(`${key}:ours`, 1, null);
        expect(await backend.get(key)).toBeUndefined();
        expect(await backend.getMany([`${key}:ours`, key])).toEqual([1, undefined]);
        expect(await backend.ttl(key)).toBeUndefined();
        expect(await backend.touch(key, null)).toBe(false);
        expect(await backend.compareAndSet(key, 42, 1, null)).toBe(false);
        expect(await backend.increment(key, 1, undefined, null)).toBeUndefined();
        expect(await backend.delete(key)).toBe(false);
      });

      it('adds', async () => {
        expect(await Promise.all([backend.add(key, 1, null), other.add(key, 2, null)])).toContain(false);
        expect([1, 2]).toContain(await backend.get(key));
      });

      it('counts from the start', async () => {
        expect(await backend.increment(key, 5, 10, null)).toBe(15);
      });
    });

    it('takes a damaged item and one from another key for absent', async () => {
      await backend.set(key, 5, null);
      const raw = await say(service(), `get ${key}\r\n`, 'END\r\n');
      const data = raw.slice(raw.indexOf('\r\n') + 2, raw.lastIndexOf('\r\nEND'));
      const copy = `set ${key}:copy 0 0 ${data.length}\r\n${data}\r\n`;
      const cut = `set ${key}:cut 0 0 ${data.length - 3}\r\n${data.slice(3)}\r\n`;
      await say(service(), copy + cut, 'STORED\r\nSTORED\r\n');
      expect(await backend.getMany([key, `${key}:copy`, `${key}:cut`])).toEqual([5, undefined, undefined]);
    });

    it('counts exactly over two instances', async () => {
      const each = Array.from({ length: 150 }, () => [
        backend.increment(key, 1, 0, null),
        other.increment(key, -3, 0, null),
      ]);
      await Promise.all(each.flat());
      expect(await backend.get(key)).toBe(150 - 450);
    });

    it('keeps the life of a counter to the millisecond', async () => {
      await backend.set(key, 1, 60_000);
      const frozen = Date.now();
      clock.now = () => frozen + clock.shift;
      const before = await backend.ttl(key);
      await backend.increment(key, 1, undefined, 5);
      expect(await backend.ttl(key)).toBe(before);
      clock.now = () => Date.now() + clock.shift;
    });

    it('leaves bytes alone that look like a number', async () => {
      await backend.set(key, bytes('12345678'), null);
      await expect(backend.increment(key, 1, 0, null)).rejects.toThrow(NotANumberError);
      expect(await backend.get(key)).toEqual(bytes('12345678'));
    });

    it.each([
      ['add', (tried: MemcachedBackend, mark: number) => tried.add(key, mark, null)],
      ['compareAndSet', (tried: MemcachedBackend, mark: number) => tried.compareAndSet(key, 0, mark, null)],
    ])('lets one of many %s() win over what was there', async (name, attempt) => {
      await backend.set(key, 0, 1000);
      if (name === 'add') clock.shift = 1000;
      const marks = Array.from({ length: 20 }, (_, i) => i + 1);
      const answers = await Promise.all(marks.map((mark) => attempt(mark % 2 === 0 ? backend : other, mark)));
      expect(answers.filter((won) => won)).toHaveLength(1);
      expect(await backend.get(key)).toBe(marks[answers.indexOf(true)]);
    });

    it('lets one of many deletes answer true', async () => {
      await backend.set(key, 0, null);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? backend : other).delete(key)),
      );
      expect(answers.filter((removed) => removed)).toHaveLength(1);
    });

    it('takes nothing away that was written after the comparison', async () => {
      const rounds = Array.from({ length: 100 }, (_, i) => `${key}:${i}`);
      await backend.setMany(rounds.map((round) => ({ key: round, payload: 1, ttlMs: null })));
      const removals = rounds.map((round) => backend.compareAndDelete(round, 1));
      await Promise.all([...removals, ...rounds.map((round) => other.set(round, 2, null))]);
      expect(await backend.getMany(rounds)).toEqual(rounds.map(() => 2));
    });

    it('does nothing in clear(), for the server is not ours alone', async () => {
      await backend.set(key, 1, null);
      await backend.clear();
      expect(await backend.get(key)).toBe(1);
    });

    it('refuses an address that is none before anything is opened', () => {
      expect(() => backendOn(['host:port'])).toThrow(InvalidOptionsError);
    });
  });

  describe('two memcached servers', () => {
    let second: Service;
    let backend: MemcachedBackend;
    const keys = Array.from({ length: 200 }, (_, i) => `two:${i}`);
    beforeAll(async () => {
      second = await startService('memcached');
    });
    afterAll(() => second.stop());
    beforeEach(async () => {
      backend = backendOn([`${service().host}:${service().port}`, `${second.host}:${second.port}`], {
        socketTimeoutMs: 500,
      });
      await backend.setMany(keys.map((key, i) => ({ key, payload: i, ttlMs: null })));
    });
    afterEach(() => backend.close());

    it('share the keys, and are asked once each', async () => {
      const before = await Promise.all([stat(service(), 'get_hits'), stat(second, 'get_hits')]);
      expect(await backend.getMany(keys)).toEqual([...keys.keys()]);
      const [one, two] = await Promise.all([stat(service(), 'get_hits'), stat(second, 'get_hits')]);
      expect(one - before[0]).toBeGreaterThan(50);
      expect(two - before[1]).toBeGreaterThan(50);
      expect(one + two - before[0] - before[1]).toBe(200);
      expect(await backend.deleteMany(keys)).toBe(200);
    });

    it('fail for the keys of the one that is away, and work for the others', async () => {
      await second.kill();
      const outcomes = await Promise.allSettled(keys.map((key) => backend.get(key)));
      const found = outcomes.filter((outcome) => outcome.status === 'fulfilled');
      expect(found.length).toBeGreaterThan(50);
      expect(found.length).toBeLessThan(150);
      for (const outcome of found) expect(outcome.value).toBeDefined();
      await expect(backend.getMany(keys)).rejects.toThrow();
      await expect(backend.setMany(keys.map((key) => ({ key, payload: 1, ttlMs: null })))).rejects.toThrow();
      await expect(backend.deleteMany(keys)).rejects.toThrow();
      await second.start();
      await expect(backend.getMany(keys)).resolves.toHaveLength(200);
    });
  });

  describe('a memcached server on a socket file', () => {
    let folder: string;
    let gate: Server;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'memcached-socket-'));
      gate = createServer((socket) => {
        socket.pipe(connect(service().port, service().host)).pipe(socket);
      }).listen(join(folder, 'm.sock'));
      await once(gate, 'listening');
    });
    afterAll(async () => {
      gate.close();
      await rm(folder, { recursive: true });
    });

    it('is used like any other', async () => {
      const backend = backendOn([`unix:${join(folder, 'm.sock')}`]);
      await backend.set('socket', 1, null);
      expect(await backend.get('socket')).toBe(1);
      await backend.close();
    });
  });
});
