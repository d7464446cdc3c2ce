// One application with one way of answering, in a process of its own. Decorators are applied by hand: this is not compiled.
import 'reflect-metadata';
import { CACHE_MANAGER, CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import { Controller, Get, Header, Module, UseInterceptors } from '@nestjs/common';
import { createKeyv } from '@keyv/redis';
import { CachePage, CachingModule } from 'nestjs-caching';
import { of } from 'rxjs';
import { createApplication } from './application.mjs';

const [platform, variant, redisUrl] = process.argv.slice(2);

const item = (id) => ({
  id,
  name: `Product ${id}`,
  price: id * 1.5,
  tags: ['a', 'b'],
  inStock: id % 2 === 0,
});
const bodies = {
  small: Array.from({ length: 19 }, (_, id) => item(id)),
  large: Array.from({ length: 420 }, (_, id) => item(id)),
};
const prepared = { small: JSON.stringify(bodies.small), large: JSON.stringify(bodies.large) };

class Pages {
  small() {
    return variant === 'prepared string' ? prepared.small : bodies.small;
  }
  large() {
    return variant === 'prepared string' ? prepared.large : bodies.large;
  }
}
class Other {
  other() {
    return 'other';
  }
}

function decorate(type, name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name);
  for (const decorator of decorators) decorator(type.prototype, name, descriptor);
}

for (const size of ['small', 'large']) {
  decorate(Pages, size, Get(size));
  if (variant.startsWith('prepared string'))
    decorate(Pages, size, Header('content-type', 'application/json; charset=utf-8'));
}
decorate(Other, 'other', Get());
Controller()(Pages);
Controller('other')(Other);

const imports = [];
if (variant.startsWith('@CachePage')) {
  CachePage('1h')(Pages);
  imports.push(CachingModule.forRoot(redisUrl ? { url: redisUrl, keyPrefix: 'bench' } : {}));
} else if (variant === 'uncached, interceptor idle') {
  decorate(Other, 'other', CachePage('1h'));
  imports.push(CachingModule.forRoot());
} else if (variant === 'prepared string, from an interceptor') {
  // The least that a hit can cost that Nest's pipeline goes around.
  UseInterceptors({ intercept: (context) => of(prepared[context.getHandler().name]) })(Pages);
} else if (variant.startsWith('CacheInterceptor')) {
  UseInterceptors(CacheInterceptor)(Pages);
  const stores = redisUrl ? { stores: [createKeyv(redisUrl)] } : {};
  imports.push(CacheModule.register({ ttl: 3_600_000, ...stores }));
  void CACHE_MANAGER;
}

class App {}
Module({ imports, controllers: [Pages, Other] })(App);
const app = await createApplication(platform, App);
await app.listen(0, '127.0.0.1');
process.send({ url: (await app.getUrl()).replace('[::1]', '127.0.0.1') });
process.on('message', () => process.send(process.cpuUsage()));
process.on('disconnect', () => process.exit());
