import { type DynamicModule, Module } from '@nestjs/common';
import { CachingModule } from 'nestjs-caching';
import { ConnectionCloser } from './connection-closer.js';
import { MeController } from './me/me.controller.js';
import { ProductsController } from './products/products.controller.js';
import { ProductsStore } from './products/products.store.js';
import { SETTINGS, type Settings } from './settings.js';
import { ShopController } from './shop/shop.controller.js';
import { SlowApiController } from './slow-api.controller.js';
import { SlowClassController } from './slow-class.controller.js';
import { TickerController } from './ticker/ticker.controller.js';
import { Upstream } from './upstream.js';
import { WeatherApi } from './weather/weather-api.js';
import { WeatherController } from './weather/weather.controller.js';

@Module({})
export class AppModule {
  static with(settings: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        CachingModule.forRoot({
          url: settings.cacheUrl,
          keyPrefix: 'sample',
          // While the cache is away, each request is slow and right.
          onError: 'ignore',
          pages: {
            // `Cache-Status` says of every answer what the cache did.
            cacheStatus: true,
            // A decorator is written before settings are read; a policy is not.
            policies: { weather: { ttl: settings.weatherTtl, staleIfError: '1h' } },
          },
        }),
      ],
      controllers: [
        SlowApiController,
        SlowClassController,
        ProductsController,
        ShopController,
        MeController,
        WeatherController,
        TickerController,
      ],
      providers: [
        { provide: SETTINGS, useValue: settings },
        Upstream,
        ProductsStore,
        WeatherApi,
        ConnectionCloser,
      ],
    };
  }
}
