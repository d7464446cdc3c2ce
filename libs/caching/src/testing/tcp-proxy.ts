import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Where a server listens. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** An answer on its way to the client. */
interface Late {
  readonly chunk: Buffer;
  timer: NodeJS.Timeout | undefined;
}

/**
 * The network between a client and a server, to be disturbed by a test: a TCP proxy on a free port of the loopback
 * interface, which passes everything on until it is told to be slow, to cut answers, to lose everything or to refuse.
 *
 * ```ts
 * const proxy = await TcpProxy.open({ host: '127.0.0.1', port: 6379 });
 * const backend = openMyBackend(proxy.host, proxy.port);
 * proxy.delay(200);
 * ```
 */
export class TcpProxy implements ServerAddress {
  readonly host = '127.0.0.1';
  readonly port: number;
  private readonly clients = new Set<Socket>();
  private readonly servers = new Set<Socket>();
  private delayMs = 0;
  private bytesUntilCut: number | undefined;
  private isMute = false;

  private constructor(
    private readonly server: Server,
    private readonly target: ServerAddress,
  ) {
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.join(client));
  }

  /** Listens; nothing connects to the target before somebody connects here. */
  static async open(target: ServerAddress): Promise<TcpProxy> {
    // A client that says farewell may still wait for the answer to it.
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, target);
  }

  /** How many clients are connected and have not said farewell. */
  get connections(): number {
    return [...this.clients].filter((client) => !client.readableEnded).length;
  }

  /** From now on answers arrive so many milliseconds later; 0 for no delay. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Passes on so many more bytes of answers, and then ends the connection on which the next byte comes, once. */
  cutAfter(bytes: number): void {
    this.bytesUntilCut = bytes;
  }

  /**
   * The network is gone and nobody is told: whatever either side says or ends is lost, and new connections are taken
   * and hear nothing.
   */
  mute(): void {
    this.isMute = true;
  }

  /** Ends every disturbance. What was connected while the proxy was mute is ended, as it knows of no partner any more. */
  heal(): void {
    this.delayMs = 0;
    this.bytesUntilCut = undefined;
    if (this.isMute) this.endAll();
    this.isMute = false;
  }

  /** Ends every connection and takes no new one, as the kernel does for a process that was killed. */
  async refuse(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.endAll();
    await closed;
  }

  /** Listens again, on the same port. */
  async listen(): Promise<void> {
    if (this.server.listening) return;
    this.server.listen(this.port, this.host);
    await once(this.server, 'listening');
  }

  /** Final. */
  close(): Promise<void> {
    return this.refuse();
  }

  private endAll(): void {
    for (const socket of [...this.clients, ...this.servers]) socket.destroy();
  }

  private join(client: Socket): void {
    const server = connect({ ...this.target, allowHalfOpen: true });
    const late: Late[] = [];
    this.clients.add(client);
    this.servers.add(server);
    client.on('data', (chunk: Buffer) => {
      if (!this.isMute) server.write(chunk);
    });
    client.on('end', () => {
      if (!this.isMute) server.end();
    });
    client.on('close', () => {
      this.clients.delete(client);
      for (const { timer } of late) clearTimeout(timer);
      server.destroy();
    });
    server.on('data', (chunk: Buffer) => this.answer(client, chunk, late));
    server.on('end', () => this.answer(client, FAREWELL, late));
    server.on('close', () => {
      this.servers.delete(server);
      if (!this.isMute && !server.readableEnded) client.destroy();
    });
    for (const socket of [client, server]) socket.on('error', () => undefined);
  }

  /** Passes an answer on, behind those that are late. */
  private answer(client: Socket, chunk: Buffer, late: Late[]): void {
    if (this.isMute) return;
    if (this.delayMs === 0 && late.length === 0) {
      this.pass(client, chunk);
      return;
    }
    const next: Late = { chunk, timer: undefined };
    // Whichever timer fires, the first in the line goes first.
    next.timer = setTimeout(() => {
      const first = late.shift();
      if (first !== undefined && !this.isMute) this.pass(client, first.chunk);
    }, this.delayMs);
    late.push(next);
  }

  private pass(client: Socket, chunk: Buffer): void {
    if (client.destroyed) return;
    if (chunk === FAREWELL) {
      client.end();
      return;
    }
    const left = this.bytesUntilCut;
    if (left === undefined || chunk.length <= left) {
      if (left !== undefined) this.bytesUntilCut = left - chunk.length;
      client.write(chunk);
      return;
    }
    this.bytesUntilCut = undefined;
    client.write(chunk.subarray(0, left), () => client.destroy());
  }
}

/** Stands for the end of what the server says. */
const FAREWELL = Buffer.alloc(0);
