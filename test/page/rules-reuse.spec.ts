import { describe, expect, it } from '@jest/globals';
import fastifyCompress from '@fastify/compress';
import compression from 'compression';
import { type INestApplication, StreamableFile } from '@nestjs/common';
import { gzipSync } from 'node:zlib';
import { CacheService } from 'nestjs-caching';
import { gate as newGate } from '../support/gate.js';
import { type AnyRequest, sends, setsEarly, usePages } from '../support/page-app.js';
import { until } from '../support/scenarios.js';
import { PLATFORMS } from '../support/test-app.js';

const MODIFIED = 'Mon, 23 Nov 2020 10:00:00 GMT';

// The rows of the rule book of HTTP output caching, part A3: what is sent when a page is used again.
describe.each(PLATFORMS)('A3, what is sent on reuse, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));

  it('row 41: a hit has Age, whole seconds and never negative, and the stored Date and Expires', async () => {
    await start('60s');
    const expires = 'Mon, 23 Nov 2099 10:00:00 GMT';
    pages.handle = sends({ expires });
    const first = await pages.ask();
    expect(first.headers.get('age')).toBeNull();
    const hits = [];
    for (const ms of [0, 999, 1, 40_000]) {
      pages.clock.advance(ms);
      const { headers } = await pages.ask();
      hits.push([headers.get('age'), headers.get('expires')]);
    }
    expect(hits.map(([age]) => age)).toEqual(['0', '0', '1', '41']);
    expect(new Set(hits.map(([, stored]) => stored))).toEqual(new Set([expires]));
  });

  it('row 41: the Date of a handler stays', async () => {
    await start('60s');
    pages.handle = sends({ date: MODIFIED });
    for (let time = 0; time < 2; time += 1) expect((await pages.ask()).headers.get('date')).toBe(MODIFIED);
  });

  it('row 41: without one, hits show the Date of the run', async () => {
    await start('60s');
    await pages.ask();
    const born = new Date(pages.clock.now()).toUTCString();
    pages.clock.advance(10_000);
    expect((await pages.ask()).headers.get('date')).toBe(born);
  });

  it.each([
    ['GET', 204, null],
    ['HEAD', 204, null],
    ['GET', 203, '0'],
    ['HEAD', 203, '0'],
  ])('row 42: a %s of an empty %d says the length %s, on a hit as before', async (method, status, length) => {
    await start('60s', { statuses: [203, 204] });
    pages.handle = (_request, reply) => {
      reply.status(status);
      return undefined;
    };
    await pages.ask();
    const hit = await pages.ask('/p/1', {}, method);
    expect([hit.status, hit.headers.get('age'), hit.headers.get('content-length')]).toEqual([
      status,
      '0',
      length,
    ]);
  });

  it('row 42: status, bytes, Content-Type and repeated headers come back as they were', async () => {
    await start('60s', { statuses: [203] });
    const bytes = Buffer.from([0, 255, 128, 13, 10, 0]);
    pages.handle = (_request, reply) => {
      reply.status(203);
      reply.header('link', ['<a>; rel=x', '<b>; rel=y']);
      reply.header('x-empty', '');
      reply.header('content-type', 'text/CSV;Charset="utf-8"');
      return new StreamableFile(bytes, { type: 'text/CSV;Charset="utf-8"' });
    };
    const [first, second] = [await pages.raw('/p/1'), await pages.raw('/p/1')];
    const whole = await pages.ask();
    expect(whole.body.equals(bytes)).toBe(true);
    expect([second.status, second.headers['content-type']]).toEqual([203, first.headers['content-type']]);
    const lines = ({ rawHeaders }: typeof first, name: string) =>
      rawHeaders.filter((_text, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
    expect(lines(second, 'link')).toEqual(lines(first, 'link'));
    expect(lines(second, 'x-empty')).toEqual(['']);
    expect(pages.runs).toBe(1);
  });

  it.each(['keep-alive', 'te', 'upgrade', 'proxy-authenticate', 'proxy-connection', 'x-listed', 'x-also'])(
    'row 43: %s belongs to the connection and is not replayed',
    async (name) => {
      await start('60s');
      pages.handle = sends({ connection: 'X-Listed ,x-also, close', [name]: 'once', 'x-kept': 'yes' });
      await pages.raw('/p/1');
      const { text, headers } = await pages.raw('/p/1');
      expect([text, headers['x-kept'], headers[name]]).toEqual(['run 1', 'yes', undefined]);
    },
  );

  it.each(['"v1"', 'W/"v1"', '"x", "v1"', 'W/"x" ,\tW/"v1" ', '*', '"a,b", "v1"'])(
    'row 44: If-None-Match %s is answered with 304, without a body, with the headers that it repeats',
    async (ifNoneMatch) => {
      await start('60s');
      const kept = {
        etag: '"v1"',
        'cache-control': 'max-age=60',
        'content-location': '/p/one',
        expires: 'Mon, 23 Nov 2099 10:00:00 GMT',
        vary: 'x-a',
        date: MODIFIED,
      };
      pages.handle = sends({ ...kept, 'content-language': 'en' });
      await pages.ask();
      const { status, headers, text } = await pages.ask('/p/1', { 'if-none-match': ifNoneMatch });
      expect([status, text, pages.runs]).toEqual([304, '', 1]);
      for (const [name, value] of Object.entries(kept))
        expect([name, headers.get(name)]).toEqual([name, value]);
      for (const name of ['content-type', 'content-language'])
        expect([name, headers.get(name)]).toEqual([name, null]);
    },
  );

  it.each(['"v2"', '"', 'v1', '"v1', '', '"v1" "v2"'])(
    'row 44: If-None-Match %j does not match',
    async (ifNoneMatch) => {
      await start('60s');
      pages.handle = sends({ etag: '"v1"' });
      await pages.ask();
      const { status, text } = await pages.raw('/p/1', { 'if-none-match': ifNoneMatch });
      expect([status, text]).toEqual([200, 'run 1']);
    },
  );

  it('row 45: an If-None-Match that does not match wins over a matching If-Modified-Since', async () => {
    await start('60s');
    pages.handle = sends({ etag: '"v1"', 'last-modified': MODIFIED });
    await pages.ask();
    const asked = { 'if-none-match': '"v2"', 'if-modified-since': MODIFIED };
    expect((await pages.ask('/p/1', asked)).status).toBe(200);
  });

  it.each([
    ['Mon, 23 Nov 2020 10:00:00 GMT', 304],
    ['Monday, 23-Nov-20 10:00:00 GMT', 304],
    ['Mon Nov 23 10:00:00 2020', 304],
    ['Tue, 24 Nov 2020 10:00:00 GMT', 304],
    ['Mon, 23 Nov 2020 09:59:59 GMT', 200],
    ['Mon, 23 Nov 2020 10:00:00 CET', 200],
    ['yesterday', 200],
  ])('row 46: If-Modified-Since %s is answered with %d', async (since, expected) => {
    await start('60s');
    pages.handle = sends({ 'last-modified': MODIFIED });
    await pages.ask();
    expect((await pages.ask('/p/1', { 'if-modified-since': since })).status).toBe(expected);
    expect(pages.runs).toBe(1);
  });

  it.each([301, 404])('row 46: a %d is never turned into a 304, stored or not', async (status) => {
    await start('60s', { statuses: [status] });
    pages.handle = sends({ etag: '"v1"', 'last-modified': MODIFIED }, status);
    for (const asked of [
      { 'if-none-match': '"v1"' },
      { 'if-none-match': '*' },
      { 'if-modified-since': MODIFIED },
    ]) {
      for (let time = 0; time < 2; time += 1) expect((await pages.ask('/p/1', asked)).status).toBe(status);
    }
    expect(pages.runs).toBe(1);
  });

  it.each([
    ['if-match', '"v2"'],
    ['if-match', '*'],
    ['if-unmodified-since', MODIFIED],
  ])('row 47: %s: %s is for the handler', async (name, value) => {
    await start('60s');
    expect([await pages.text(), await pages.text('/p/1', { [name]: value }), await pages.text()]).toEqual([
      'run 1',
      'run 2',
      'run 1',
    ]);
  });

  it.each([{ 'if-none-match': '"v1"' }, { 'if-none-match': '*' }, { 'if-modified-since': MODIFIED }])(
    'row 48: %j on a miss stores the whole page, and is answered with 304',
    async (asked) => {
      // Express looks for itself whether a client has the page, but not if that says `no-cache`, which `fetch` adds.
      for (const accessTracking of ['on', 'off'] as const) {
        pages.runs = 0;
        await pages.start(pages.controller('60s'), { caching: { pages: { accessTracking } } });
        pages.handle = sends({ etag: '"v1"', 'last-modified': MODIFIED });
        expect((await pages.raw('/p/1', asked)).status).toBe(304);
        const { status, text } = await pages.raw('/p/1');
        expect([accessTracking, status, text, pages.runs]).toEqual([accessTracking, 200, 'run 1', 1]);
      }
    },
  );

  it('row 49: without an ETag of the handler both platforms make the same weak one, on misses and hits', async () => {
    await start('60s');
    pages.handle = () => ({ a: 'é' });
    const [miss, hit] = [await pages.ask(), await pages.ask()];
    // Of `{"a":"é"}`: ten bytes.
    expect(miss.headers.get('etag')).toMatch(/^W\/"a-[\w+/]{27}"$/);
    expect(hit.headers.get('etag')).toBe(miss.headers.get('etag'));
  });

  it('row 50: HEAD on a stored GET has its headers, its length and no body', async () => {
    await start('60s');
    pages.handle = sends({ 'x-a': '1' });
    const get = await pages.ask();
    const head = await pages.ask('/p/1', {}, 'HEAD');
    expect([head.status, head.text, head.headers.get('content-length'), pages.runs]).toEqual([
      200,
      '',
      String(get.body.length),
      1,
    ]);
    for (const name of ['x-a', 'content-type', 'etag'])
      expect([name, head.headers.get(name)]).toEqual([name, get.headers.get(name)]);
    const etag = get.headers.get('etag') ?? '';
    expect((await pages.ask('/p/1', { 'if-none-match': etag }, 'HEAD')).status).toBe(304);
  });

  it.each([
    { range: 'bytes=0-1' },
    { range: 'bytes=0-1', 'if-range': '"v1"' },
    { range: 'bytes=99-' },
    { 'if-range': '"v1"' },
  ])('row 51: %j is never answered with a wrong slice', async (asked) => {
    await start('60s');
    pages.handle = (request, reply, run) => sends({ etag: '"v1"' })(request, reply, run);
    await pages.ask();
    const { status, text } = await pages.ask('/p/1', asked);
    expect([status, text]).toEqual([200, `run ${pages.runs}`]);
  });

  const compress = async (app: INestApplication): Promise<void> => {
    if (platform === 'express') app.use(compression({ threshold: 0 }));
    else await app.getHttpAdapter().getInstance().register(fastifyCompress, { threshold: 0 });
  };

  it('row 52: compression works for each request, on bytes that are stored plain', async () => {
    await pages.start(pages.controller('60s'), { configure: compress });
    pages.handle = (_request, _reply, run) => ({ text: 'a'.repeat(2000), run });
    const codings = ['gzip', 'br', 'identity', 'gzip'];
    const answers = [];
    for (const coding of codings) answers.push(await pages.ask('/p/1', { 'accept-encoding': coding }));
    expect(answers.map(({ headers }) => headers.get('content-encoding'))).toEqual([
      'gzip',
      'br',
      null,
      'gzip',
    ]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(pages.runs).toBe(1);
  });

  it('row 52: no-transform is honoured on hits, too', async () => {
    await pages.start(pages.controller('60s'), { configure: compress });
    pages.handle = (_request, reply, run) => {
      reply.header('cache-control', 'no-transform');
      // @fastify/compress goes by the request; its own way to say so for a response is this.
      if (platform === 'fastify') reply.header('x-no-compression', '1');
      return { text: 'a'.repeat(2000), run };
    };
    const answers = [await pages.ask(), await pages.ask()];
    if (platform === 'express')
      expect(answers.map(({ headers }) => headers.get('content-encoding'))).toEqual([null, null]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  it('row 52: what a handler has encoded itself is not stored, nor encoded twice', async () => {
    await start('60s');
    pages.handle = (_request, reply, run) => {
      reply.header('content-encoding', 'gzip');
      return new StreamableFile(gzipSync(`run ${run}`));
    };
    expect([await pages.text(), await pages.text()]).toEqual(['run 1', 'run 2']);
  });

  it.each([{ 'cache-control': 'no-cache' }, { 'cache-control': 'max-age=0' }, { pragma: 'no-cache' }])(
    'row 53: a request with %j gets the stored page, unless the route honours it',
    async (asked) => {
      await start('60s');
      expect([await pages.text(), await pages.text('/p/1', asked)]).toEqual(['run 1', 'run 1']);
      await start('60s', { honorNoCache: true });
      expect([await pages.text(), await pages.text('/p/1', asked), await pages.text()]).toEqual([
        'run 2',
        'run 3',
        'run 3',
      ]);
    },
  );

  it.each(['max-stale', 'max-stale=600', 'min-fresh=600'])(
    'row 54: a request cannot widen its use by %s',
    async (directive) => {
      await start('60s');
      await pages.ask();
      pages.clock.advance(60_000);
      expect(await pages.text('/p/1', { 'cache-control': directive })).toBe('run 2');
    },
  );

  it('row 55: only-if-cached on a miss is ignored', async () => {
    await start('60s');
    const asked = { 'cache-control': 'only-if-cached' };
    expect([await pages.text('/p/1', asked), await pages.text('/p/1', asked)]).toEqual(['run 1', 'run 1']);
  });

  it('row 56: Cache-Status says nothing unless it is asked to', async () => {
    await start('60s');
    for (let time = 0; time < 2; time += 1)
      expect((await pages.ask()).headers.get('cache-status')).toBeNull();
  });

  it('row 56: Cache-Status says hits and why not, and is appended to what a handler says', async () => {
    await pages.start(pages.controller('60s', { staleIfError: '60s' }), {
      caching: { pages: { cacheStatus: 'shop' } },
    });
    pages.handle = ({ headers }, reply, run) => {
      if (headers['x-a'] !== undefined) reply.header('vary', 'x-a');
      return `run ${run}`;
    };
    const said = async (headers = {}, path = '/p/1', method = 'GET') =>
      (await pages.ask(path, headers, method)).headers.get('cache-status');
    expect(await said()).toMatch(/^shop; fwd=uri-miss/);
    expect(await said()).toBe('shop; hit; ttl=60');
    expect(await said({ range: 'bytes=0-1' })).toBe('shop; fwd=bypass');
    expect(await said({}, '/p/1', 'POST')).toBe('shop; fwd=method');
    expect(await said({ 'cache-control': 'no-store' }, '/p/2')).toBe('shop; fwd=request');
    expect(await said({ 'x-a': '1' }, '/p/3')).toBe('shop; fwd=uri-miss');
    expect(await said({ 'x-a': '2' }, '/p/3')).toBe('shop; fwd=vary-miss');
    expect(await said({ 'x-a': '1' }, '/p/3')).toBe('shop; hit; ttl=60');
    // The POST has made the page absent.
    expect(await said()).toBe('shop; fwd=uri-miss');
    pages.clock.advance(65_000);
    pages.handle = sends({}, 503);
    expect(await said()).toBe('shop; hit; ttl=-5');
  });

  it.each([
    ['s-maxage', '60s', { 'cache-control': 's-maxage=10' }, 'ttl=9'],
    ['s-maxage and an age', '60s', { 'cache-control': 's-maxage=10', age: '4' }, 'ttl=5'],
    ['max-age', undefined, { 'cache-control': 'max-age=10' }, 'ttl=9'],
    ['nothing', '60s', {}, 'ttl=59'],
  ] as const)(
    'row 56: Cache-Status says how long a page lives whose life is that of its %s',
    async (_what, ttl, headers, said) => {
      await pages.start(pages.controller(ttl), { caching: { pages: { cacheStatus: 'shop' } } });
      pages.handle = sends(headers);
      // Not on a whole second, as hardly anything is.
      pages.clock.advance(321.5);
      await pages.ask();
      pages.clock.advance(800);
      expect((await pages.ask()).headers.get('cache-status')).toBe(`shop; hit; ${said}`);
    },
  );

  it.each([
    ['for all', (run: number) => `run ${run}`],
    ['that varies', (run: number, { headers }: AnyRequest) => `${headers['x-lang']} ${run}`],
  ])(
    'row 56: Cache-Status says who waited for the run of another one, for a page %s',
    async (_what, text) => {
      await pages.start(pages.controller('60s'), { caching: { pages: { cacheStatus: 'shop' } } });
      const [begun, finish] = [newGate(), newGate()];
      pages.handle = async (request, _reply, run) => {
        begun.open();
        await finish.opened;
        return text(run, request);
      };
      const said = async () => (await pages.ask('/p/1', { 'x-lang': 'de' })).headers.get('cache-status');
      const leader = said();
      await begun.opened;
      const cache = pages.app.app.get(CacheService);
      const waiting = [said(), said()];
      await until(() => cache.statistics.coalesced === 2);
      finish.open();
      expect(await leader).toBe('shop; fwd=uri-miss');
      expect(await Promise.all(waiting)).toEqual(
        Array(2).fill('shop; fwd=uri-miss; stored; collapsed; ttl=60'),
      );
      expect([await said(), pages.runs]).toEqual(['shop; hit; ttl=60', 1]);
    },
  );

  it('row 56: Cache-Status says of a page that was renewed for the one who asked that it was stale', async () => {
    const options = { staleIfError: '1h' } as const;
    await pages.start(pages.controller('60s', options), { caching: { pages: { cacheStatus: 'shop' } } });
    const said = async () => (await pages.ask()).headers.get('cache-status');
    expect([await said(), await said()]).toEqual(['shop; fwd=uri-miss', 'shop; hit; ttl=60']);
    pages.clock.advance(61_000);
    expect(await said()).toBe('shop; fwd=stale; stored; ttl=60');
    pages.clock.advance(61_000);
    pages.handle = sends({}, 503);
    expect(await said()).toBe('shop; hit; ttl=-1');
  });

  it('row 56: what middleware says in Cache-Status stays in front', async () => {
    await pages.start(pages.controller('60s'), {
      caching: { pages: { cacheStatus: 'shop' } },
      configure: setsEarly(platform, () => [['cache-status', 'edge; fwd=miss']]),
    });
    await pages.ask();
    expect((await pages.ask()).headers.get('cache-status')).toBe('edge; fwd=miss, shop; hit; ttl=60');
  });

  it('row 57: cookies, request ids, rates, CORS and times of servers are those of the request that is answered', async () => {
    let number = 0;
    const fresh = (): [string, string][] => {
      number += 1;
      return [
        'x-request-id',
        'x-ratelimit-remaining',
        'access-control-allow-origin',
        'content-security-policy',
      ].map((name) => [name, `now ${number}`]);
    };
    await pages.start(pages.controller('60s'), { configure: setsEarly(platform, fresh) });
    pages.handle = sends({
      'server-timing': 'db;dur=5',
      'alt-svc': 'h3=":443"',
      'access-control-allow-methods': 'GET',
    });
    await pages.ask();
    const { text, headers } = await pages.ask();
    expect(text).toBe('run 1');
    for (const name of [
      'x-request-id',
      'x-ratelimit-remaining',
      'access-control-allow-origin',
      'content-security-policy',
    ])
      expect([name, headers.get(name)]).toEqual([name, 'now 2']);
    for (const name of ['server-timing', 'alt-svc', 'access-control-allow-methods', 'set-cookie'])
      expect([name, headers.get(name)]).toEqual([name, null]);
  });

  it('row 57: what middleware says this response varies by stays beside the stored Vary', async () => {
    await pages.start(pages.controller('60s'), {
      configure: setsEarly(platform, ({ origin }) => (origin === undefined ? [] : [['vary', 'Origin']])),
    });
    pages.handle = sends({ vary: 'X-A' });
    await pages.raw('/p/1');
    const { text, headers } = await pages.raw('/p/1', { origin: 'https://a.example' });
    expect([text, headers.vary?.toLowerCase()]).toEqual(['run 1', 'origin, x-a']);
  });
});
