import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Settings } from './settings.js';

/** For how long the weather API counts calls, in milliseconds. */
const RATE_WINDOW_MS = 60_000;

/** The world outside, played by a tiny server on this machine: a slow API, and one that is limited. */
export class UpstreamServer {
  private server: Server | undefined;

  constructor(private readonly settings: Settings) {}

  /** Answers its URL. */
  async listen(): Promise<string> {
    const weather = this.weather();
    const server = createServer((request, response) => {
      if (request.url === '/weather') weather(request, response);
      else setTimeout(() => response.end('ready'), this.settings.upstreamDelay);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.server = server;
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  /** Answers so many calls in each window, and refuses the others. */
  private weather(): RequestListener {
    let sequence = 0;
    let calls: number[] = [];
    return (_request, response) => {
      const now = Date.now();
      calls = calls.filter((at) => now - at < RATE_WINDOW_MS);
      if (calls.length >= this.settings.weatherLimit) {
        response.writeHead(429, { 'retry-after': String(RATE_WINDOW_MS / 1000) }).end();
        return;
      }
      calls.push(now);
      sequence += 1;
      response.end(JSON.stringify({ sequence, degrees: 15 + (sequence % 10) }));
    };
  }
}
