import { describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, Req, VersioningType } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CachePage, type CachingOptions } from 'nestjs-caching';
import { type AnyRequest, usePages } from '../support/page-app.js';
import { describeService } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';

// Attacks of class C2: poisoning by what the key does not hold.
describe.each(PLATFORMS)('C2, poisoning, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));

  it('19: a host from X-Forwarded-Host is not shown to others, trusted or not', async () => {
    for (const trustsProxy of [true, false]) {
      await pages.start(pages.controller('60s'), { trustsProxy });
      pages.handle = ({ host, headers }) => `https://${headers['x-forwarded-host'] ?? host}/`;
      await pages.text('/p/1', { 'x-forwarded-host': 'evil.example' });
      expect(await pages.text()).not.toContain('evil');
    }
  });

  it('19: with a trusted proxy a Host beside X-Forwarded-Host is not shown to others', async () => {
    await pages.start(pages.controller('60s'), { trustsProxy: true });
    pages.handle = ({ headers }) => `https://${headers['host']}/`;
    await pages.raw('/p/1', { host: 'evil.example', 'x-forwarded-host': 'good.example' });
    const { text } = await pages.raw('/p/1', { host: 'good.example', 'x-forwarded-host': 'good.example' });
    expect(text).toBe('https://good.example/');
  });

  it('21 and 48: a redirect from http to https is not shown to those who are there', async () => {
    await pages.start(pages.controller('60s', { statuses: [200, 301] }), { trustsProxy: true });
    pages.handle = ({ protocol }, reply, run) => {
      if (protocol === 'https') return `run ${run}`;
      reply.status(301).header('location', 'https://shop.example/p/1');
      return undefined;
    };
    for (let round = 0; round < 2; round += 1) {
      expect((await pages.ask('/p/1', { 'x-forwarded-proto': 'http' })).status).toBe(301);
      expect((await pages.ask('/p/1', { 'x-forwarded-proto': 'https' })).status).toBe(200);
    }
    expect(pages.runs).toBe(2);
  });

  it.each([
    'x-forwarded-prefix',
    'x-original-url',
    'x-rewrite-url',
    'forwarded',
    'x-host',
    'x-forwarded-server',
    'x-forwarded-port',
    'x-http-host-override',
  ])('22: what a handler takes from %s is not shown to others', async (name) => {
    await start('60s');
    pages.handle = ({ headers }) => `see ${headers[name] ?? 'home'}`;
    expect(await pages.text('/p/1', { [name]: 'evil' })).toBe('see evil');
    const victim = await pages.ask();
    expect(victim.text).toBe('see home');
    // `Forwarded` says who asks, so that its page is not stored at all.
    expect(victim.headers.get('vary')?.toLowerCase()).toBe(name === 'forwarded' ? undefined : name);
  });

  const JSON_BODY = '{"a":"evil"}';
  it.each([
    ['24', { 'content-type': 'application/json', 'content-length': JSON_BODY.length }, JSON_BODY],
    ['25', { 'content-type': 'application/x-www-form-urlencoded', 'content-length': 6 }, 'a=evil'],
    ['25', { 'content-type': 'application/json', 'transfer-encoding': 'chunked' }, [JSON_BODY]],
  ])('%s: a GET with a body (%j) goes past the cache, both ways', async (_row, headers, body) => {
    await start('60s');
    pages.handle = ({ body: given }, _reply, run) => `${JSON.stringify(given ?? null)} ${run}`;
    await pages.raw('/p/1', headers, 'GET', body);
    const plain = (await pages.raw('/p/1')).text;
    expect(plain).not.toContain('evil');
    expect(plain.endsWith(' 2')).toBe(true);
    await pages.raw('/p/1', headers, 'GET', body);
    expect([pages.runs, (await pages.raw('/p/1')).text]).toEqual([3, plain]);
  });

  /** What `method-override` does. Express routes by it; Fastify has routed before, and handlers see what it made. */
  const overrideMethod = (app: INestApplication): void => {
    app.use((request: IncomingMessage, _response: ServerResponse, next: () => void) => {
      const override = request.headers['x-http-method-override'];
      if (typeof override === 'string') {
        Object.assign(request, { originalMethod: request.method });
        request.method = override;
      }
      next();
    });
  };

  it.each([
    [{ 'content-type': 'application/json', 'content-length': JSON_BODY.length }, JSON_BODY],
    [{ 'content-length': 0 }, undefined],
  ])('25: a POST that middleware makes a GET fills nothing (%j)', async (headers, body) => {
    await pages.start(pages.controller('60s'), { configure: overrideMethod });
    pages.handle = ({ body: given, method }, _reply, run) =>
      `${method} ${JSON.stringify(given ?? null)} ${run}`;
    await pages.raw('/p/1', { ...headers, 'x-http-method-override': 'GET' }, 'POST', body);
    expect((await pages.raw('/p/1')).text).toMatch(/^GET (null|undefined) 2$/);
  });

  it('27: a GET that middleware makes a HEAD leaves no empty page', async () => {
    await pages.start(pages.controller('60s'), { configure: overrideMethod });
    // The answer to it never ends, with or without us: its length is that of a body which does not come.
    const lone = pages.bytes(
      'GET /p/1 HTTP/1.1\r\nHost: a\r\nX-HTTP-Method-Override: HEAD\r\nConnection: close\r\n\r\n',
    );
    await lone.catch(() => undefined);
    expect((await pages.raw('/p/1', { host: 'a' })).text).toMatch(/^run \d$/);
    expect((await pages.raw('/p/1', { host: 'a' })).text).toMatch(/^run \d$/);
  });

  it.each([
    '?lang=en&utm_source=x;lang=evil',
    '?lang=en&utm_source=x%26lang=evil',
    '?lang=en&lang=evil',
    '?lang[]=evil',
    '?lang=evil&utm_source=x#&lang=en',
    '?utm_source=x&lang=evil',
    '?utm_source[lang]=evil&lang=en',
    '?%6cang=evil&lang=en',
    '?lang=en&utm_source=x&__proto__[lang]=evil',
  ])('28: a parameter is not smuggled past the key by %s', async (query) => {
    await start('60s', { query: { ignore: ['utm_*'] } });
    pages.handle = ({ query: seen }) => JSON.stringify(seen);
    const attack = await pages.raw(`/p/1${query}`);
    for (const victim of ['/p/1?lang=en', '/p/1?lang=en&utm_source=x', '/p/1', '/p/1?utm_source=x'])
      expect([victim, (await pages.raw(victim)).text]).toEqual([
        victim,
        victim.includes('lang') ? '{"lang":"en"}' : '{}',
      ]);
    expect((await pages.raw(`/p/1${query}`)).text).toBe(attack.text);
  });

  it('30: a target with # is never the page of another target', async () => {
    await start('60s');
    pages.handle = ({ originalUrl }) => originalUrl;
    const targets = ['/p/1?x=1#y', '/p/1?x=1', '/p/1#y', '/p/1', '/p/1#?x=1', '/p/1?x=1#&a=2'];
    for (let round = 0; round < 2; round += 1)
      for (const target of targets) {
        const { status, text } = await pages.raw(target);
        if (status === 200) expect([target, text]).toEqual([target, target]);
      }
  });

  it('31: an absolute target is kept under the Host that came, and apart from the plain one', async () => {
    await start('60s');
    pages.handle = ({ host, originalUrl }) => `${host} ${originalUrl}`;
    await pages.raw('http://evil.example/p/1', { host: 'good.example' });
    const { text } = await pages.raw('/p/1', { host: 'good.example' });
    expect(text).toBe('good.example /p/1');
    expect((await pages.raw('/p/1', { host: 'evil.example' })).text).toBe('evil.example /p/1');
  });

  it.each([
    ['33', 'accept', 'text/html', 'application/json'],
    ['36', 'accept-language', 'de', 'en'],
  ])(
    '%s: a handler that goes by %s keeps its answers apart, and hits say Vary',
    async (_row, name, one, other) => {
      await start('60s');
      pages.handle = ({ headers }, reply, run) => {
        if (name === 'accept-language') reply.header('vary', 'Accept-Language');
        return `${headers[name]} ${run}`;
      };
      const of = (value: string) => pages.ask('/p/1', { [name]: value });
      expect([(await of(one)).text, (await of(other)).text, (await of(one)).text]).toEqual([
        `${one} 1`,
        `${other} 2`,
        `${one} 1`,
      ]);
      expect((await of(other)).headers.get('vary')?.toLowerCase()).toBe(name);
    },
  );

  it.each([VersioningType.HEADER, VersioningType.MEDIA_TYPE, VersioningType.CUSTOM])(
    '34: clients of one version do not get the other (versioning type %d)',
    async (type) => {
      @Controller({ path: 'v', version: '1' })
      class One {
        @Get() @CachePage('60s') get(): string {
          return 'one';
        }
      }
      @Controller({ path: 'v', version: '2' })
      class Two {
        @Get() @CachePage('60s') get(): string {
          return 'two';
        }
      }
      await pages.start([One, Two], {
        configure: (app) =>
          app.enableVersioning(
            type === VersioningType.HEADER
              ? { type, header: 'x-api-version' }
              : type === VersioningType.MEDIA_TYPE
                ? { type, key: 'v=' }
                : {
                    type: VersioningType.CUSTOM,
                    extractor: (request) => String((request as AnyRequest).headers['x-api-version']),
                  },
          ),
      });
      const of = (version: string) =>
        pages.text('/v', { 'x-api-version': version, accept: `application/json;v=${version}` });
      for (let round = 0; round < 2; round += 1)
        expect([await of('1'), await of('2')]).toEqual(['one', 'two']);
    },
  );

  it('37: each origin gets its own Access-Control-Allow-Origin', async () => {
    await pages.start(pages.controller('60s'), {
      configure: (app) =>
        app.enableCors({ origin: ['https://a.example', 'https://b.example'], credentials: true }),
    });
    for (const origin of ['https://a.example', 'https://b.example', 'https://a.example']) {
      const { text, headers } = await pages.ask('/p/1', { origin });
      expect([text, headers.get('access-control-allow-origin')]).toEqual(['run 1', origin]);
    }
  });

  it('39: what varyOn answers is told apart by type and value, and refused where it cannot be', async () => {
    let part: unknown;
    await start('60s', { varyOn: () => part as string });
    const parts = [
      1,
      '1',
      true,
      'true',
      [1],
      ['1'],
      [[1]],
      [],
      null,
      undefined,
      'null',
      'undefined',
      -0,
      0,
      NaN,
      'NaN',
      1n,
      '',
      [1, 2],
      ['1,2'],
    ];
    const texts = [];
    for (part of parts) texts.push(await pages.text());
    expect(new Set(texts).size).toBe(parts.length);
    for (part of [new Uint8Array([1]), Symbol('a'), new Date(0), new Map(), {}, () => 1])
      expect((await pages.ask()).status).toBe(500);
    expect(pages.runs).toBe(parts.length);
  });

  /** Attack 40, on a store that two applications share under prefixes of their own. */
  async function expectNoPageInCommon(optionsOf: (application: number) => CachingOptions): Promise<void> {
    const make = (path: string, host: string | undefined, answer: string) => {
      @Controller({ path, ...(host !== undefined && { host }) })
      class SameController {
        @Get('page') @CachePage('60s') page(@Req() _request: AnyRequest): string {
          return answer;
        }
      }
      return SameController;
    };
    // Fastify has one route for a path, whatever its host.
    const hosts = platform === 'express' ? ['one.example', 'two.example'] : ['one.example'];
    const routes = [
      make('a', undefined, 'a'),
      make('b', undefined, 'b'),
      ...hosts.map((host) => make('c', host, host)),
    ];
    await pages.start(routes, { caching: optionsOf(1) });
    const ask = async (path: string, host = 'shop.example') => (await pages.raw(path, { host })).text;
    for (let round = 0; round < 2; round += 1) {
      expect([await ask('/a/page'), await ask('/b/page')]).toEqual(['a', 'b']);
      for (const host of hosts) expect(await ask('/c/page', host)).toBe(host);
    }
    await pages.start([make('a', undefined, 'other')], { caching: optionsOf(2) });
    expect(await ask('/a/page')).toBe('other');
  }

  it('40: routes of one name under two prefixes and hosts, and two applications, share files and no page', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'attacks-'));
    try {
      await expectNoPageInCommon((application) => ({
        backend: 'file',
        directory,
        keyPrefix: `c2-${application}`,
      }));
    } finally {
      await pages.close();
      await rm(directory, { recursive: true });
    }
  });
  describeService('redis', (redis) => {
    it('40: routes of one name under two prefixes and hosts, and two applications, share a Redis and no page', () =>
      expectNoPageInCommon((application) => ({
        url: redis().url,
        keyPrefix: `c2-${platform}-${application}`,
      })));
  });
});
