import { describe, expect, it } from '@jest/globals';
import {
  All,
  Controller,
  Get,
  type INestApplication,
  Module,
  Post,
  RequestMethod,
  Version,
  VERSION_NEUTRAL,
  VersioningType,
} from '@nestjs/common';
import { RouterModule } from '@nestjs/core';
import { CachePage, CachingModule, NeverCache } from 'nestjs-caching';
import { type MappedRoute, RoutePatterns } from '../../libs/caching/src/page/route-patterns.js';
import { PLATFORMS, startApp, type TestApp } from '../support/test-app.js';

class Base {
  @Get('inherited') inherited(): string {
    return 'inherited';
  }
}

@Controller(['shop', 'store'])
@CachePage('1m')
class ShopController extends Base {
  @Get() list(): string {
    return 'list';
  }
  @Get(['item/:id', 'thing/:id']) find(): string {
    return 'find';
  }
  @Get('files/*') files(): string {
    return 'files';
  }
  @All('any') any(): string {
    return 'any';
  }
  @Post('change') change(): string {
    return 'change';
  }
  @Get('live') @NeverCache() live(): string {
    return 'live';
  }
}

@Controller({ path: 'versioned', version: ['1', VERSION_NEUTRAL] })
@CachePage('1m')
class VersionedController {
  @Get('both') both(): string {
    return 'both';
  }
  @Get('second') @Version('2') second(): string {
    return 'second';
  }
}

@Controller('plain')
class PlainController {
  @Get() @CachePage('1m') cached(): string {
    return 'cached';
  }
  @Get('not') not(): string {
    return 'not';
  }
}

@Module({ controllers: [PlainController] })
class InnerModule {}

const metadata = {
  imports: [
    CachingModule.forRoot(),
    InnerModule,
    RouterModule.register([{ path: 'outer', children: [{ path: 'inner', module: InnerModule }] }]),
  ],
  controllers: [ShopController, VersionedController],
};

const arrangements: [string, (app: INestApplication) => void, string[]][] = [
  ['nothing around', () => undefined, ['/shop', '/store', '/outer/inner/plain']],
  ['a global prefix', (app) => app.setGlobalPrefix('api/x'), ['/api/x/shop', '/api/x/outer/inner/plain']],
  [
    'exclusions from it',
    (app) =>
      app.setGlobalPrefix('api', { exclude: [{ path: 'shop', method: RequestMethod.GET }, 'shop/item/:id'] }),
    ['/shop', '/api/store', '/shop/item/1', '/api/shop/thing/1'],
  ],
  [
    'versions in the path',
    (app) => app.setGlobalPrefix('api').enableVersioning({ type: VersioningType.URI, prefix: 'rev' }),
    ['/api/rev1/versioned/both', '/api/versioned/both', '/api/rev2/versioned/second', '/api/shop'],
  ],
  [
    'a default version',
    (app) => app.enableVersioning({ type: VersioningType.URI, defaultVersion: '9' }),
    ['/v9/shop', '/v1/versioned/both'],
  ],
  [
    'versions in a header',
    (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version', defaultVersion: '1' }),
    ['/shop', '/versioned/both', '/versioned/second'],
  ],
];

describe.each(PLATFORMS)('the patterns of routes on %s', (platform) => {
  const pathsOf = ({ patterns }: MappedRoute): string[] =>
    patterns.flatMap((pattern) => pattern.pathWith({ id: 1, path: 'a/b' }) ?? []);

  it.each(arrangements)('are those that the router serves: %s', async (_name, arrange, expected) => {
    const app: TestApp = await startApp(platform, metadata, arrange);
    const { all } = app.app.get(RoutePatterns);
    const paths = all.flatMap(pathsOf);
    for (const path of expected) expect(paths).toContain(path);
    for (const route of all) {
      expect(pathsOf(route).length).toBeGreaterThan(0);
      for (const path of pathsOf(route)) {
        const answers = await Promise.all(
          ['1', '2'].map((version) =>
            app.fetch(path, {
              method: route.method === 'change' ? 'POST' : 'GET',
              headers: { 'x-version': version },
            }),
          ),
        );
        expect([path, answers.map(({ text }) => text)]).toEqual([
          path,
          expect.arrayContaining([route.method]),
        ]);
      }
    }
    await app.close();
  });

  it('know which are cached', async () => {
    const app = await startApp(platform, metadata);
    const patterns = app.app.get(RoutePatterns);
    expect(patterns.cached.map(({ method }) => method).sort()).toEqual(
      ['any', 'both', 'cached', 'files', 'find', 'inherited', 'list', 'second'].sort(),
    );
    expect(patterns.find(ShopController, 'inherited')?.page?.name).toBe('ShopController.inherited@null');
    expect(patterns.find(Base, 'inherited')).toBeUndefined();
    await app.close();
  });

  it('are worked out anew when what stands before them is set later', async () => {
    let early: string[] = [];
    const app = await startApp(platform, metadata, (made) => {
      early = made.get(RoutePatterns).all.flatMap(pathsOf);
      made.setGlobalPrefix('late');
    });
    expect(early).toContain('/shop');
    expect(app.app.get(RoutePatterns).all.flatMap(pathsOf)).toContain('/late/shop');
    await app.close();
  });
});
