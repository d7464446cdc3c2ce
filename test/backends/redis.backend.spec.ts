import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { escapeGlob } from '../../libs/caching/src/backends/redis/scan.js';
import { slotOf } from '../../libs/caching/src/backends/redis/slot.js';
import { NumberOutOfRangeError } from '../../libs/caching/src/errors.js';
import { describeBackend } from '../../libs/caching/src/testing/index.js';
import { describeOnRedis } from './redis-servers.js';

const runner = { describe, it, expect, beforeEach, afterEach };

describeOnRedis((server) => {
  /** Commands that the server ran during the action, by name. */
  async function commandsOf(action: () => PromiseLike<unknown>): Promise<Record<string, number>> {
    await server.plain.configResetStat();
    await action();
    const stats = await server.plain.info('commandstats');
    const counts = [...stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)].map(([, name, calls]) => [
      name!,
      Number(calls),
    ]);
    const { 'config|resetstat': _reset, info: _info, ping: _ping, ...rest } = Object.fromEntries(counts);
    return rest as Record<string, number>;
  }

  describeBackend('redis', {
    create: () => ({ backend: server.create(), other: server.create() }),
    runner,
  });

  describe('commands', () => {
    const keys = Array.from({ length: 100 }, (_, n) => `app:${n}`);

    it('are as few as can be', async () => {
      const backend = server.create();
      await backend.get('app:warm');
      expect(await commandsOf(() => backend.get('app:1'))).toEqual({ get: 1 });
      expect(await commandsOf(() => backend.set('app:1', 1, 60_000))).toEqual({ set: 1 });
      expect(await commandsOf(() => backend.add('app:2', 1, 60_000))).toEqual({ set: 1 });
      expect(await commandsOf(() => backend.getMany(keys))).toEqual({ mget: 1 });
      expect(await commandsOf(() => backend.deleteMany(keys))).toEqual({ unlink: 1 });
      expect(await commandsOf(() => backend.delete('app:1'))).toEqual({ unlink: 1 });
      expect(await commandsOf(() => backend.touch('app:1', 1000))).toEqual({ pexpire: 1 });
      expect(await commandsOf(() => backend.ttl('app:1'))).toEqual({ pttl: 1 });
      const writes = keys.map((key) => ({ key, payload: 1, ttlMs: 60_000 }));
      expect(await commandsOf(() => backend.setMany(writes))).toEqual({ set: 100 });
      expect(
        await commandsOf(async () => [
          await backend.getMany([]),
          await backend.setMany([]),
          await backend.deleteMany([]),
        ]),
      ).toEqual({});
    });

    it('keep the order over more keys than one command takes', async () => {
      const backend = server.create();
      const many = Array.from({ length: 2500 }, (_, n) => `app:${n}`);
      await backend.setMany(
        many
          .filter((_, n) => n % 2 === 0)
          .map((key) => ({ key, payload: Number(key.slice(4)), ttlMs: null })),
      );
      const found = await backend.getMany(many);
      expect(found).toEqual(many.map((_, n) => (n % 2 === 0 ? n : undefined)));
      expect(await backend.deleteMany(many)).toBe(1250);
    });

    it('run a script again that the server has forgotten', async () => {
      const backend = server.create();
      expect(await backend.increment('app:n', 1, 0, null)).toBe(1);
      await server.plain.scriptFlush();
      expect(await backend.increment('app:n', 1, 0, null)).toBe(2);
      expect((await commandsOf(() => backend.increment('app:n', 1, 0, null))).evalsha).toBe(1);
    });
  });

  describe('counters', () => {
    it('never become permanent by racing their expiry', async () => {
      const [one, two] = [server.create(), server.create()];
      const end = performance.now() + 1000;
      let restarts = 0;
      while (performance.now() < end) {
        const counts = await Promise.all(
          [one, two, one, two].map((backend) => backend.increment('app:counter', 1, 0, 2)),
        );
        if (counts.includes(1)) restarts++;
        expect(await one.ttl('app:counter')).not.toBeNull();
      }
      expect(restarts).toBeGreaterThan(10);
    });

    it('stop at the ends of the safe range and stay as they are', async () => {
      const backend = server.create();
      const { MAX_SAFE_INTEGER: max, MIN_SAFE_INTEGER: min } = Number;
      await backend.set('app:n', max - 1, 60_000);
      expect(await backend.increment('app:n', 1, undefined, null)).toBe(max);
      await expect(backend.increment('app:n', 1, undefined, null)).rejects.toBeInstanceOf(
        NumberOutOfRangeError,
      );
      await expect(backend.increment('app:n', max, undefined, null)).rejects.toBeInstanceOf(
        NumberOutOfRangeError,
      );
      expect(await backend.increment('app:n', min, undefined, null)).toBe(0);
      expect(await backend.increment('app:n', min, undefined, null)).toBe(min);
      await expect(backend.increment('app:n', -1, undefined, null)).rejects.toBeInstanceOf(
        NumberOutOfRangeError,
      );
      await expect(backend.increment('app:new', 1, max, null)).rejects.toBeInstanceOf(NumberOutOfRangeError);
      expect(await server.plain.get('app:n')).toBe(String(min));
      expect(await server.plain.exists('app:new')).toBe(0);
      expect(await backend.ttl('app:n')).toBeGreaterThan(0);
    });
  });

  describe('prefixes', () => {
    it.each([
      ['a*b:', 'aXXb:'],
      ['a?b:', 'aXb:'],
      ['a[xy]b:', 'axb:'],
      ['a[^x]b:', 'ayb:'],
      ['a\\*b:', 'a*b:'],
      ['a\\', 'a'],
      ['{tag}:*', '{tag}:x'],
    ])('%j leaves %j alone', async (prefix, neighbour) => {
      const backend = server.create();
      await backend.set(`${prefix}1`, 1, null);
      await backend.set(`${neighbour}1`, 2, null);
      const listed: string[] = [];
      for await (const key of backend.keys(prefix)) listed.push(key);
      expect(listed).toEqual([`${prefix}1`]);
      await backend.clear(prefix);
      expect(await backend.getMany([`${prefix}1`, `${neighbour}1`])).toEqual([undefined, 2]);
    });

    it('are cleared among many keys of others, in steps', async () => {
      const backend = server.create();
      const writes = Array.from({ length: 5000 }, (_, n) => ({
        key: `${n % 2 === 0 ? 'mine' : 'theirs'}:${n}`,
        payload: n,
        ttlMs: null,
      }));
      await backend.setMany(writes);
      const commands = await commandsOf(() => backend.clear('mine:'));
      expect(Object.keys(commands).sort()).toEqual(['scan', 'unlink']);
      expect(commands.scan).toBeGreaterThan(3);
      expect(await server.plain.dbSize()).toBe(2500);
      expect(await backend.get('theirs:1')).toBe(1);
    });

    it('escape every character that a glob could take for more', () => {
      expect(escapeGlob('a*b?c[d]e\\f^g-h')).toBe('a\\*b\\?c\\[d\\]e\\\\f\\^g\\-h');
    });
  });

  describe('a server without memory', () => {
    beforeEach(async () => {
      await server.plain.configSet('maxmemory-policy', 'noeviction');
    });
    afterEach(async () => {
      await server.plain.configSet('maxmemory', '0');
    });

    it('refuses writes, keeps no old value in their place, and goes on with reads', async () => {
      const backend = server.create();
      const old = ['app:1', 'app:2', 'app:3', 'app:4'];
      await backend.setMany(old.map((key) => ({ key, payload: 1, ttlMs: null })));
      await server.plain.configSet('maxmemory', '1');
      await expect(backend.set('app:1', 2, null)).rejects.toThrow(/^OOM/);
      expect(await backend.setMany([{ key: 'app:2', payload: 2, ttlMs: null }])).toEqual(['app:2']);
      await expect(backend.add('app:new', 2, null)).rejects.toThrow(/^OOM/);
      await expect(backend.increment('app:3', 1, 0, null)).rejects.toThrow(/OOM/);
      await expect(backend.compareAndSet('app:3', 1, 2, null)).rejects.toThrow(/OOM/);
      expect(await backend.getMany([...old, 'app:new'])).toEqual([undefined, undefined, 1, 1, undefined]);
      expect(await backend.delete('app:4')).toBe(true);
      await server.plain.configSet('maxmemory', '0');
      await backend.set('app:1', 3, null);
      expect(await backend.get('app:1')).toBe(3);
    });
  });

  describe('a server that takes no writes at all', () => {
    const WITHOUT_WRITES = {
      'a replica': {
        begin: () => server.plain.sendCommand(['REPLICAOF', '127.0.0.1', '1']),
        end: () => server.plain.sendCommand(['REPLICAOF', 'NO', 'ONE']),
        reason: /^READONLY/,
      },
      'one whose rights were taken away': {
        begin: () => server.plain.sendCommand(['ACL', 'SETUSER', 'default', '-@write']),
        end: () => server.plain.sendCommand(['ACL', 'SETUSER', 'default', '+@all']),
        reason: /^NOPERM/,
      },
    };

    it.each(Object.entries(WITHOUT_WRITES))(
      '%s: every write rejects, for what was there is there still',
      async (_name, { begin, end, reason }) => {
        const backend = server.create();
        await backend.set('app:1', 1, null);
        await begin();
        try {
          const write = { key: 'app:1', payload: 2, ttlMs: null };
          await expect(backend.setMany([write])).rejects.toThrow(reason);
          await expect(backend.set('app:1', 2, null)).rejects.toThrow(reason);
          await expect(backend.deleteMany(['app:1'])).rejects.toThrow(reason);
        } finally {
          await end();
        }
        expect(await backend.get('app:1')).toBe(1);
      },
    );
  });
});

describe('slots', () => {
  it.each([
    ['foo', 12_182],
    ['123456789', 12_739],
    ['{user1000}.following', 3443],
    ['foo{}{bar}', 8363],
    ['foo{{bar}}zap', 4015],
    ['', 0],
  ])('%j is in %d, as the cluster specification has it', (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });
});
