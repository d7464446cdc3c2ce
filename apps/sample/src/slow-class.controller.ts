import { Controller, Get } from '@nestjs/common';
import { CachePage } from 'nestjs-caching';
import { type SlowData, Upstream } from './upstream.js';

/** Every GET of the class is cached, each under its own key. */
@Controller('slow-class')
@CachePage('15m')
export class SlowClassController {
  constructor(private readonly upstream: Upstream) {}

  @Get('first')
  first(): Promise<SlowData> {
    return this.upstream.fetch();
  }

  @Get('second')
  second(): Promise<SlowData> {
    return this.upstream.fetch();
  }
}
