import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TcpProxy } from 'nestjs-caching/testing';

let server: Server;
let proxy: TcpProxy;
/** The far ends and the near ends of all connections. */
const far: Socket[] = [];
const near: Socket[] = [];

beforeEach(async () => {
  // Says everything back, and says farewell back.
  server = createServer((socket) => {
    far.push(socket.on('error', () => undefined));
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  proxy = await TcpProxy.open({ host: '127.0.0.1', port });
});
afterEach(async () => {
  await proxy.close();
  for (const socket of [...far.splice(0), ...near.splice(0)]) socket.destroy();
  server.close();
  await once(server, 'close');
});

async function join(): Promise<Socket> {
  const socket = connect({ host: proxy.host, port: proxy.port }).setEncoding('latin1');
  socket.on('error', () => undefined);
  near.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** What the socket hears until so much was said or it ends, in whatever way. */
async function heard(socket: Socket, length: number): Promise<string> {
  let text = '';
  const hear = (chunk: unknown) => void (text += String(chunk));
  socket.on('data', hear);
  while (text.length < length && !socket.destroyed) {
    await Promise.race([once(socket, 'data'), once(socket, 'close')]).catch(() => undefined);
  }
  socket.off('data', hear);
  return text;
}

describe('TcpProxy', () => {
  it('passes on what is said, both ways, and farewells', async () => {
    const socket = await join();
    socket.write('hello');
    expect(await heard(socket, 5)).toBe('hello');
    expect(proxy.connections).toBe(1);
    socket.end();
    await once(socket.resume(), 'close');
    expect(proxy.connections).toBe(0);
  });

  it('delays answers and keeps their order, also when the delay ends', async () => {
    const [socket] = await Promise.all([join(), once(server, 'connection')]);
    proxy.delay(50);
    socket.write('first ');
    await once(far[0]!, 'data');
    proxy.delay(0);
    socket.end('second');
    expect(await heard(socket, Infinity)).toBe('first second');
  });

  it('cuts one answer after so many bytes', async () => {
    const socket = await join();
    proxy.cutAfter(7);
    socket.write('hello');
    expect(await heard(socket, 5)).toBe('hello');
    socket.write('world');
    expect(await heard(socket, Infinity)).toBe('wo');
    const next = await join();
    next.write('whole again');
    expect(await heard(next, 11)).toBe('whole again');
  });

  it('loses everything while it is mute, and ends the connections of that time when it heals', async () => {
    const before = await join();
    before.write('a');
    expect(await heard(before, 1)).toBe('a');
    proxy.mute();
    const during = await join();
    before.write('b');
    during.write('c');
    for (const socket of far) socket.destroy();
    expect(proxy.connections).toBe(2);
    const silence = Promise.all([heard(before, Infinity), heard(during, Infinity)]);
    proxy.heal();
    expect(await silence).toEqual(['', '']);
    const after = await join();
    after.write('d');
    expect(await heard(after, 1)).toBe('d');
  });

  it('refuses, and listens again on its port', async () => {
    const { port } = proxy;
    const socket = await join();
    const closed = once(socket.resume(), 'close');
    await proxy.refuse();
    await closed;
    const [refusal] = (await once(connect(port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
    expect(refusal.code).toBe('ECONNREFUSED');
    await proxy.listen();
    expect(proxy.port).toBe(port);
    const again = await join();
    again.write('hello');
    expect(await heard(again, 5)).toBe('hello');
  });

  it('ends a client whose server is not there', async () => {
    const empty = await TcpProxy.open({ host: '127.0.0.1', port: 1 });
    const socket = connect(empty.port, empty.host).on('error', () => undefined);
    await once(socket.resume(), 'close');
    await empty.close();
  });
});
