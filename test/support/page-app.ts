import { All, Controller, type INestApplication, type Provider, Req, Res, type Type } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { afterEach, beforeEach } from '@jest/globals';
import {
  CACHING_CLOCK,
  CachePage,
  type CachePageOptions,
  CachingModule,
  type CachingOptions,
  type Clock,
  type Ttl,
} from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from 'node:http';
import { connect } from 'node:net';
import { type Answer, type Platform, startApp, type TestApp } from './test-app.js';

/** A reply of either platform. */
export interface AnyReply {
  header(name: string, value: string | number | readonly string[]): AnyReply;
  status(code: number): AnyReply;
  send(body: unknown): unknown;
}
/** A request of either platform; what a test reads of it is its own affair. */
export interface AnyRequest {
  readonly method: string;
  readonly headers: Record<string, string | undefined>;
  readonly query: Record<string, unknown>;
  readonly url: string;
  readonly originalUrl: string;
  readonly protocol: string;
  readonly host: string;
  readonly body?: unknown;
  readonly [added: string]: unknown;
}
/** What a handler does; `run` counts the handlers that ran. */
export type Handle = (request: AnyRequest, reply: AnyReply, run: number) => unknown;

/** A response with what `fetch` hides: names as they came, and repeated lines. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly text: string;
}

export interface StartOptions {
  readonly caching?: CachingOptions;
  readonly providers?: readonly Provider[];
  readonly configure?: (app: INestApplication) => unknown;
  /** Whether host and scheme are what `X-Forwarded-*` says. Default `false`. */
  readonly trustsProxy?: boolean;
  /** Of the caches. Default: the test's own, which stands still. */
  readonly clock?: Clock;
}

/** Applications of a spec whose routes do what a test says, on a clock of the test's. */
export class PageApp {
  handle: Handle = textOfRun;
  runs = 0;
  clock = new FakeClock();
  warnings: string[] = [];
  private apps: TestApp[] = [];

  constructor(readonly platform: Platform) {}

  reset(): void {
    this.handle = textOfRun;
    this.runs = 0;
    this.clock = new FakeClock();
    this.warnings = [];
  }

  get app(): TestApp {
    const [latest] = this.apps.slice(-1);
    if (latest === undefined) throw new Error('Nothing was started.');
    return latest;
  }

  /** `/p/:id` and all below `/w/`, for every method. */
  controller(ttl?: Ttl, options?: CachePageOptions<never>): Type {
    const run = (request: AnyRequest, reply: AnyReply): unknown => {
      this.runs += 1;
      return this.handle(request, reply, this.runs);
    };
    const wildcard = this.platform === 'express' ? 'w/*rest' : 'w/*';
    @Controller()
    class PagesController {
      @All(['p/:id', wildcard])
      @CachePage(ttl, options)
      page(@Req() request: AnyRequest, @Res({ passthrough: true }) reply: AnyReply): unknown {
        return run(request, reply);
      }
    }
    return PagesController;
  }

  async start(
    controllers: Type | readonly Type[],
    {
      caching = {},
      providers = [],
      configure = () => undefined,
      trustsProxy = false,
      clock = this.clock,
    }: StartOptions = {},
  ): Promise<TestApp> {
    const app = await startApp(
      this.platform,
      {
        imports: [CachingModule.forRoot(caching)],
        controllers: [controllers].flat<(Type | readonly Type[])[]>(),
        providers: [...providers],
      },
      async (made) => {
        const warn = (message: unknown): void => void this.warnings.push(String(message));
        made.useLogger({ log: () => {}, error: warn, warn });
        if (this.platform === 'express' && trustsProxy)
          made.getHttpAdapter().getInstance().set('trust proxy', true);
        await configure(made);
      },
      (builder) => builder.overrideProvider(CACHING_CLOCK).useValue(clock),
      new FastifyAdapter({ trustProxy: trustsProxy }),
    );
    this.apps.push(app);
    return app;
  }

  async close(): Promise<void> {
    const apps = this.apps;
    this.apps = [];
    await Promise.all(apps.map((app) => app.close()));
  }

  ask(path = '/p/1', headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
    return this.app.fetch(path, { method, headers });
  }

  async text(path?: string, headers?: Record<string, string>): Promise<string> {
    return (await this.ask(path, headers)).text;
  }

  /** Whether the second of two requests is answered without the handler. */
  async isStored(path?: string, headers?: Record<string, string>): Promise<boolean> {
    await this.ask(path, headers);
    const { runs } = this;
    await this.ask(path, headers);
    return this.runs === runs;
  }

  /** A request with a `Host`, a target or a method that `fetch` does not allow. */
  raw(
    path: string,
    headers: OutgoingHttpHeaders = {},
    method = 'GET',
    body?: string | readonly string[],
  ): Promise<RawAnswer> {
    const { hostname, port } = new URL(this.app.url);
    return new Promise((resolve, reject) => {
      const sent = httpRequest({ hostname, port, path, method, headers, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('error', reject).on('end', () => {
          const { statusCode = 0, rawHeaders } = response;
          resolve({ status: statusCode, headers: response.headers, rawHeaders, text });
        });
      });
      sent.on('error', reject);
      for (const chunk of typeof body === 'string' ? [] : (body ?? [])) sent.write(chunk);
      sent.end(typeof body === 'string' ? body : undefined);
    });
  }

  /** Sends these bytes and answers all that comes back until the server closes. */
  bytes(text: string): Promise<string> {
    const { hostname, port } = new URL(this.app.url);
    return new Promise((resolve, reject) => {
      let received = '';
      const socket = connect(Number(port), hostname, () => socket.write(text, 'latin1'));
      socket.setEncoding('latin1').on('data', (chunk: string) => (received += chunk));
      socket.on('error', reject).on('close', () => resolve(received));
    });
  }
}

/** A {@link PageApp} that begins anew before each test and is closed after it. */
export function usePages(platform: Platform): PageApp {
  const pages = new PageApp(platform);
  beforeEach(() => pages.reset());
  afterEach(() => pages.close());
  return pages;
}

function textOfRun(_request: AnyRequest, _reply: AnyReply, run: number): string {
  return `run ${run}`;
}

/** Sets headers of each response before its handler: by middleware on Express, by a hook on Fastify. */
export function setsEarly(
  platform: Platform,
  headersFor: (headers: IncomingHttpHeaders) => Iterable<readonly [name: string, value: string]>,
): (app: INestApplication) => void {
  return (app) => {
    if (platform === 'express')
      app.use(({ headers }: IncomingMessage, response: ServerResponse, next: () => void) => {
        for (const [name, value] of headersFor(headers)) response.setHeader(name, value);
        next();
      });
    else
      app
        .getHttpAdapter()
        .getInstance()
        .addHook('onRequest', async ({ headers }: IncomingMessage, reply: AnyReply) => {
          for (const [name, value] of headersFor(headers)) reply.header(name, value);
        });
  };
}

/** A handle that sends these headers and says which run it is. */
export function sends(
  headers: Readonly<Record<string, string | number | readonly string[]>>,
  status?: number,
): Handle {
  return (_request, reply, run) => {
    for (const [name, value] of Object.entries(headers)) reply.header(name, value);
    if (status !== undefined) reply.status(status);
    return `run ${run}`;
  };
}
