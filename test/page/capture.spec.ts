import { describe, expect, it } from '@jest/globals';
import fastifyCompress from '@fastify/compress';
import type { INestApplication } from '@nestjs/common';
import compression from 'compression';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { BodyCollector } from '../../libs/caching/src/page/capture.js';
import { gate } from '../support/gate.js';
import { usePages } from '../support/page-app.js';
import { until } from '../support/scenarios.js';
import { PLATFORMS } from '../support/test-app.js';

describe('what is collected of a body (http.md A1 23, A3 42)', () => {
  it('is whole up to the limit, and nothing beyond it', () => {
    const exact = new BodyCollector(4);
    for (const chunk of ['ab', 'cd']) exact.add(chunk);
    expect(exact.whole()?.toString()).toBe('abcd');
    exact.add('e');
    expect(exact.whole()).toBeUndefined();
    exact.add('');
    expect(exact.whole()).toBeUndefined();
    expect(new BodyCollector(4).whole()).toEqual(Buffer.alloc(0));
  });

  it('counts bytes, not characters', () => {
    const collector = new BodyCollector(3);
    collector.add('éé');
    expect(collector.whole()).toBeUndefined();
  });

  it('is the bytes of a text in its encoding', () => {
    const collector = new BodyCollector(100);
    collector.add('é', 'latin1');
    collector.add('ff', 'hex');
    collector.add('é');
    collector.add('é', () => undefined);
    expect([...(collector.whole() ?? [])]).toEqual([0xe9, 0xff, 0xc3, 0xa9, 0xc3, 0xa9]);
  });

  it('does not change with the chunk that was given', () => {
    const collector = new BodyCollector(100);
    const chunk = Buffer.from('ab');
    collector.add(chunk);
    chunk.fill('x');
    collector.add(new Uint8Array([1]));
    for (const nothing of [undefined, null, () => undefined]) collector.add(nothing);
    expect(collector.whole()?.toString()).toBe('ab\u0001');
  });

  it('is nothing once it was given up', () => {
    const collector = new BodyCollector(100);
    collector.add('ab');
    collector.giveUp();
    collector.add('cd');
    expect(collector.whole()).toBeUndefined();
  });
});

describe.each(PLATFORMS)('when it is known what has become of a response, on %s', (platform) => {
  const pages = usePages(platform);

  const compresses = async (app: INestApplication): Promise<void> => {
    if (platform === 'express') app.use(compression());
    else await app.getHttpAdapter().getInstance().register(fastifyCompress);
  };

  it.each([
    ['as it is', ''],
    ['compressed', 'Accept-Encoding: gzip\r\n'],
  ])('a client that does not read its page, %s, holds nobody', async (_how, header) => {
    await pages.start(pages.controller('1m'), { configure: compresses });
    const body = randomBytes(6_000_000).toString('base64');
    pages.handle = () => body;
    const { hostname, port, host } = new URL(pages.app.url);
    const idle = connect(Number(port), hostname).pause();
    idle.write(`GET /p/1 HTTP/1.1\r\nHost: ${host}\r\n${header}\r\n`);
    await until(() => pages.runs === 1);
    expect((await pages.text()) === body).toBe(true);
    expect((await pages.text()) === body).toBe(true);
    expect(pages.runs).toBe(1);
    idle.destroy();
  });

  // On Fastify the head has always left when `end` is called.
  if (platform === 'express')
    it('what is added while something holds the end back, as sessions do, is seen', async () => {
      const saved = gate();
      await pages.start(pages.controller('1m'), {
        configure: (app) => {
          app.use((_request: unknown, response: ServerResponse, next: () => void) => {
            const { end } = response;
            response.end = function (this: ServerResponse, ...given: unknown[]) {
              void saved.opened.then(() => {
                this.setHeader('set-cookie', 'sid=1');
                Reflect.apply(end, this, given);
              });
              return this;
            } as typeof end;
            next();
          });
        },
      });
      const first = pages.ask();
      await until(() => pages.runs === 1);
      await new Promise(setImmediate);
      saved.open();
      expect((await first).headers.get('set-cookie')).toBe('sid=1');
      expect([await pages.text(), pages.runs]).toEqual(['run 2', 2]);
    });
});
