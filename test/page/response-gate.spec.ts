import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  type CallHandler,
  ConflictException,
  Controller,
  type ExecutionContext,
  HttpCode,
  type NestInterceptor,
  Post,
  Redirect,
  Res,
  StreamableFile,
} from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import compression from 'compression';
import fastifyCompress from '@fastify/compress';
import session from 'express-session';
import type { ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text as body } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { holdResponse } from '../../libs/caching/src/page/response-gate.js';
import { gate, type Gate } from '../support/gate.js';
import { type Platform, PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

type RawReply = ServerResponse & { raw?: ServerResponse; hijack?: () => void };
type AnyReply = RawReply & { send(body: unknown): unknown; status(code: number): AnyReply };
const rawOf = (reply: RawReply): ServerResponse => reply.raw ?? reply;

@Controller()
class GateController {
  @Post('json') json(@Body() body: object): object {
    return { got: body };
  }
  @Post('empty') @HttpCode(204) empty(): void {
    // Nothing to say.
  }
  @Post('moved') @Redirect('/elsewhere', 303) moved(): void {
    // The decorator says it all.
  }
  @Post('refused') refused(): never {
    throw new ConflictException();
  }
  @Post('direct') direct(@Res() reply: AnyReply): void {
    reply.status(202).send('direct');
  }
  @Post('then-throws') thenThrows(@Res() reply: AnyReply): never {
    reply.send('sent before');
    throw new ConflictException();
  }
  @Post('file') file(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.from('one,'), Buffer.alloc(300_000, 'x')]));
  }
  @Post('raw') async raw(@Res() reply: RawReply): Promise<void> {
    reply.hijack?.();
    const raw = rawOf(reply);
    raw.writeHead(200, { 'content-type': 'text/plain' });
    raw.write('a');
    raw.write('b');
    setImmediate(() => raw.end('c'));
    await once(raw, 'finish');
  }
  @Post('flushed') flushed(@Res() reply: RawReply): void {
    reply.hijack?.();
    const raw = rawOf(reply);
    raw.flushHeaders();
    raw.end('flushed');
  }
  @Post('piped') async piped(@Res() reply: RawReply): Promise<void> {
    reply.hijack?.();
    await pipeline(Readable.from(Array.from({ length: 50 }, () => Buffer.alloc(20_000, 'p'))), rawOf(reply));
  }
}

/** What the gate asked, and what lets it go on. */
let statuses: number[] = [];
let openings: Gate[] = [];
let isHeld = true;
let asked = gate();

class Holder implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    holdResponse(rawOf(context.switchToHttp().getResponse<RawReply>()), (status) => {
      statuses.push(status);
      if (status >= 400) return undefined;
      const opening = gate();
      if (!isHeld) opening.open();
      openings.push(opening);
      asked.open();
      return opening.opened;
    });
    return next.handle();
  }
}

async function start(platform: Platform): Promise<TestApp> {
  return startApp(platform, { controllers: [GateController] }, async (app) => {
    app.useGlobalInterceptors(new Holder());
    if (platform === 'express') {
      app.use(
        compression({ threshold: 0 }),
        session({ secret: 's', resave: false, saveUninitialized: true }),
      );
    } else {
      await (app.getHttpAdapter().getInstance() as { register: (plugin: unknown) => Promise<void> }).register(
        fastifyCompress,
      );
    }
  });
}

describe('a held response over HTTP/2', () => {
  it('arrives whole, and its status not before the gate opens', async () => {
    [statuses, openings, isHeld, asked] = [[], [], true, gate()];
    const module = await Test.createTestingModule({ controllers: [GateController] }).compile();
    const app = module.createNestApplication(new FastifyAdapter({ http2: true } as never));
    app.useGlobalInterceptors(new Holder());
    await app.listen(0, '127.0.0.1');
    const session = connectHttp2(await app.getUrl());
    const ask = (path: string) => {
      const stream = session.request({ ':path': path, ':method': 'POST' }, { endStream: true });
      return {
        stream,
        head: once(stream, 'response') as Promise<[Record<string, unknown>]>,
        body: body(stream),
      };
    };
    for (const [path, status, expected] of [
      ['/empty', 204, ''],
      ['/direct', 202, 'direct'],
      ['/file', 201, `one,${'x'.repeat(300_000)}`],
      ['/raw', 200, 'abc'],
      ['/refused', 409, expect.stringContaining('Conflict')],
    ] as const) {
      [statuses, isHeld, asked] = [[], true, gate()];
      const { head, body: whole } = ask(path);
      let hasArrived = false;
      void head.then(() => (hasArrived = true));
      if (path !== '/refused') {
        await asked.opened;
        await ask('/nowhere').body;
        expect([path, hasArrived]).toEqual([path, false]);
      }
      isHeld = false;
      for (const { open } of openings.splice(0)) open();
      const [{ ':status': arrived }] = await head;
      expect([path, arrived, await whole]).toEqual([path, status, expected]);
      expect(new Set(statuses)).toEqual(new Set([status]));
    }
    session.close();
    await app.close();
  });
});

describe.each(PLATFORMS)('a held response on %s', (platform) => {
  let app: TestApp;

  beforeEach(async () => {
    [statuses, openings, isHeld, asked] = [[], [], true, gate()];
    app = await start(platform);
  });
  afterEach(() => app.close());

  const post = (path: string) =>
    app.fetch(path, {
      method: 'POST',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json' },
    });

  it.each([
    ['json', 201, '{"got":{"a":1}}', 1],
    ['empty', 204, '', 1],
    ['moved', 303, '', 1],
    ['direct', 202, 'direct', 1],
    ['then-throws', 201, 'sent before', 1],
    ['file', 201, `one,${'x'.repeat(300_000)}`, 2],
    ['raw', 200, 'abc', 2],
    ['flushed', 201, 'flushed', 2],
    ['piped', 201, 'p'.repeat(1_000_000), 2],
  ])('%s arrives whole, and not before the gate opens', async (path, status, text, times) => {
    let hasArrived = false;
    const answer = post(`/${path}`).then((arrived) => {
      hasArrived = true;
      return arrived;
    });
    await asked.opened;
    // A round trip of another request: time enough for what would leave too early.
    await app.fetch('/nowhere');
    expect(hasArrived).toBe(false);
    isHeld = false;
    for (const { open } of openings) open();
    const arrived = await answer;
    expect(arrived.status).toBe(status);
    if (path !== 'moved') expect(arrived.text).toBe(text);
    expect(new Set(statuses)).toEqual(new Set([arrived.status]));
    expect(statuses.length).toBeLessThanOrEqual(times);
  });

  it('sends at once where there is nothing to wait for', async () => {
    expect((await post('/refused')).status).toBe(409);
    expect(statuses).toEqual([409]);
  });

  it('shows no byte of a streamed body before the gate opens', async () => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    let seen = '';
    socket.on('data', (bytes: Buffer) => (seen += bytes.toString('latin1')));
    socket.write('POST /raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    await asked.opened;
    await app.fetch('/nowhere');
    expect(seen).toBe('');
    isHeld = false;
    for (const { open } of openings) open();
    await once(socket, 'close');
    expect(seen).toMatch(/^HTTP\/1\.1 200 OK[^]*a[^]*b[^]*c/);
  });

  it('survives a client that leaves meanwhile', async () => {
    for (const path of ['/json', '/raw', '/file']) {
      asked = gate();
      const leaving = new AbortController();
      const answer = fetch(app.url + path, { method: 'POST', signal: leaving.signal });
      const failed = expect(answer).rejects.toThrow();
      await asked.opened;
      leaving.abort();
      await failed;
      await app.fetch('/nowhere');
      for (const { open } of openings.splice(0)) open();
    }
    isHeld = false;
    expect((await post('/json')).status).toBe(201);
  });
});
