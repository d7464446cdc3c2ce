import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Res, Sse } from '@nestjs/common';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { of } from 'rxjs';
import { CachePage, InvalidDecorationError } from 'nestjs-caching';
import { FailingBackend } from 'nestjs-caching/testing';
import type { CacheBackend } from '../../libs/caching/src/backends/cache-backend.js';
import { FileBackend } from '../../libs/caching/src/backends/file.backend.js';
import { RedisBackend } from '../../libs/caching/src/backends/redis.backend.js';
import { systemClock } from '../../libs/caching/src/clock.js';
import { gate as newGate } from '../support/gate.js';
import { type AnyReply, sends, usePages } from '../support/page-app.js';
import { memory, until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';

// Attacks of class C3: denial of service by what is stored.
describe.each(PLATFORMS)('C3, denial by what is stored, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));

  it('42: a header with a control character is refused by the parser, and leaves nothing', async () => {
    await start('60s');
    const { host } = new URL(pages.app.url);
    const answer = await pages.bytes(
      `GET /p/1 HTTP/1.1\r\nHost: ${host}\r\nX-Bad: a\x00b\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(await pages.text()).toBe('run 1');
  });

  it.each([
    ['x-meta', '{bad json'],
    ['if-none-match', '"""'],
    ['if-match', '\\'],
  ])(
    '43: %s: %s that makes a handler fail, by throwing or by its status, is not stored',
    async (name, value) => {
      await start('60s');
      for (const [path, fail] of [
        ['/p/1', () => JSON.parse('{') as unknown],
        ['/p/2', undefined],
      ] as const) {
        pages.handle = ({ headers }, reply, run) => {
          if (headers[name] === undefined) return `run ${run}`;
          if (fail !== undefined) return fail();
          reply.status(500);
          return 'error';
        };
        expect((await pages.ask(path, { [name]: value })).status).toBe(500);
        const { status, text } = await pages.ask(path);
        expect([status, text]).toEqual([200, `run ${pages.runs}`]);
      }
    },
  );

  it('45: a part that is asked for first is not the whole', async () => {
    await start('60s');
    pages.handle = ({ headers }, reply) => {
      if (headers['range'] === undefined) return 'whole';
      reply.status(206).header('content-range', 'bytes 0-0/5');
      return 'w';
    };
    expect(await pages.text('/p/1', { range: 'bytes=0-0' })).toBe('w');
    expect(await pages.text()).toBe('whole');
  });

  it.each([{ 'if-none-match': '*' }, { 'if-modified-since': 'Fri, 31 Dec 2099 10:00:00 GMT' }])(
    '46: %j on an empty cache leaves no 304 and no empty page',
    async (asked) => {
      await start('60s');
      pages.handle = sends({ 'last-modified': 'Mon, 23 Nov 2020 10:00:00 GMT' });
      await pages.raw('/p/1', asked);
      const { status, text } = await pages.raw('/p/1');
      expect([status, text]).toEqual([200, 'run 1']);
    },
  );

  it.each([204, 200])('49: a %d without a body is not stored by default', async (status) => {
    await start('60s');
    let isEmpty = true;
    pages.handle = (_request, reply, run) => {
      if (!isEmpty) return `run ${run}`;
      reply.status(status);
      return undefined;
    };
    expect((await pages.ask()).status).toBe(status);
    isEmpty = false;
    expect(await pages.text()).toBe('run 2');
  });

  it('49: an empty page is stored where the route lists its status, or the response says for how long', async () => {
    pages.handle = (_request, reply) => (reply.header('cache-control', 'max-age=60'), undefined);
    for (const [ttl, options] of [
      ['60s', { statuses: [200] }],
      [undefined, {}],
    ] as const) {
      await start(ttl, options);
      expect(await pages.isStored()).toBe(true);
      expect(await pages.text()).toBe('');
    }
  });

  it('51: an event stream passes through, and is not stored', async () => {
    const count = (): number => (pages.runs += 1);
    @Controller()
    @CachePage('60s')
    class EventsController {
      @Sse('events') events(): unknown {
        return of({ data: `run ${count()}` });
      }
      @Get('by-hand') byHand(@Res() reply: AnyReply): void {
        reply.header('content-type', 'text/event-stream; charset=utf-8').send(`data: run ${count()}\n\n`);
      }
    }
    await pages.start(EventsController);
    expect(await pages.text('/events')).toContain('run 1');
    expect(await pages.text('/events')).toContain('run 2');
    expect(await pages.text('/by-hand')).toContain('run 3');
    expect(await pages.text('/by-hand')).toContain('run 4');
  });

  it('51: the decorator on an event stream is refused at the start', async () => {
    @Controller()
    class EventsController {
      @Sse('events') @CachePage('60s') events(): unknown {
        return of({ data: '1' });
      }
    }
    await expect(pages.start(EventsController)).rejects.toThrow(InvalidDecorationError);
  });

  it.each([
    [
      {
        'cache-control': ['max-age=60', 'public'],
        vary: ['X-A', 'X-B'],
        age: 7,
        etag: ['"a"', '"b"'],
        'x-number': 5,
      },
      true,
    ],
    [{ 'cache-control': 5, vary: 7, age: ['1', '2'], etag: 9 }, true],
    [{ 'cache-control': ['max-age=60', 'private'], vary: 'X-A' }, false],
  ])('52: headers as arrays and numbers (%j) break nothing', async (headers, isStored) => {
    await start('60s');
    pages.handle = sends(headers);
    expect(await pages.isStored()).toBe(isStored);
    const { status, headers: hit } = await pages.raw('/p/1', { 'if-none-match': '"a"' });
    expect([200, 304]).toContain(status);
    if (isStored) expect(hit['age']).toMatch(/^\d+$/);
  });

  it('54: a backend that throws costs a run and one line of log, never a 500', async () => {
    const backends: Record<string, () => Promise<CacheBackend>> = {
      memory: async () => memory(pages.clock),
      file: async () =>
        new FileBackend({
          directory: await newDirectory(),
          maxEntries: 1000,
          sweepIntervalMs: 0,
          clock: systemClock,
        }),
    };
    for (const make of Object.values(backends)) await expectNoFailure(await make());
    for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
  });
  describeService('redis', (redis) => {
    it('54: a Redis that throws costs a run and one line of log, never a 500', () =>
      expectNoFailure(new RedisBackend({ url: redis().url, connectTimeoutMs: 1000, socketTimeoutMs: 1000 })));
  });
  const directories: string[] = [];
  async function newDirectory(): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'attacks-'));
    directories.push(directory);
    return directory;
  }
  async function expectNoFailure(backend: CacheBackend): Promise<void> {
    const failing = new FailingBackend(backend);
    await pages.start(pages.controller('60s'), {
      caching: { backend: failing as CacheBackend, keyPrefix: `c3-${platform}` },
      // What could not be released is waited for.
      clock: systemClock,
    });
    pages.warnings = [];
    for (const operation of ['get', 'set', 'delete', 'add', 'compareAndSet', 'getMany', 'all'] as const) {
      failing.fail(operation);
      for (const path of ['/p/1', '/p/2'])
        expect([operation, (await pages.ask(path)).status]).toEqual([operation, 200]);
      failing.heal();
    }
    expect(pages.warnings.length).toBeLessThan(5);
    expect(pages.warnings.join()).not.toContain('/p/1');
    await pages.close();
  }

  it('55: a handler that never returns holds the others no longer than the deadline', async () => {
    await pages.start(pages.controller('60s'), { caching: { pages: { flightDeadline: '5s' } } });
    const never = newGate();
    pages.handle = async (_request, _reply, run) => {
      if (run === 1) await never.opened;
      return `run ${run}`;
    };
    const first = pages.text();
    await until(() => pages.runs === 1);
    const others = [pages.text(), pages.text()];
    await until(() => pages.clock.pending > 0);
    await new Promise((resolve) => setImmediate(resolve));
    let isAnswered = false;
    const answered = Promise.all(others).then((texts) => ((isAnswered = true), texts));
    await until(() => (pages.clock.advance(5_000), isAnswered));
    expect((await answered).every((text) => /^run [23]$/.test(text))).toBe(true);
    never.open();
    expect(await first).toBe('run 1');
  });
});
