import 'reflect-metadata';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, type ModuleMetadata } from '@nestjs/common';
import {
  AbstractGraphQLDriver,
  Args,
  GraphQLModule,
  GraphQLSchemaHost,
  Int,
  Query,
  Resolver,
} from '@nestjs/graphql';
import {
  ClientProxyFactory,
  MessagePattern,
  Payload,
  type TcpClientOptions,
  Transport,
} from '@nestjs/microservices';
import { WsAdapter } from '@nestjs/platform-ws';
import { Test } from '@nestjs/testing';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Cached, CacheService, CachingModule } from 'nestjs-caching';
import { graphql } from 'graphql';
import { firstValueFrom } from 'rxjs';
import { WebSocket } from 'ws';
import { PLATFORMS, startApp } from '../support/test-app.js';

let runs = 0;
let open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.reverse()) await each.close();
  open = [];
  runs = 0;
});

const caching = (): Pick<ModuleMetadata, 'imports'> => ({ imports: [CachingModule.forRoot()] });

@Controller()
class Messages {
  @MessagePattern('below')
  @Cached()
  async above(@Payload('id') id: number): Promise<string> {
    return `${id} in run ${(runs += 1)}`;
  }

  @Cached()
  @MessagePattern('above')
  async below(@Payload('id') id: number): Promise<string> {
    return `${id} in run ${(runs += 1)}`;
  }
}

describe('handlers of messages', () => {
  it('are cached by their payload, whichever decorator comes first', async () => {
    const module = await Test.createTestingModule({ ...caching(), controllers: [Messages] }).compile();
    const server = module.createNestMicroservice({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port: 0 },
    });
    open.push(server);
    await server.listen();
    const { port } = server.unwrap<Server>().address() as AddressInfo;
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port },
    } satisfies TcpClientOptions);
    open.push(client);
    const send = (pattern: string, id: number) => firstValueFrom(client.send<string>(pattern, { id }));
    expect([await send('below', 7), await send('below', 7), await send('below', 8)]).toEqual([
      '7 in run 1',
      '7 in run 1',
      '8 in run 2',
    ]);
    expect([await send('above', 7), await send('above', 7)]).toEqual(['7 in run 3', '7 in run 3']);
  });
});

@WebSocketGateway()
class Chat {
  @SubscribeMessage('history')
  @Cached()
  async history(@MessageBody('room') room: string): Promise<object> {
    return { event: 'history', data: `${room} in run ${(runs += 1)}` };
  }

  @Cached({ key: (_socket: object, room: string) => [room] })
  @SubscribeMessage('members')
  async members(@ConnectedSocket() _socket: object, @MessageBody('room') room: string): Promise<object> {
    return { event: 'members', data: `${room} in run ${(runs += 1)}` };
  }
}

describe('handlers of a gateway', () => {
  it.each(PLATFORMS)('are cached by their body, for all sockets, on %s', async (platform) => {
    const app = await startApp(platform, { ...caching(), providers: [Chat] }, (nest) =>
      nest.useWebSocketAdapter(new WsAdapter(nest)),
    );
    open.push(app);
    const ask = async (event: string, room: string): Promise<unknown> => {
      const socket = new WebSocket(app.url.replace('http', 'ws'));
      try {
        return await new Promise((resolve, reject) => {
          socket.once('error', reject);
          socket.once('open', () => socket.send(JSON.stringify({ event, data: { room } })));
          socket.once('message', (data: Buffer) => resolve(JSON.parse(data.toString()).data));
        });
      } finally {
        socket.terminate();
      }
    };
    expect([await ask('history', 'a'), await ask('history', 'a'), await ask('history', 'b')]).toEqual([
      'a in run 1',
      'a in run 1',
      'b in run 2',
    ]);
    expect([await ask('members', 'a'), await ask('members', 'a')]).toEqual(['a in run 3', 'a in run 3']);
  });
});

/** The schema is made, and asked in the process. */
@Injectable()
class InProcess extends AbstractGraphQLDriver {
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
}

@Resolver()
class Products {
  @Query(() => String)
  @Cached()
  async product(@Args('id', { type: () => Int }) id: number): Promise<string> {
    return `${id} in run ${(runs += 1)}`;
  }

  @Cached()
  @Query(() => String)
  async other(@Args('id', { type: () => Int }) id: number): Promise<string> {
    return `${id} in run ${(runs += 1)}`;
  }

  /** Without decorators of parameters a resolver gets all that GraphQL has: no key can be made of that. */
  @Query(() => String)
  @Cached()
  async bare(_root: unknown, _args: unknown, _context: unknown, _info: unknown): Promise<string> {
    return 'of somebody';
  }
}

describe('resolvers', () => {
  it('are cached by their arguments, whichever decorator comes first', async () => {
    const module = await Test.createTestingModule({
      imports: [CachingModule.forRoot(), GraphQLModule.forRoot({ driver: InProcess, autoSchemaFile: true })],
      providers: [Products],
    }).compile();
    const app = await module.createNestApplication({ logger: false }).init();
    open.push(app);
    const { schema } = app.get(GraphQLSchemaHost);
    const ask = (source: string) => graphql({ schema, source, contextValue: { user: 'a' } });
    expect(await ask('{ product(id: 7) }')).toEqual({ data: { product: '7 in run 1' } });
    expect(await ask('{ product(id: 7) other(id: 7) }')).toEqual({
      data: { product: '7 in run 1', other: '7 in run 2' },
    });
    expect(await ask('{ other(id: 7) }')).toEqual({ data: { other: '7 in run 2' } });
    await app.get(CacheService).clear();
    expect(await ask('{ product(id: 7) }')).toEqual({ data: { product: '7 in run 3' } });
    const { errors } = await ask('{ bare }');
    expect(errors?.[0]?.originalError).toMatchObject({ code: 'CACHING_UNENCODABLE_ARGUMENT' });
  });
});
