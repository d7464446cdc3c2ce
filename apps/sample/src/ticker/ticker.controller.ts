import { Controller, Get } from '@nestjs/common';
import { NeverCache } from 'nestjs-caching';

interface Tick {
  readonly sequence: number;
  readonly time: string;
}

/** What is worthless a moment later. */
@Controller('ticker')
export class TickerController {
  private sequence = 0;

  /**
   * Nobody keeps it: not this cache, though one day `pages.site` may cache the rest of the application, and no browser or CDN
   * either, since the response says so.
   */
  @Get()
  @NeverCache()
  tick(): Tick {
    this.sequence += 1;
    return { sequence: this.sequence, time: new Date().toISOString() };
  }
}
