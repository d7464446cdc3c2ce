import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/**
 * At shutdown, closes each connection as soon as nothing is under way on it. Otherwise Node.js waits until the client has
 * let go of it: 5 s on Express, 72 s on Fastify; and up to 90 s for one on which a browser has asked for nothing yet.
 */
@Injectable()
export class ConnectionCloser implements OnApplicationBootstrap, BeforeApplicationShutdown {
  /** Connections that were opened ahead of the first request: Node.js does not count them as idle. */
  private readonly unused = new Set<Socket>();

  constructor(private readonly host: HttpAdapterHost) {}

  onApplicationBootstrap(): void {
    this.server.on('connection', (socket) => {
      this.unused.add(socket);
      socket.once('close', () => this.unused.delete(socket));
    });
    this.server.on('request', ({ socket }: IncomingMessage) => this.unused.delete(socket));
  }

  beforeApplicationShutdown(): void {
    this.server.keepAliveTimeout = 1;
    for (const socket of this.unused) socket.destroy();
  }

  private get server(): Server {
    return this.host.httpAdapter.getHttpServer() as Server;
  }
}
