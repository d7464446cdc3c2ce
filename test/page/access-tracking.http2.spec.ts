import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, type NestInterceptor, Req } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { trackAccess } from '../../libs/caching/src/page/access-tracking.js';
import { installHooks } from '../../libs/caching/src/page/fastify-hooks.js';
import type { AccessReport } from '../../libs/caching/src/page/read-log.js';
import type { AnyRequest } from '../support/tracked-app.js';

let close: () => Promise<void>;
afterEach(() => close());

@Controller()
class ReadingController {
  @Get('keyed') keyed(@Req() { headers, host, url, protocol, raw }: AnyRequest): unknown {
    return [host, url, protocol, headers[':authority'], headers[':path'], raw.scheme];
  }
  @Get('socket') socket(@Req() request: AnyRequest): unknown {
    return request.raw.socket.remoteAddress;
  }
  @Get('socket-of-fastify') socketOfFastify(@Req() request: AnyRequest): unknown {
    return request.socket.remoteAddress;
  }
  @Get('header') header(@Req() request: AnyRequest): unknown {
    return request.headers['x-flag'] ?? request.raw.headers.cookie ?? 'none';
  }
}

describe('access tracking over HTTP/2', () => {
  it('notes the same as over HTTP/1', async () => {
    let reported: (report: AccessReport) => void;
    @Injectable()
    class Tracking implements NestInterceptor {
      intercept: NestInterceptor['intercept'] = (context, next) => {
        const reply = context.switchToHttp().getResponse();
        const tracking = trackAccess(context.switchToHttp().getRequest<AnyRequest>(), reply);
        reply.raw.once('finish', () => reported(tracking.stop()));
        return next.handle();
      };
    }
    const providers = [{ provide: APP_INTERCEPTOR, useClass: Tracking }];
    const module = await Test.createTestingModule({ controllers: [ReadingController], providers }).compile();
    const app = module.createNestApplication(new FastifyAdapter({ http2: true } as never));
    installHooks(app.getHttpAdapter().getInstance());
    await app.listen(0, '127.0.0.1');
    const session = connect(await app.getUrl());
    close = async () => {
      session.close();
      await app.close();
    };
    for (const [path, identity, headers] of [
      ['/keyed', [], []],
      ['/socket', ['socket'], []],
      ['/socket-of-fastify', ['socket'], []],
      ['/header', ['cookies'], ['x-flag']],
    ]) {
      const report = new Promise<AccessReport>((resolve) => (reported = resolve));
      const stream = session.request({ ':path': path as string });
      const [answer] = (await once(stream, 'response')) as [Record<string, unknown>];
      stream.resume();
      const read = await report;
      expect([path, answer[':status'], read.identity, read.headers]).toEqual([path, 200, identity, headers]);
    }
  });
});
