import { afterEach, describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  Get,
  Inject,
  Injectable,
  type INestApplication,
  Module,
  Scope,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD, ModulesContainer, REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { isRequestScoped } from '../../libs/caching/src/page/request-scope.js';

@Injectable({ scope: Scope.REQUEST })
class Visitor {
  constructor(@Inject(REQUEST) readonly request: object) {}
}
@Injectable({ scope: Scope.REQUEST, durable: true })
class Tenant {}
@Injectable()
class Deep {
  constructor(readonly visitor: Visitor) {}
}
@Injectable()
class Shop {}
@Injectable({ scope: Scope.REQUEST })
class VisitorGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

@Controller('static')
class StaticController {
  constructor(readonly shop: Shop) {}
  @Get() get(): string {
    return 'a';
  }
}
@Controller({ path: 'own', scope: Scope.REQUEST })
class OwnController {
  @Get() get(): string {
    return 'a';
  }
}
@Controller('deep')
class DeepController {
  constructor(readonly deep: Deep) {}
  @Get() get(): string {
    return 'a';
  }
}
@Controller('durable')
class DurableController {
  constructor(readonly tenant: Tenant) {}
  @Get() get(): string {
    return 'a';
  }
}
@Controller('guarded')
@UseGuards(VisitorGuard)
class GuardedController {
  @Get() get(): string {
    return 'a';
  }
}
const CONTROLLERS: readonly [Type, boolean][] = [
  [StaticController, false],
  [OwnController, true],
  [DeepController, true],
  [DurableController, true],
  [GuardedController, true],
];

let app: INestApplication;
afterEach(() => app.close());

async function start(providers: object[] = []): Promise<ModulesContainer> {
  @Module({
    controllers: CONTROLLERS.map(([controller]) => controller),
    providers: [Visitor, Tenant, Deep, Shop, ...(providers as never[])],
  })
  class InnerModule {}
  const module = await Test.createTestingModule({ imports: [InnerModule] }).compile();
  app = module.createNestApplication({ logger: false });
  await app.init();
  return app.get(ModulesContainer);
}

describe('isRequestScoped', () => {
  it('finds what is made for each request, however deep it lies', async () => {
    const modules = await start();
    for (const [controller, expected] of CONTROLLERS) {
      expect([controller.name, isRequestScoped(modules, controller)]).toEqual([controller.name, expected]);
    }
  });

  it('counts a global guard that is', async () => {
    const modules = await start([{ provide: APP_GUARD, useClass: VisitorGuard, scope: Scope.REQUEST }]);
    expect(isRequestScoped(modules, StaticController)).toBe(true);
  });

  it('knows nothing of a class that is no controller', async () => {
    expect(isRequestScoped(await start(), Shop)).toBe(false);
  });
});
