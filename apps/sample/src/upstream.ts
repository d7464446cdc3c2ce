import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { SETTINGS, type Settings } from './settings.js';
import { UpstreamServer } from './upstream-server.js';

/** What the slow API answers. The sequence number shows how often it was really asked. */
export interface SlowData {
  readonly sequence: number;
  readonly time: string;
  readonly source: string;
}

/**
 * The APIs that the sample stands on: a tiny server of our own, or for the slow one that which `UPSTREAM_URL` names (an
 * httpbin `/delay/3`, say).
 */
@Injectable()
export class Upstream implements OnModuleInit, OnApplicationShutdown {
  private readonly server: UpstreamServer;
  private slowUrl = '';
  private sequence = 0;
  /** Of the weather API. */
  weatherUrl = '';

  constructor(@Inject(SETTINGS) private readonly settings: Settings) {
    this.server = new UpstreamServer(settings);
  }

  async onModuleInit(): Promise<void> {
    const url = await this.server.listen();
    this.slowUrl = this.settings.upstreamUrl ?? `${url}/`;
    this.weatherUrl = `${url}/weather`;
  }

  /** Asks the slow API. */
  async fetch(): Promise<SlowData> {
    const response = await fetch(this.slowUrl);
    if (!response.ok) throw new Error(`the upstream answered ${response.status}`);
    await response.arrayBuffer();
    this.sequence += 1;
    return { sequence: this.sequence, time: new Date().toISOString(), source: new URL(this.slowUrl).host };
  }

  onApplicationShutdown(): void {
    this.server.close();
  }
}
