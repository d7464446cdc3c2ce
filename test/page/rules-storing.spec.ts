import { describe, expect, it } from '@jest/globals';
import { Controller, Get, HttpException, Res, StreamableFile } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { get as httpGet, request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { CachePage, type CachePageOptions, InvalidDecorationError, VaryOnCookie } from 'nestjs-caching';
import { gate as newGate } from '../support/gate.js';
import { type AnyReply, sends, usePages } from '../support/page-app.js';
import { until } from '../support/scenarios.js';
import { PLATFORMS } from '../support/test-app.js';

// The rows of the rule book of HTTP output caching, part A1: may this response be stored?
describe.each(PLATFORMS)('A1, what is stored, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));
  /** The response of Node below either platform's. */
  const rawOf = (reply: AnyReply): ServerResponse =>
    (reply as unknown as { raw?: ServerResponse }).raw ?? (reply as unknown as ServerResponse);

  it('row 1: a GET with 200 is stored for the ttl, and no longer', async () => {
    await start('60s');
    expect([await pages.text(), await pages.text()]).toEqual(['run 1', 'run 1']);
    pages.clock.advance(59_999);
    expect(await pages.text()).toBe('run 1');
    pages.clock.advance(1);
    expect(await pages.text()).toBe('run 2');
  });

  it.each(['no-store', 'no-store, max-age=60', 'no-store, s-maxage=60', 'no-store, public'])(
    'row 2: Cache-Control %j is not stored, whatever ttl and Expires say',
    async (cacheControl) => {
      await start('60s');
      pages.handle = sends({
        'cache-control': cacheControl,
        expires: new Date(pages.clock.now() + 60_000).toUTCString(),
      });
      expect(await pages.isStored()).toBe(false);
    },
  );

  it.each([
    ['row 3', 'private'],
    ['row 3', 'private, max-age=60'],
    ['row 4', 'no-cache'],
    ['row 4', 'no-cache, s-maxage=60'],
  ])('%s: Cache-Control %j is not stored', async (_row, cacheControl) => {
    await start('60s');
    pages.handle = sends({ 'cache-control': cacheControl });
    expect(await pages.isStored()).toBe(false);
  });

  it.each([
    ['No-Store'],
    ['PRIVATE'],
    ['nO-cAcHe'],
    ['max-age=60,\tno-store'],
    ['max-age=60\t ,\t PRIVATE \t,public'],
    [['max-age=60', 'no-store']],
    [['public', 'Private']],
    [['s-maxage=60', 'max-age=60', 'x="', 'no-cache']],
  ])('row 5: %j is read in any case, with tabs, on any line', async (cacheControl) => {
    await start('60s');
    pages.handle = sends({ 'cache-control': cacheControl });
    expect(await pages.isStored()).toBe(false);
  });

  it.each(['private="x-a"', 'no-cache="x-a, x-b"', 'no-cache=Set-Cookie', 'max-age=60, private="x-a"'])(
    'row 6: %s with field names counts as without',
    async (cacheControl) => {
      await start('60s');
      pages.handle = sends({ 'cache-control': cacheControl });
      expect(await pages.isStored()).toBe(false);
    },
  );

  it.each([
    'private=',
    'private=""',
    'private=" authorization"',
    'private="a',
    'private, private="b"',
    'max-age=60, "',
    'max-age=60 public',
    'max-age=60; public',
    '=private',
    'max-age="60',
    '@',
  ])('row 7: malformed %s is not stored and breaks nothing', async (cacheControl) => {
    await start('60s');
    pages.handle = sends({ 'cache-control': cacheControl });
    expect(await pages.isStored()).toBe(false);
    expect((await pages.ask()).status).toBe(200);
  });

  it.each(['max-age=0', 's-maxage=0', 'max-age=60, s-maxage=0', 'max-age=0, must-revalidate'])(
    'row 8: %s by the handler is not stored',
    async (cacheControl) => {
      await start('60s');
      pages.handle = sends({ 'cache-control': cacheControl });
      expect(await pages.isStored()).toBe(false);
    },
  );

  /** Adds a header when the headers leave, as session middleware does; on Fastify by a hook for all routes, or of one. */
  const startWithLate = (name: string, value: string, options?: CachePageOptions<never>, isLast = false) =>
    pages.start(pages.controller('60s', options), {
      configure: (app) => {
        if (platform === 'fastify') {
          const fastify = app.getHttpAdapter().getInstance();
          const onSend = async (_request: unknown, reply: AnyReply) => void reply.header(name, value);
          if (isLast) fastify.addHook('onRoute', (route: object) => void Object.assign(route, { onSend }));
          else fastify.addHook('onSend', onSend);
          return;
        }
        app.use((_request: unknown, response: ServerResponse, next: () => void) => {
          const { writeHead } = response;
          response.writeHead = function (this: ServerResponse, ...given: unknown[]) {
            this.setHeader(name, value);
            return Reflect.apply(writeHead, this, given) as ServerResponse;
          };
          next();
        });
      },
    });

  it('row 9: a response with Set-Cookie is not stored', async () => {
    await start('60s');
    pages.handle = (_request, reply, run) => (reply.header('set-cookie', `sid=${run}`), `run ${run}`);
    expect(await pages.isStored()).toBe(false);
    expect((await pages.ask()).headers.get('set-cookie')).toBe('sid=3');
  });

  it.each([
    ['row 9', 'set-cookie', 'sid=1'],
    ['row 2', 'cache-control', 'no-store'],
    ['row 3', 'cache-control', 'private'],
    ['row 8', 'cache-control', 'max-age=0'],
    ['row 8', 'cache-control', 's-maxage=0'],
    ['row 10', 'vary', '*'],
  ])('%s: %s: %s that is added when the headers leave is seen', async (_row, name, value) => {
    for (const isLast of [false, true]) {
      await startWithLate(name, value, {}, isLast);
      expect([isLast, await pages.isStored()]).toEqual([isLast, false]);
      expect((await pages.ask()).headers.get(name)).toBe(value);
    }
  });

  it('row 60: a Vary that is added when the headers leave forbids storing: what is stored was made before', async () => {
    for (const isLast of [false, true]) {
      await startWithLate('vary', 'x-late', {}, isLast);
      expect([isLast, await pages.isStored('/p/1', { 'x-late': 'a' })]).toEqual([isLast, false]);
    }
  });

  it.each([
    ['row 3', 'cache-control', 'private'],
    ['row 9', 'set-cookie', 'sid=1'],
    ['row 10', 'vary', '*'],
  ])('%s: %s: %s that is given to writeHead itself keeps a response out', async (_row, name, value) => {
    @Controller()
    class RawController {
      @Get('raw') @CachePage('60s') page(@Res() reply: AnyReply): void {
        pages.runs += 1;
        if (platform === 'fastify') (reply as unknown as { hijack(): void }).hijack();
        rawOf(reply)
          .writeHead(200, { [name]: value })
          .end('raw');
      }
    }
    await pages.start(RawController, {
      // Beside a header that was set before, Node would show these among all others.
      configure: (app) => {
        if (platform === 'express') app.getHttpAdapter().getInstance().disable('x-powered-by');
      },
    });
    for (let time = 0; time < 2; time += 1) expect((await pages.raw('/raw')).text).toBe('raw');
    expect(pages.runs).toBe(2);
  });

  it('row 2: a no-store that is added when the headers leave wins over our own word to browsers', async () => {
    await startWithLate('cache-control', 'no-store', { clientTtl: '30s' });
    expect(await pages.isStored()).toBe(false);
  });

  it.each([['*'], ['*, *'], [', *'], ['Foo, *'], [['Accept-Language', '*']], ['"'], ['a b']])(
    'row 10: Vary %j is not stored',
    async (vary) => {
      await start('60s');
      pages.handle = sends({ vary });
      expect(await pages.isStored()).toBe(false);
    },
  );

  it.each(['Cookie', 'Authorization', 'x-a, COOKIE', 'Proxy-Authorization'])(
    'row 11: Vary %j is not stored where the route does not declare it',
    async (vary) => {
      await start('60s');
      pages.handle = sends({ vary });
      expect(await pages.isStored()).toBe(false);
    },
  );

  it('row 11: Vary: Authorization is stored, each value apart, where the route declares it', async () => {
    await start('60s', { shared: true, vary: ['Authorization'] });
    pages.handle = sends({ vary: 'Authorization' });
    const [a, b] = [{ authorization: 'a' }, { authorization: 'b' }];
    expect([await pages.text('/p/1', a), await pages.text('/p/1', b)]).toEqual(['run 1', 'run 2']);
    expect([await pages.text('/p/1', a), await pages.text('/p/1', b)]).toEqual(['run 1', 'run 2']);
  });

  it('row 11: Vary: Cookie is stored where the route names the cookie', async () => {
    const count = (): number => (pages.runs += 1);
    @Controller()
    class ThemedController {
      @Get('themed') @CachePage('60s') @VaryOnCookie('theme') themed(
        @Res({ passthrough: true }) reply: AnyReply,
      ): string {
        reply.header('vary', 'Cookie');
        return `run ${count()}`;
      }
    }
    await pages.start(ThemedController);
    const of = (cookie: string) => pages.text('/themed', { cookie });
    expect([await of('theme=dark'), await of('theme=light'), await of('a=b; theme=dark')]).toEqual([
      'run 1',
      'run 2',
      'run 1',
    ]);
  });

  // Stricter than RFC 9111 §3.5, which lets `public`, `s-maxage` and `must-revalidate` store: what handlers say for caches
  // on the way would then hand one user's page to all.
  it.each([undefined, 'public', 's-maxage=60', 'must-revalidate'])(
    'row 12: a request with Authorization neither stores nor reuses, though the response says %s',
    async (cacheControl) => {
      await start('60s');
      if (cacheControl !== undefined) pages.handle = sends({ 'cache-control': cacheControl });
      const asA = { authorization: 'a' };
      expect(await pages.isStored('/p/1', asA)).toBe(false);
      expect(await pages.text()).toBe('run 3');
      expect(await pages.text('/p/1', asA)).toBe('run 4');
    },
  );

  it('row 12: a route that says whose page it is stores it for that one', async () => {
    await start('60s', {
      user: ({ headers }: { headers: Record<string, string> }) => headers['authorization'],
    });
    const of = (authorization: string) => pages.text('/p/1', { authorization });
    expect([await of('a'), await of('b'), await of('a'), await of('b')]).toEqual([
      'run 1',
      'run 2',
      'run 1',
      'run 2',
    ]);
  });

  it('row 13: a request with Range goes past the cache, and fills nothing', async () => {
    await start('60s');
    const range = { range: 'bytes=0-1' };
    expect([await pages.text('/p/1', range), await pages.text()]).toEqual(['run 1', 'run 2']);
    expect([await pages.text('/p/1', range), await pages.text()]).toEqual(['run 3', 'run 2']);
  });

  it.each([
    [206, {}],
    [206, { 'content-range': 'bytes 0-1/10', 'cache-control': 's-maxage=60' }],
    [200, { 'content-range': 'bytes 0-1/10' }],
  ])('row 13: %d with %j is not stored', async (status, headers) => {
    await start('60s', { statuses: [200, 206] });
    pages.handle = sends(headers, status);
    expect(await pages.isStored()).toBe(false);
  });

  it.each([200, 203, 301, 308, 404, 410])(
    'row 14: %d is stored if its own headers say for how long',
    async (status) => {
      await start();
      pages.handle = sends({ 'cache-control': 'max-age=60' }, status);
      expect(await pages.isStored()).toBe(true);
      expect((await pages.ask()).status).toBe(status);
      pages.handle = sends({}, status);
      expect(await pages.isStored('/p/2')).toBe(false);
    },
  );

  it.each([203, 301, 302, 303, 307, 308, 400, 401, 404, 410])(
    'row 15: with a ttl %d is stored only if the route lists it',
    async (status) => {
      await start('60s');
      pages.handle = sends({}, status);
      expect(await pages.isStored()).toBe(false);
      await start('60s', { statuses: [status] });
      expect(await pages.isStored()).toBe(true);
      expect((await pages.ask()).status).toBe(status);
    },
  );

  it.each([201, 202, 302, 403, 500, 503])(
    'row 16: %d without a freshness of its own is not stored',
    async (status) => {
      await start();
      pages.handle = sends({}, status);
      expect(await pages.isStored()).toBe(false);
    },
  );

  it.each([500, 501, 502, 503, 504])('row 17: %d is not stored, even with max-age', async (status) => {
    await start('60s');
    pages.handle = sends({ 'cache-control': 'max-age=60, public' }, status);
    expect(await pages.isStored()).toBe(false);
    await start();
    expect(await pages.isStored()).toBe(false);
  });

  it('row 17: a route cannot list a 5xx', async () => {
    await expect(start('60s', { statuses: [503] })).rejects.toThrow(InvalidDecorationError);
  });

  it('row 18: informational responses and their headers are neither stored nor replayed', async () => {
    await start('60s');
    pages.handle = (_request, reply, run) => {
      rawOf(reply).writeProcessing();
      rawOf(reply).writeEarlyHints({ link: '</hint.css>; rel=preload' });
      return `run ${run}`;
    };
    const interim: number[] = [];
    const last = await new Promise<number | undefined>((resolve, reject) => {
      httpGet(`${pages.app.url}/p/1`, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      })
        .on('information', ({ statusCode }) => interim.push(statusCode))
        .on('error', reject);
    });
    expect([...interim, last]).toEqual([102, 103, 200]);
    const hit = await pages.raw('/p/1');
    expect([hit.status, hit.text, hit.headers.link]).toEqual([200, 'run 1', undefined]);
  });

  it('row 19: a 304 is not stored as the page, whether the handler or the platform makes it', async () => {
    await start('60s');
    pages.handle = ({ headers }, reply, run) => {
      reply.header('etag', '"v1"');
      if (headers['x-own'] === undefined) return `run ${run}`;
      reply.status(304);
      return undefined;
    };
    expect((await pages.ask('/p/1', { 'x-own': '1' })).status).toBe(304);
    // Not by `fetch`, which adds a `no-cache` that keeps Express from its own check.
    const byPlatform = await pages.raw('/p/1', { 'if-none-match': '"v1"' });
    expect(byPlatform.status).toBe(304);
    const whole = await pages.raw('/p/1');
    expect([whole.status, whole.text]).toEqual([200, 'run 2']);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    'row 20: %s runs the handler and fills nothing',
    async (method) => {
      await start('60s');
      pages.handle = ({ method: asked }, reply, run) => {
        reply.header('cache-control', 'public, s-maxage=60');
        return `${asked} ${run}`;
      };
      const first = await pages.raw('/p/1', {}, method);
      const second = await pages.raw('/p/1', {}, method);
      // Some methods no route takes: those are the platform's to refuse.
      if (first.status < 400) expect([first.text, second.text]).toEqual([`${method} 1`, `${method} 2`]);
      expect(await pages.text()).toBe(`GET ${pages.runs}`);
      expect((await pages.raw('/p/1', {}, method)).text).not.toContain('GET');
    },
  );

  it('row 21: HEAD is answered from a stored GET, and stores nothing', async () => {
    await start('60s');
    await pages.ask('/p/1', {}, 'HEAD');
    expect(await pages.text()).toBe('run 2');
    const head = await pages.ask('/p/1', {}, 'HEAD');
    expect([head.text, head.headers.get('age'), pages.runs]).toEqual(['', '0', 2]);
  });

  describe('row 22, what did not end well', () => {
    it('a stream that fails on its way is not stored', async () => {
      await start('60s');
      let fails = true;
      pages.handle = (_request, _reply, run) =>
        new StreamableFile(
          Readable.from(
            (function* () {
              yield Buffer.from(`run ${run} begins`);
              if (fails) throw new Error('broken');
              yield Buffer.from(' and ends');
            })(),
          ),
          { type: 'text/plain' },
        );
      await pages.ask().catch(() => undefined);
      fails = false;
      const { text } = await pages.ask();
      expect(text).toBe('run 2 begins and ends');
    });

    it('a response whose client has left is not stored', async () => {
      await start('60s');
      const [begun, gate] = [newGate(), newGate()];
      let closed = false;
      pages.handle = async (_request, reply, run) => {
        rawOf(reply).once('close', () => (closed = true));
        if (run > 1) return `run ${run}`;
        begun.open();
        await gate.opened;
        return `run ${run}`;
      };
      const sent = httpRequest(`${pages.app.url}/p/1`).on('error', () => undefined);
      sent.end();
      await begun.opened;
      sent.destroy();
      await until(() => closed);
      gate.open();
      expect(await pages.text()).toBe('run 2');
    });

    it('a body shorter than its Content-Length is not stored', async () => {
      @Controller()
      class ShortController {
        @Get('short') @CachePage('60s') short(@Res() reply: AnyReply): void {
          count();
          const raw = rawOf(reply);
          if (platform === 'fastify') (reply as unknown as { hijack(): void }).hijack();
          raw.setHeader('content-length', 10);
          raw.end('short');
        }
      }
      const count = (): number => (pages.runs += 1);
      await pages.start(ShortController);
      for (let time = 0; time < 2; time += 1)
        await pages.bytes('GET /short HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      expect(pages.runs).toBe(2);
    });

    it('a stream that ends before its Content-Length is not stored', async () => {
      await start('60s');
      pages.handle = () => new StreamableFile(Readable.from([Buffer.from('short')]), { length: 10 });
      for (let time = 0; time < 2; time += 1) {
        const answer = await pages.bytes('GET /p/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        expect(answer.toLowerCase()).toContain('content-length: 10');
      }
      expect(pages.runs).toBe(2);
    });

    it('a response that takes longer than the deadline is not stored', async () => {
      await pages.start(pages.controller('60s'), { caching: { pages: { flightDeadline: '5s' } } });
      const [begun, gate] = [newGate(), newGate()];
      pages.handle = async (_request, _reply, run) => {
        if (run > 1) return `run ${run}`;
        begun.open();
        await gate.opened;
        return `run ${run}`;
      };
      const slow = pages.text();
      await begun.opened;
      pages.clock.advance(5_001);
      gate.open();
      expect([await slow, await pages.text()]).toEqual(['run 1', 'run 2']);
    });
  });

  it('row 23: a body over the limit passes through whole and is not stored', async () => {
    await pages.start(pages.controller('60s'), { caching: { pages: { maxBodySize: 100_000 } } });
    pages.handle = (_request, _reply, run) =>
      new StreamableFile(Readable.from(Array.from({ length: 4 }, () => Buffer.alloc(50_000, String(run)))));
    const [first, second] = [await pages.ask(), await pages.ask()];
    expect(first.body.equals(Buffer.alloc(200_000, '1'))).toBe(true);
    expect(second.body.equals(Buffer.alloc(200_000, '2'))).toBe(true);
    // One that just fits is stored, in one piece or in several.
    pages.handle = () => new StreamableFile(Buffer.alloc(100_000, 'a'));
    expect(await pages.isStored('/p/2')).toBe(true);
    pages.handle = () => new StreamableFile(Readable.from([Buffer.alloc(99_999), Buffer.alloc(1)]));
    expect(await pages.isStored('/p/3')).toBe(true);
  });

  it.each(['no-store', 'No-Store', 'max-age=0, no-store', 'no-store, "'])(
    'row 24: what answers a request with Cache-Control %j is not stored; what is there may be used',
    async (cacheControl) => {
      await start('60s');
      const asked = { 'cache-control': cacheControl };
      expect([await pages.text('/p/1', asked), await pages.text()]).toEqual(['run 1', 'run 2']);
      expect(await pages.text('/p/1', asked)).toBe('run 2');
    },
  );

  // RFC 9111 §5.2.2.3 lets a cache that knows the status store; it need not.
  it('row 25: no-store with must-understand is not stored', async () => {
    await start('60s');
    pages.handle = sends({ 'cache-control': 'no-store, must-understand, max-age=60' });
    expect(await pages.isStored()).toBe(false);
  });

  it('rows 15 and 17: errors that are thrown are not stored, unless the route lists their status', async () => {
    await start('60s', { statuses: [404] });
    pages.handle = ({ url }, _reply, run) => {
      throw new HttpException(`run ${run}`, url.endsWith('4') ? 404 : 500);
    };
    expect(await pages.isStored('/p/5')).toBe(false);
    expect(await pages.isStored('/p/4')).toBe(true);
    expect((await pages.ask('/p/4')).status).toBe(404);
  });
});
