import { describe, expect, it } from '@jest/globals';
import { All, Controller, Get, Header, Req, Res, StreamableFile } from '@nestjs/common';
import { Readable } from 'node:stream';
import { CachePage, Condition, type ConditionOptions } from 'nestjs-caching';
import { type AnyReply, type AnyRequest, sends, usePages } from '../support/page-app.js';
import { PLATFORMS } from '../support/test-app.js';

const DATE = 'Mon, 23 Nov 2020 10:00:00 GMT';
const OLDER = 'Mon, 23 Nov 2020 09:59:59 GMT';
const NEWER = 'Mon, 23 Nov 2020 10:00:01 GMT';
const ETAG = '"v1"';

/**
 * Django's conditional requests (django.md B20) by their numbers, as far as pages answer them: Django's conditional
 * middleware is @CachePage here. What @Condition answers is in condition.spec.ts, line by line as well.
 *
 * Other than in Django: Express gives every response a weak tag of its own, also where pages do not (269); a 304 drops what
 * describes the body and keeps the rest, CORS and what else middleware has set included (272); a page with a tag that its handler compares (If-Match, If-Unmodified-Since) is
 * for the handler (273, RFC 9111 §4.3.2).
 */
describe.each(PLATFORMS)('B20, conditional requests for pages, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));
  const page = sends({ etag: ETAG, 'last-modified': DATE });
  /** The status on a miss and on a hit; not by `fetch`, which adds a `no-cache` that keeps Express from its own check. */
  const statuses = async (headers: Record<string, string>, method = 'GET'): Promise<[number, number]> => {
    const path = `/p/${(asked += 1)}`;
    const { host } = new URL(pages.app.url);
    const cold = await pages.raw(path, { host, ...headers }, method);
    await pages.raw(path, { host });
    const warm = await pages.raw(path, { host, ...headers }, method);
    return [cold.status, warm.status];
  };
  let asked = 0;
  const same = (status: number): [number, number] => [status, status];

  it('253: no conditions are a 200 with ETag and Last-Modified', async () => {
    await start('60s');
    pages.handle = page;
    for (let time = 0; time < 2; time += 1) {
      const { status, headers } = await pages.ask();
      expect([status, headers.get('etag'), headers.get('last-modified')]).toEqual([200, ETAG, DATE]);
    }
  });

  it('254: If-Modified-Since equal or newer is a 304 with an empty body; older is a 200, and so is PUT', async () => {
    await start('60s');
    pages.handle = page;
    for (const date of [DATE, NEWER]) {
      expect(await statuses({ 'if-modified-since': date })).toEqual(same(304));
      expect((await pages.ask(`/p/${asked}`, { 'if-modified-since': date })).text).toBe('');
    }
    expect(await statuses({ 'if-modified-since': OLDER })).toEqual(same(200));
    expect(await statuses({ 'if-modified-since': DATE }, 'PUT')).toEqual(same(200));
  });

  it.each([DATE, NEWER, OLDER, 'invalid'])('256: If-Unmodified-Since %s is for the handler', async (date) => {
    await start('60s');
    pages.handle = page;
    await pages.ask();
    expect((await pages.ask('/p/1', { 'if-unmodified-since': date })).text).toBe('run 2');
  });

  it('257: If-None-Match equal, or a list with it, is a 304; another tag is a 200, and PUT is for the handler', async () => {
    await start('60s');
    pages.handle = page;
    for (const list of [ETAG, `"x", ${ETAG}`]) {
      expect(await statuses({ 'if-none-match': list })).toEqual(same(304));
      expect(await statuses({ 'if-none-match': list }, 'PUT')).toEqual(same(200));
    }
    expect(await statuses({ 'if-none-match': '"x"' })).toEqual(same(200));
  });

  it.each([
    [ETAG, `W/${ETAG}`],
    [`W/${ETAG}`, ETAG],
    [`W/${ETAG}`, `W/${ETAG}`],
  ])('258: a page with %s matches If-None-Match %s', async (etag, list) => {
    await start('60s');
    pages.handle = sends({ etag });
    expect(await statuses({ 'if-none-match': list })).toEqual(same(304));
  });

  it.each([ETAG, '"x"', `W/${ETAG}`, '*'])(
    '260 and 261: If-Match %s is for the handler, and no page is touched',
    async (list) => {
      await start('60s');
      pages.handle = page;
      await pages.ask();
      expect((await pages.ask('/p/1', { 'if-match': list })).text).toBe('run 2');
      expect(await pages.text()).toBe('run 1');
    },
  );

  it('262: If-None-Match makes If-Modified-Since irrelevant', async () => {
    await start('60s');
    pages.handle = page;
    const seen: [number, number][] = [];
    for (const tag of [ETAG, '"x"'])
      for (const date of [DATE, OLDER])
        seen.push(await statuses({ 'if-none-match': tag, 'if-modified-since': date }));
    expect(seen).toEqual([304, 304, 200, 200].map(same));
  });

  it('264: with a tag alone If-Modified-Since is ignored; each page has a tag, which its own bytes make', async () => {
    await start('60s');
    pages.handle = sends({ etag: ETAG });
    expect(await statuses({ 'if-modified-since': DATE })).toEqual(same(200));
    pages.handle = sends({ 'last-modified': DATE });
    expect(await statuses({ 'if-none-match': ETAG })).toEqual(same(200));
    expect(await statuses({ 'if-modified-since': DATE })).toEqual(same(304));
  });

  it('266: HEAD behaves as GET', async () => {
    await start('60s');
    pages.handle = page;
    await pages.ask();
    for (const [headers, status] of [
      [{ 'if-none-match': ETAG }, 304],
      [{ 'if-none-match': '"x"' }, 200],
      [{ 'if-modified-since': DATE }, 304],
      [{ 'if-modified-since': OLDER }, 200],
    ] as const)
      expect([headers, (await pages.ask('/p/1', headers, 'HEAD')).status]).toEqual([headers, status]);
    expect(pages.runs).toBe(1);
  });

  it('268: an invalid tag in the request is a 200', async () => {
    await start('60s');
    pages.handle = page;
    expect(await statuses({ 'if-none-match': '"""' })).toEqual(same(200));
  });

  describe('269', () => {
    /** The tag that our rule would give, and no platform. */
    const tagOf = async (): Promise<string | null> => {
      const { headers } = await pages.ask();
      return headers.get('etag');
    };

    it('adds a tag, the same on a miss and on a hit', async () => {
      await start('60s');
      pages.handle = () => 'body';
      const first = await tagOf();
      expect(first).toMatch(/^W\/"4-/);
      expect(await tagOf()).toBe(first);
    });

    it('keeps a tag that is there', async () => {
      await start('60s');
      pages.handle = sends({ etag: '"early"' });
      expect([await tagOf(), await tagOf()]).toEqual(['"early"', '"early"']);
    });

    it('adds none to a stream on its way', async () => {
      await start('60s');
      pages.handle = () => new StreamableFile(Readable.from([Buffer.from('a'), Buffer.from('b')]));
      expect(await tagOf()).toBeNull();
    });

    it('adds none to an empty body, and does not store it', async () => {
      await start('60s');
      pages.handle = () => undefined;
      expect(await pages.isStored()).toBe(false);
      const asked = await pages.ask('/p/1', { 'if-none-match': '*' });
      expect(asked.headers.get('age')).toBeNull();
    });

    it.each(['no-store', 'No-Store', 'No-store', 'max-age=60, NO-STORE'])(
      'adds none to %s, and stores nothing',
      async (cacheControl) => {
        await start('60s');
        pages.handle = sends({ 'cache-control': cacheControl });
        if (platform === 'fastify') expect(await tagOf()).toBeNull();
        expect(await pages.isStored()).toBe(false);
      },
    );

    it.each(['x="no-store"', 'x-no-store', 'no-stores', 'x=no-store, max-age=60'])(
      'is not kept from it by an extension that holds the text: %s',
      async (cacheControl) => {
        await start('60s');
        pages.handle = sends({ 'cache-control': cacheControl });
        expect(await tagOf()).toMatch(/^W\/"5-/);
        expect(await pages.isStored()).toBe(true);
      },
    );
  });

  it.each([301, 400])('270: a %d is never turned into a 304, on a miss and on a hit', async (status) => {
    await start('60s', { statuses: [status] });
    pages.handle = sends({ etag: ETAG, 'last-modified': DATE }, status);
    for (const headers of [
      { 'if-none-match': ETAG },
      { 'if-none-match': '*' },
      { 'if-modified-since': DATE },
    ])
      expect(await statuses(headers)).toEqual(same(status));
  });

  it('272: a 304 of a page carries the headers of HD-14, and nothing else of the representation', async () => {
    @Controller()
    class DescribedController {
      @Get('described')
      @CachePage('60s')
      @Header('Content-Language', 'en')
      @Header('Content-Location', '/elsewhere')
      @Header('Cache-Control', 'max-age=60')
      @Header('Expires', 'Mon, 23 Nov 2099 10:00:00 GMT')
      @Header('Vary', 'X-A')
      described(@Res({ passthrough: true }) reply: AnyReply): string {
        reply.header('etag', ETAG).header('last-modified', DATE).header('content-language', 'de');
        reply.header('content-disposition', 'inline');
        return `run ${(pages.runs += 1)}`;
      }
    }
    await pages.start(DescribedController);
    for (let time = 0; time < 2; time += 1) {
      const { status, headers, text } = await pages.ask('/described', { 'if-none-match': ETAG });
      expect([status, text]).toEqual([304, '']);
      expect(headers.get('date')).not.toBeNull();
      expect(Object.fromEntries(headers)).toMatchObject({
        'cache-control': 'max-age=60',
        'content-location': '/elsewhere',
        etag: ETAG,
        expires: 'Mon, 23 Nov 2099 10:00:00 GMT',
        'last-modified': DATE,
        vary: 'X-A',
      });
      for (const name of [
        'content-language',
        'content-type',
        'content-length',
        'content-disposition',
        'x-kept',
      ])
        expect([time, name, headers.get(name)]).toEqual([time, name, null]);
    }
    expect(pages.runs).toBe(1);
  });

  it('273: a PUT with If-Match is a 200, never a 412', async () => {
    await start('60s');
    pages.handle = page;
    for (const list of [ETAG, '"x"', `W/${ETAG}`, '*'])
      expect(await statuses({ 'if-match': list }, 'PUT')).toEqual(same(200));
  });
});

describe.each(PLATFORMS)('B20, @Condition by the request method, on %s', (platform) => {
  const pages = usePages(platform);

  /** The status of `GET` and `PUT` with these headers, where the current representation is this one. */
  async function both(
    current: ConditionOptions<never>,
    headers: Record<string, string>,
  ): Promise<[number, number]> {
    @Controller()
    class ConditionController {
      @All('item') @Condition(current) item(@Req() { method }: AnyRequest): string {
        return method;
      }
    }
    await pages.start(ConditionController);
    const [get, put] = [await pages.ask('/item', headers), await pages.ask('/item', headers, 'PUT')];
    return [get.status, put.status];
  }
  const tagged = (etag: string) => ({ etag: () => etag });

  it.each([
    [ETAG, `W/${ETAG}`],
    [`W/${ETAG}`, ETAG],
  ])('258: current %s and If-None-Match %s are 304 and 412', async (etag, list) => {
    expect(await both(tagged(etag), { 'if-none-match': list })).toEqual([304, 412]);
  });

  it.each([
    [`W/${ETAG}`, ETAG],
    [ETAG, `W/${ETAG}`],
    [`W/${ETAG}`, `W/${ETAG}`],
  ])('260: current %s and If-Match %s are 412', async (etag, list) => {
    expect(await both(tagged(etag), { 'if-match': list })).toEqual([412, 412]);
  });

  it('254 and 262: If-Modified-Since says nothing of a PUT, nor of a GET beside another If-None-Match', async () => {
    const current = { etag: () => ETAG, lastModified: () => new Date(DATE) };
    expect(await both(current, { 'if-modified-since': DATE })).toEqual([304, 200]);
    expect(await both(current, { 'if-modified-since': DATE, 'if-none-match': '"x"' })).toEqual([200, 200]);
    expect(await both(current, { 'if-modified-since': OLDER, 'if-none-match': ETAG })).toEqual([304, 412]);
  });

  it('265: If-Unmodified-Since on what has only a tag is 412', async () => {
    expect(await both(tagged(ETAG), { 'if-unmodified-since': DATE })).toEqual([412, 412]);
  });
});
