import { Controller, Delete, Get, HttpCode } from '@nestjs/common';
import { CachePage, CacheService } from 'nestjs-caching';
import { type SlowData, Upstream } from './upstream.js';

const KEY = 'slow_data';

/** One slow endpoint, cached in each style. */
@Controller('slow-api')
export class SlowApiController {
  constructor(
    private readonly upstream: Upstream,
    private readonly cache: CacheService,
  ) {}

  /** Not cached: slow every time. */
  @Get()
  uncached(): Promise<SlowData> {
    return this.upstream.fetch();
  }

  /** The whole response, by one line. */
  @Get('page')
  @CachePage('15m')
  page(): Promise<SlowData> {
    return this.upstream.fetch();
  }

  /** The classic pattern, written out. */
  @Get('manual')
  async manual(): Promise<SlowData> {
    const cached = await this.cache.get<SlowData>(KEY);
    if (cached !== undefined) return cached;
    const data = await this.upstream.fetch();
    await this.cache.set(KEY, data, '15m');
    return data;
  }

  /** The next `GET manual` is slow again. */
  @Delete('manual')
  @HttpCode(204)
  async forget(): Promise<void> {
    await this.cache.delete(KEY);
  }

  /** The same in one call; concurrent callers share one load. */
  @Get('get-or-set')
  getOrSet(): Promise<SlowData> {
    return this.cache.getOrSet('slow_data_once', () => this.upstream.fetch(), '15m');
  }
}
