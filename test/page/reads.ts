import {
  type CallHandler,
  type CanActivate,
  Controller,
  Cookies,
  createParamDecorator,
  type ExecutionContext,
  Get,
  Headers,
  HostParam,
  type INestApplication,
  Injectable,
  Ip,
  type NestInterceptor,
  type PipeTransform,
  Redirect,
  Render,
  Req,
  Res,
  Session,
  StreamableFile,
  UseInterceptors,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import fastifyView from '@fastify/view';
import handlebars from 'handlebars';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { map, type Observable, of } from 'rxjs';
import type { Platform } from '../support/test-app.js';
import { type AnyRequest, startTrackedApp, type TrackedApp } from '../support/tracked-app.js';

const VIEWS = fileURLToPath(new URL('../support/views', import.meta.url));

type Request = AnyRequest;

const rawOf = (request: Request): Request => request.raw ?? request;
const FromRequest = createParamDecorator((name: string, context: ExecutionContext): unknown =>
  Reflect.get(context.switchToHttp().getRequest<Request>().headers, name),
);

class Lower implements PipeTransform {
  transform(value: unknown): unknown {
    return typeof value === 'object' ? Reflect.get(value as object, 'x-piped') : value;
  }
}

@Injectable()
class Inner implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<Request>();
    return next.handle().pipe(map((value: unknown) => [value, request.headers['x-inner'] ?? 'none']));
  }
}

/** Holds a stream back until its test opens the gate. */
let gate: Promise<void>;
let openGate: () => void;
export function shutGate(): () => void {
  gate = new Promise((resolve) => (openGate = resolve));
  return openGate;
}

@Controller()
class ReadingController {
  @Get('nothing') nothing(): object {
    return { a: 1 };
  }
  @Get('keyed') keyed(@Req() request: Request, @HostParam() hosts: object): unknown {
    const { url, method, protocol, hostname, query, params, body, host } = request;
    return { url, method, protocol, hostname, query, params, body, host, hosts, again: request.headers.host };
  }
  @Get('bookkeeping') bookkeeping(@Req() request: Request): unknown {
    rawOf(request).socket.once('close', () => undefined);
    request.log?.info?.('read');
    return `${request.id} ${request.headers.range} ${request.headers['if-none-match']}`;
  }
  @Get('user') user(@Req() request: Request): unknown {
    return request.user ?? 'nobody';
  }
  @Get('session') session(@Session() session: unknown): unknown {
    return session ?? 'none';
  }
  @Get('ip') ip(@Ip() ip: string): string {
    return ip;
  }
  @Get('ips') ips(@Req() request: Request): unknown {
    return request.ips ?? [];
  }
  @Get('forwarded') forwarded(@Headers('x-forwarded-for') address?: string): unknown {
    return address ?? 'none';
  }
  @Get('socket') socket(@Req() request: Request): unknown {
    return request.socket.remoteAddress;
  }
  @Get('connection') connection(@Req() request: Request): unknown {
    return rawOf(request).connection.remotePort;
  }
  @Get('cookie') cookie(@Cookies('theme') theme?: string): unknown {
    return theme ?? 'none';
  }
  @Get('cookie-header') cookieHeader(@Req() request: Request): unknown {
    return { cookie: request.headers.cookie ?? null };
  }
  @Get('authorization') authorization(@Headers('Authorization') token?: string): unknown {
    return token ?? 'none';
  }
  @Get('header') header(@Headers('X-Flag') flag?: string): unknown {
    return flag ?? 'none';
  }
  @Get('header-in') headerIn(@Req() request: Request): unknown {
    return 'x-flag' in request.headers && Object.hasOwn(rawOf(request).headers, 'x-other');
  }
  @Get('header-of-raw') headerOfRaw(@Req() request: Request): unknown {
    return rawOf(request).headers['x-flag'] ?? 'none';
  }
  @Get('header-by-decorator') headerByDecorator(@FromRequest('x-flag') flag?: string): unknown {
    return flag ?? 'none';
  }
  @Get('header-by-pipe') headerByPipe(@FromRequest('x-flag', Lower) flag?: string): unknown {
    return flag ?? 'none';
  }
  @Get('header-by-interceptor') @UseInterceptors(Inner) headerByInterceptor(): unknown {
    return 'a';
  }
  @Get('header-distinct') headerDistinct(@Req() request: Request): unknown {
    return rawOf(request).headersDistinct?.['x-flag'] ?? 'none';
  }
  @Get('headers-listed') headersListed(@Req() request: Request): unknown {
    return Object.keys(request.headers).length;
  }
  @Get('headers-raw') headersRaw(@Req() request: Request): unknown {
    return rawOf(request).rawHeaders;
  }
  @Get('headers-returned') headersReturned(@Headers() headers: object): unknown {
    return { deep: { headers } };
  }
  @Get('host') host(@Req() request: Request): unknown {
    return request.headers['x-forwarded-host'] ?? 'none';
  }
  @Get('guarded') guarded(@Req() request: Request): unknown {
    return request.tenant;
  }
  @Get('decorated') decorated(@Req() request: Request): unknown {
    return request.plan ?? rawOf(request).plan;
  }
  @Get('written') written(@Req() request: Request): unknown {
    request.tenant = 'new';
    request.fresher = 'made here';
    delete request.gone;
    return request.fresher;
  }
  @Get('private-field') privateField(@Req() request: Request): unknown {
    return request.account.name();
  }
  @Get('derived') derived(@Req() request: Request): unknown {
    const derived = Object.create(request) as Request;
    return [derived.user, derived.headers['x-flag']];
  }
  @Get('set-inside') setInside(@Req() request: Request): unknown {
    request.user = { name: 'ann' };
    return request.user.name;
  }
  @Get('locked') locked(@Req() request: Request): unknown {
    return request.url;
  }
  @Get('view') @Render('page.hbs') view(): object {
    return { run: 1 };
  }
  @Get('observable') observable(): unknown {
    return of('a');
  }
  @Get('direct') direct(@Res() response: { send(body: string): unknown }, @Req() request: Request): void {
    response.send(String(request.user));
  }
  @Get('redirected') @Redirect('/nothing', 302) redirected(@Headers('x-flag') _flag?: string): void {}
  @Get('late') late(@Req() request: Request): StreamableFile {
    const body = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
      await gate;
      yield Buffer.from(`${request.user} ${request.headers['x-late']}`);
    };
    return new StreamableFile(Readable.from(body()));
  }
  @Get('first-chunk') firstChunk(@Req() request: Request): StreamableFile {
    const body = async function* (): AsyncGenerator<Buffer> {
      await Promise.resolve();
      yield Buffer.from(String(request.session));
    };
    return new StreamableFile(Readable.from(body()));
  }
}

class Account {
  readonly #name = 'ann';
  name(): string {
    return this.#name;
  }
}

/** Adds to the request what guards add. */
@Injectable()
class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    request.tenant = { id: request.headers['x-tenant'] ?? 'none' };
    request.gone = 1;
    request.account = new Account();
    if (request.url === '/locked') Object.defineProperty(request, 'badge', { value: 7 });
    return true;
  }
}

/** Locals and what middleware or plugins add, as each platform has it. */
async function configure(app: INestApplication, platform: Platform): Promise<void> {
  if (platform === 'express') {
    app.use((request: Request, response: Request, next: () => void) => {
      request.plan = 'free';
      response.locals.csrfToken = 'token';
      next();
    });
    const express = app.getHttpAdapter().getInstance();
    express.engine('hbs', createRequire(import.meta.url)('hbs').__express);
    express.set('views', VIEWS);
    return;
  }
  const fastify = app.getHttpAdapter().getInstance();
  await fastify.register(fastifyView, { engine: { handlebars }, root: VIEWS });
  fastify.decorateRequest('plan', { getter: () => 'free' });
  fastify.addHook('onRequest', (_request: Request, reply: Request, done: () => void) => {
    reply.locals = { csrfToken: 'token' };
    done();
  });
}

export const open = (platform: Platform, cookies: readonly string[] = []): Promise<TrackedApp> =>
  startTrackedApp(
    platform,
    { controllers: [ReadingController], providers: [{ provide: APP_GUARD, useClass: TenantGuard }] },
    (app) => configure(app, platform),
    { cookies },
  );

/** Route, what it reads of identity, and which headers. */
export const READS: readonly [path: string, identity: string[], headers: string[]][] = [
  ['/nothing', [], []],
  ['/keyed?a=1', [], []],
  ['/bookkeeping', [], []],
  ['/observable', [], []],
  ['/user', ['user'], []],
  ['/session', ['session'], []],
  ['/direct', ['user'], []],
  ['/ip', ['ip'], []],
  ['/forwarded', ['ip'], []],
  ['/socket', ['socket'], []],
  ['/connection', ['socket'], []],
  ['/cookie', ['cookies'], []],
  ['/cookie-header', ['cookies'], []],
  ['/authorization', ['authorization'], []],
  ['/header', [], ['x-flag']],
  ['/header-in', [], ['x-flag', 'x-other']],
  ['/header-of-raw', [], ['x-flag']],
  ['/header-by-decorator', [], ['x-flag']],
  ['/header-by-pipe', [], ['x-flag']],
  ['/header-by-interceptor', [], ['x-inner']],
  ['/header-distinct', [], ['x-flag']],
  ['/host', [], ['x-forwarded-host']],
  ['/headers-raw', ['headers'], []],
  ['/guarded', ['tenant'], []],
  ['/decorated', ['plan'], []],
  ['/written', [], []],
  ['/private-field', ['account'], []],
  ['/derived', ['user'], ['x-flag']],
  ['/set-inside', ['user'], []],
  // What cannot be watched may have been read.
  ['/locked', ['badge'], []],
  ['/view', ['locals.csrfToken'], []],
  ['/first-chunk', ['session'], []],
];
