import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { SETTINGS, type Settings } from './settings.js';

/** What the slow API answers. The sequence number shows how often it was really asked. */
export interface SlowData {
  readonly sequence: number;
  readonly time: string;
  readonly source: string;
}

/**
 * The slow API that the sample stands on: a tiny server of our own that answers after a delay, or the one that
 * `UPSTREAM_URL` names (an httpbin `/delay/3`, say).
 */
@Injectable()
export class Upstream implements OnModuleInit, OnApplicationShutdown {
  private server: Server | undefined;
  private url = '';
  private sequence = 0;

  constructor(@Inject(SETTINGS) private readonly settings: Settings) {}

  async onModuleInit(): Promise<void> {
    if (this.settings.upstreamUrl !== undefined) {
      this.url = this.settings.upstreamUrl;
      return;
    }
    const server = createServer((_request, response) => {
      setTimeout(() => response.end('ready'), this.settings.upstreamDelay);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  /** Asks the slow API. */
  async fetch(): Promise<SlowData> {
    const response = await fetch(this.url);
    if (!response.ok) throw new Error(`the upstream answered ${response.status}`);
    await response.arrayBuffer();
    this.sequence += 1;
    return { sequence: this.sequence, time: new Date().toISOString(), source: new URL(this.url).host };
  }

  onApplicationShutdown(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }
}
