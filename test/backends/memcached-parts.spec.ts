import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseAddress, parseServers } from '../../libs/caching/src/backends/memcached/addresses.js';
import { decodeFrame, encodeFrame, exptime } from '../../libs/caching/src/backends/memcached/frame.js';
import { KeyTurns } from '../../libs/caching/src/backends/memcached/key-turns.js';
import { ReplyReader } from '../../libs/caching/src/backends/memcached/reply-reader.js';
import { ServerChoice } from '../../libs/caching/src/backends/memcached/server-choice.js';
import { InvalidOptionsError } from '../../libs/caching/src/errors.js';

describe('the addresses of memcached servers', () => {
  it.each([
    ['/run/memcached.sock', '/run/memcached.sock', { path: '/run/memcached.sock' }],
    ['unix:/run/memcached.sock', '/run/memcached.sock', { path: '/run/memcached.sock' }],
    ['localhost', 'localhost:11211', { host: 'localhost', port: 11211 }],
    ['Cache-1.example.org:11212', 'cache-1.example.org:11212', { host: 'Cache-1.example.org', port: 11212 }],
    ['[::1]', '[::1]:11211', { host: '::1', port: 11211 }],
    ['::1', '[::1]:11211', { host: '::1', port: 11211 }],
    ['[::1]:11212', '[::1]:11212', { host: '::1', port: 11212 }],
    ['127.0.0.1', '127.0.0.1:11211', { host: '127.0.0.1', port: 11211 }],
    ['127.0.0.1:11212', '127.0.0.1:11212', { host: '127.0.0.1', port: 11212 }],
  ])('understand %s', (text, name, target) => {
    expect(parseAddress(text)).toEqual({ name, target });
  });

  it.each([
    '',
    ' ',
    'host:',
    'host:0',
    'host:65536',
    'host:x',
    'a b',
    '[::1',
    '[host]:1',
    'host/path',
    'host:1?a=b',
    '/',
    'unix:',
    'http://host',
    'a\r\nb',
  ])('refuse %j', (text) => {
    expect(() => parseAddress(text)).toThrow(InvalidOptionsError);
  });

  it('keep a password out of the message', () => {
    expect(() => parseServers('memcached://me:secret@host')).toThrow(InvalidOptionsError);
    expect(() => parseServers('memcached://me:secret@host')).not.toThrow(/secret/);
  });

  it.each([
    ['memcached://a:1,b', ['a:1', 'b:11211']],
    ['memcached://[::1]:1', ['[::1]:1']],
    ['memcached:///run/m.sock', ['/run/m.sock']],
    ['MEMCACHED://a', ['a:11211']],
    ['a; unix:/run/m.sock, a:11211', ['a:11211', '/run/m.sock']],
  ])('come out of %s', (text, servers) => {
    expect(parseServers(text)).toEqual(servers);
  });
});

describe('the choice of a memcached server', () => {
  const keys = Array.from({ length: 20_000 }, (_, i) => `app:default:1:1:user/${i}`);
  const placed = (names: string[]): string[] => {
    const choice = new ServerChoice(names);
    return keys.map((key) => names[choice.indexOf(key)] as string);
  };

  it('spreads keys evenly', () => {
    const names = ['10.0.0.1:11211', '10.0.0.2:11211', '10.0.0.3:11211', '10.0.0.4:11211'];
    const homes = placed(names);
    for (const name of names) expect(homes.filter((home) => home === name).length).toBeGreaterThan(4500);
  });

  it('moves only what a new server takes', () => {
    const before = placed(['a:1', 'b:1', 'c:1']);
    const after = placed(['a:1', 'b:1', 'c:1', 'd:1']);
    const moved = after.filter((home, i) => home !== before[i]);
    expect(new Set(moved)).toEqual(new Set(['d:1']));
    expect(moved.length).toBeGreaterThan(4500);
    expect(moved.length).toBeLessThan(5500);
  });

  it('does not depend on the order of the servers', () => {
    expect(placed(['c:1', 'a:1', 'b:1'])).toEqual(placed(['a:1', 'b:1', 'c:1']));
  });
});

describe('the frame of a memcached item', () => {
  const payload = fc.oneof(
    fc.uint8Array(),
    fc.maxSafeInteger().map((n) => n + 0),
  );
  const expiresAt = fc.option(fc.integer({ min: 1, max: 10 ** 13 }));

  it('gives back what went in', () => {
    fc.assert(
      fc.property(fc.string(), payload, expiresAt, (key, given, moment) => {
        const entry = decodeFrame(key, encodeFrame(key, { payload: given, expiresAt: moment }));
        expect(entry?.expiresAt).toBe(moment);
        if (typeof given === 'number') expect(entry?.payload).toBe(given);
        else expect(Buffer.compare(entry?.payload as Uint8Array, given)).toBe(0);
      }),
    );
  });

  it('takes nothing that was cut off or altered', () => {
    fc.assert(
      fc.property(payload, expiresAt, fc.nat(), fc.nat(7), (given, moment, at, bit) => {
        const frame = encodeFrame('key', { payload: given, expiresAt: moment });
        expect(decodeFrame('key', frame.subarray(0, at % frame.length))).toBeUndefined();
        const place = at % frame.length;
        frame[place] = (frame[place] as number) ^ (1 << bit);
        expect(decodeFrame('key', frame)).toBeUndefined();
      }),
    );
  });

  it('takes nothing that was copied from another key', () => {
    expect(decodeFrame('other', encodeFrame('key', { payload: 5, expiresAt: null }))).toBeUndefined();
  });

  it('never lets the server expire an entry before its time', () => {
    const now = Date.UTC(2026, 0, 1);
    const day = 86_400_000;
    expect(exptime(null, now)).toBe(0);
    expect(exptime(now + 1, now)).toBe(2);
    expect(exptime(now + 1000, now)).toBe(2);
    expect(exptime(now + 1001, now)).toBe(3);
    expect(exptime(now + 30 * day - 1000, now)).toBe(30 * 86_400);
    expect(exptime(now + 30 * day, now)).toBe(now / 1000 + 30 * 86_400 + 1);
    expect(exptime(now + 100 * 365 * day, now)).toBe(0);
  });

  it('never takes an entry that is over for one that lasts', () => {
    expect(exptime(1_000_000, 1_001_500)).toBeGreaterThan(0);
  });
});

describe('the reader of memcached replies', () => {
  const read = (pieces: Buffer[]): string[] => {
    const seen: string[] = [];
    const reader = new ReplyReader({
      line: (text) => {
        seen.push(text);
        return text.startsWith('VALUE') ? Number(text.split(' ')[3]) : undefined;
      },
      block: (data) => void seen.push(`<${data.toString('latin1')}>`),
    });
    for (const piece of pieces) reader.push(piece);
    return seen;
  };

  it('reads the same from any pieces', () => {
    const text = 'VALUE a 0 6\r\nx\r\n\r\ny\r\nVALUE b 0 0\r\n\r\nEND\r\nSTORED\r\n';
    const seen = ['VALUE a 0 6', '<x\r\n\r\ny>', 'VALUE b 0 0', '<>', 'END', 'STORED'];
    fc.assert(
      fc.property(fc.array(fc.nat(text.length)), (cuts) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), text.length];
        expect(read(edges.slice(1).map((edge, i) => Buffer.from(text.slice(edges[i], edge))))).toEqual(seen);
      }),
    );
  });

  it.each([['END\n'], ['\n'], ['VALUE a 0 1\r\nxyz'], ['x'.repeat(3000)]])('refuses %j', (text) => {
    expect(() => read([Buffer.from(text)])).toThrow();
  });
});

describe('turns on a key', () => {
  it('run one after the other, and others beside them', async () => {
    const turns = new KeyTurns();
    const log: string[] = [];
    const step = (name: string) => async () => {
      log.push(`${name} begins`);
      await Promise.resolve();
      log.push(`${name} ends`);
    };
    await Promise.all([
      turns.run('a', step('a1'), () => false),
      turns.run('a', step('a2'), () => false),
      turns.run('b', step('b'), () => false),
    ]);
    expect(log.indexOf('a2 begins')).toBeGreaterThan(log.indexOf('a1 ends'));
    expect(log.indexOf('b begins')).toBeLessThan(log.indexOf('a1 ends'));
  });

  it('pass an outage on to those that wait, and nothing else', async () => {
    const turns = new KeyTurns();
    const fail = (message: string) => async () => {
      throw new Error(message);
    };
    const isOutage = (error: unknown): boolean => (error as Error).message === 'away';
    const outcomes = await Promise.allSettled([
      turns.run('a', fail('not a number'), isOutage),
      turns.run('a', async () => 1, isOutage),
      turns.run('a', fail('away'), isOutage),
      turns.run('a', async () => 2, isOutage),
    ]);
    expect(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : String(outcome.reason))),
    ).toEqual(['Error: not a number', 1, 'Error: away', 'Error: away']);
    await expect(turns.run('a', async () => 3, isOutage)).resolves.toBe(3);
  });
});
