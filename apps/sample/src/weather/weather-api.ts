import { Injectable } from '@nestjs/common';
import { Upstream } from '../upstream.js';

/** What the API tells. The sequence number shows how often it was really asked. */
export interface Weather {
  readonly sequence: number;
  readonly degrees: number;
}

/** The client of an external API that is limited. */
@Injectable()
export class WeatherApi {
  constructor(private readonly upstream: Upstream) {}

  /** The weather, or the status with which the API refuses: 429 past its rate. */
  async ask(): Promise<Weather | number> {
    const response = await fetch(this.upstream.weatherUrl);
    return response.ok ? ((await response.json()) as Weather) : response.status;
  }
}
