import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { CachePage } from 'nestjs-caching';
import { type Weather, WeatherApi } from './weather-api.js';

/** What an external API tells that must not be asked often. */
@Controller('weather')
export class WeatherController {
  constructor(private readonly api: WeatherApi) {}

  /**
   * The API is asked once in a while, however many ask us. If it refuses all the same, or is down, the last answer is given
   * for up to an hour: see the policy in `app.module.ts`.
   */
  @Get()
  @CachePage({ policy: 'weather' })
  current(): Promise<Weather> {
    return this.ask();
  }

  /** Not cached: each request costs one of the few calls that the API allows. */
  @Get('live')
  live(): Promise<Weather> {
    return this.ask();
  }

  /** A stale page stands in for 500, 502, 503 and 504 only: a refusal that is not the client's fault must be one of them. */
  private async ask(): Promise<Weather> {
    const answer = await this.api.ask();
    if (typeof answer === 'object') return answer;
    throw new ServiceUnavailableException(`the weather API answered ${answer}`);
  }
}
