import { type DynamicModule, Module } from '@nestjs/common';
import { CachingModule } from 'nestjs-caching';
import { ConnectionCloser } from './connection-closer.js';
import { SETTINGS, type Settings } from './settings.js';
import { ProductsController } from './shop/products.controller.js';
import { ProductsStore } from './shop/products.store.js';
import { ShopController } from './shop/shop.controller.js';
import { SlowApiController } from './slow-api.controller.js';
import { SlowClassController } from './slow-class.controller.js';
import { Upstream } from './upstream.js';

@Module({})
export class AppModule {
  static with(settings: Settings): DynamicModule {
    return {
      module: AppModule,
      // While the cache is away, each request is slow and right.
      imports: [CachingModule.forRoot({ url: settings.cacheUrl, keyPrefix: 'sample', onError: 'ignore' })],
      controllers: [SlowApiController, SlowClassController, ShopController, ProductsController],
      providers: [{ provide: SETTINGS, useValue: settings }, Upstream, ProductsStore, ConnectionCloser],
    };
  }
}
