import {
  Controller,
  Get,
  type INestApplication,
  Injectable,
  type ModuleMetadata,
  StreamableFile,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import fastifyCompress from '@fastify/compress';
import fastifyCookie from '@fastify/cookie';
import fastifyHelmet from '@fastify/helmet';
import fastifySession from '@fastify/session';
import compression from 'compression';
import session from 'express-session';
import helmet from 'helmet';
import { ClsModule } from 'nestjs-cls';
import {
  AcceptLanguageResolver,
  CookieResolver,
  I18n,
  I18nContext,
  I18nLoader,
  I18nModule,
  type I18nOptionResolver,
} from 'nestjs-i18n';
import { Logger, LoggerErrorInterceptor, LoggerModule } from 'nestjs-pino';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { of } from 'rxjs';

/** It has no types of its own. */
const passport = createRequire(import.meta.url)('passport') as {
  initialize(): (...given: unknown[]) => void;
};
const SECRET = 'a secret of at least thirty-two characters';

@Controller()
export class PublicController {
  @Get('json') json(): object {
    return { products: Array.from({ length: 200 }, (_, id) => ({ id })) };
  }
  @Get('text') text(): string {
    return 'text';
  }
  @Get('observable') observable(): unknown {
    return of({ id: 1 });
  }
  @Get('stream') stream(): StreamableFile {
    return new StreamableFile(Readable.from([Buffer.alloc(4000, 'a'), Buffer.alloc(4000, 'b')]));
  }
}

/** Translates through the context that nestjs-i18n keeps in AsyncLocalStorage, and by its decorators. */
@Controller()
class TranslatedController {
  @Get('by-context') byContext(): unknown {
    return I18nContext.current()?.t('words.hello');
  }
  @Get('by-decorator') byDecorator(@I18n() i18n: I18nContext): unknown {
    return i18n.t('words.hello');
  }
}

/** Translations as they would be in files. */
class Words extends I18nLoader {
  languages(): Promise<string[]> {
    return Promise.resolve(['en', 'de']);
  }
  load(): ReturnType<I18nLoader['load']> {
    return Promise.resolve({ en: { words: { hello: 'Hello' } }, de: { words: { hello: 'Hallo' } } });
  }
}

/** A guard of passport that lets everybody in, as the user `ann`. */
class Strategy {
  name = 'everybody';
  success!: (user: unknown) => void;
  authenticate(): void {
    this.success({ name: 'ann' });
  }
}
@Injectable()
class Everybody extends (PassportStrategy as (strategy: unknown, name: string) => new () => Strategy)(
  Strategy,
  'everybody',
) {
  validate(): unknown {
    return true;
  }
}

/** What an application has installed beside the routes. */
export interface Stack {
  readonly name: string;
  readonly metadata?: ModuleMetadata;
  readonly express?: (app: INestApplication) => unknown;
  readonly fastify?: (app: INestApplication) => unknown;
}

/** Registers on the instance of Fastify that Nest runs on. */
const register =
  (...plugins: [plugin: unknown, options?: object][]) =>
  async (app: INestApplication): Promise<void> => {
    for (const [plugin, options] of plugins)
      await app.getHttpAdapter().getInstance().register(plugin, options);
  };

/** Languages by `Accept-Language`; `resolvers` says by what else. */
const i18n = (...resolvers: I18nOptionResolver[]): ModuleMetadata => ({
  imports: [
    I18nModule.forRoot({
      fallbackLanguage: 'en',
      loader: Words,
      loaderOptions: {},
      logging: false,
      resolvers,
    }),
  ],
  controllers: [TranslatedController],
});

export const STACKS: readonly Stack[] = [
  { name: 'nothing' },
  { name: 'helmet', express: (app) => app.use(helmet()), fastify: register([fastifyHelmet]) },
  {
    name: 'compression',
    express: (app) => app.use(compression({ threshold: 0 })),
    fastify: register([fastifyCompress, { threshold: 0 }]),
  },
  {
    name: 'sessions',
    express: (app) =>
      app.use(session({ secret: SECRET, resave: true, saveUninitialized: true, rolling: true })),
    fastify: register([fastifyCookie], [fastifySession, { secret: SECRET, cookie: { secure: false } }]),
  },
  {
    name: 'sessions and compression',
    express: (app) =>
      app.use(session({ secret: SECRET, resave: true, saveUninitialized: true }), compression()),
    fastify: register(
      [fastifyCompress, { threshold: 0 }],
      [fastifyCookie],
      [fastifySession, { secret: SECRET, cookie: { secure: false } }],
    ),
  },
  {
    name: 'passport',
    metadata: {
      imports: [PassportModule],
      providers: [Everybody, { provide: APP_GUARD, useClass: AuthGuard('everybody') }],
    },
    express: (app) => app.use(passport.initialize()),
  },
  {
    name: 'nestjs-cls',
    metadata: { imports: [ClsModule.forRoot({ global: true, middleware: { mount: true } })] },
  },
  {
    name: 'nestjs-cls as an interceptor',
    metadata: { imports: [ClsModule.forRoot({ global: true, interceptor: { mount: true } })] },
  },
  {
    name: 'nestjs-pino',
    metadata: {
      imports: [
        LoggerModule.forRoot({
          // On Fastify its own default, `{/*splat}`, matches no path.
          forRoutes: ['*splat'],
          pinoHttp: [
            {
              customProps: (request) => ({
                agent: request.headers['user-agent'],
                user: Reflect.get(request, 'user'),
              }),
            },
            { write: () => undefined },
          ],
        }),
      ],
      providers: [{ provide: APP_INTERCEPTOR, useClass: LoggerErrorInterceptor }],
    },
    express: (app) => app.useLogger(app.get(Logger)),
    fastify: (app) => app.useLogger(app.get(Logger)),
  },
  {
    name: '@nestjs/throttler',
    metadata: {
      imports: [ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1000 }])],
      providers: [{ provide: APP_GUARD, useClass: ThrottlerGuard }],
    },
  },
  { name: 'nestjs-i18n', metadata: i18n(new AcceptLanguageResolver()) },
  {
    name: 'nestjs-i18n with cookies',
    metadata: i18n(new CookieResolver(['lang']), new AcceptLanguageResolver()),
  },
];
