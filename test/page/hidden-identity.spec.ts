import { describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  Param,
  Query,
  Req,
  Res,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { CachePage } from 'nestjs-caching';
import { type AnyRequest, usePages } from '../support/page-app.js';
import { PLATFORMS } from '../support/test-app.js';

const TENANT = Symbol('tenant');
const OWNERS: Readonly<Record<string, string>> = { ka: 'ada', kb: 'bob' };

type Left = Record<string | symbol, unknown>;

/** A guard that knows who asks by a key of the API, and leaves that somewhere. */
function leaving(
  leave: (owner: string | undefined, request: Left, response: Left) => void,
): Type<CanActivate> {
  return class implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const http = context.switchToHttp();
      const request = http.getRequest<Left & AnyRequest>();
      leave(OWNERS[request.headers['x-api-key'] ?? ''], request, http.getResponse<Left>());
      return true;
    }
  };
}

const toParams = leaving((owner, { params }) => {
  if ((params as Left)['id'] === 'me') (params as Left)['id'] = owner;
});
const toQuery = leaving((who, request) => {
  const value = { ...(request['query'] as object), who };
  Object.defineProperty(request, 'query', { value, writable: true, configurable: true, enumerable: true });
});

@Controller()
class LeftController {
  @Get('users/:id') @UseGuards(toParams) @CachePage('1m') params(@Param('id') id: string): unknown {
    return { id };
  }
  @Get('query') @UseGuards(toQuery) @CachePage('1m') query(@Query('who') id: unknown): unknown {
    return { id };
  }
  @Get('object')
  @UseGuards(leaving((owner, { params }) => void ((params as Left)['owner'] = new Map([['id', owner]]))))
  @CachePage('1m')
  object(@Param('owner') owner: Map<string, string>): unknown {
    return { id: owner.get('id') };
  }
  @Get('symbol')
  @UseGuards(leaving((owner, request) => void (request[TENANT] = owner)))
  @CachePage('1m')
  symbol(@Req() request: Left): unknown {
    return { id: request[TENANT] };
  }
  @Get('body')
  @UseGuards(leaving((owner, request) => void (request['body'] = { owner })))
  @CachePage('1m')
  body(@Req() { body }: Left): unknown {
    return { id: (body as Left)['owner'] };
  }
  @Get('locals')
  @UseGuards(leaving((account, _request, response) => void (response['locals'] = { account })))
  @CachePage('1m')
  locals(@Res({ passthrough: true }) { locals }: Left): unknown {
    return { id: (locals as Left)['account'] };
  }
  @Get('response')
  @UseGuards(leaving((owner, _request, response) => void (response['account'] = owner)))
  @CachePage('1m')
  response(@Res({ passthrough: true }) { account }: Left): unknown {
    return { id: account };
  }
}

describe.each(PLATFORMS)('who asks, left by a guard, on %s', (platform) => {
  const pages = usePages(platform);

  it.each(['users/me', 'query', 'object', 'symbol', 'body', 'locals', 'response'])(
    'is not forgotten by the page of /%s',
    async (path) => {
      await pages.start(LeftController);
      const texts = [];
      for (const key of ['ka', 'kb', 'ka']) texts.push(await pages.text(`/${path}`, { 'x-api-key': key }));
      expect(texts).toEqual(['{"id":"ada"}', '{"id":"bob"}', '{"id":"ada"}']);
    },
  );

  it('has pages of its own where it stands in parameters, and warns of other places', async () => {
    await pages.start(LeftController);
    await pages.text('/users/me', { 'x-api-key': 'ka' });
    const again = await pages.ask('/users/me', { 'x-api-key': 'ka' });
    expect(again.headers.get('age')).toBe('0');
    expect(pages.warnings).toEqual([]);
    await pages.text('/response', { 'x-api-key': 'ka' });
    expect(pages.warnings.join()).toMatch(/response\.account.*leave on the request as well/);
  });

  it('answers a request whose parameters a guard has made into what is no text', async () => {
    const toNumber = leaving((_owner, { params }) => {
      const circle: Left = { id: BigInt((params as Left)['id'] as string) };
      Object.assign(params as Left, { id: circle['id'], circle: Object.assign(circle, { circle }) });
    });
    @Controller()
    class NumberController {
      @Get('numbers/:id') @UseGuards(toNumber) @CachePage('1m') read(@Param('id') id: bigint): string {
        return `number ${id}`;
      }
    }
    await pages.start(NumberController);
    for (const id of [1, 2, 1]) expect(await pages.text(`/numbers/${id}`)).toBe(`number ${id}`);
  });

  it('leaves a request without any of it public', async () => {
    @Controller()
    class PlainController {
      @Get('items/:id') @CachePage('1m') item(@Param('id') id: string, @Query() query: object): unknown {
        return { id, query };
      }
    }
    await pages.start(PlainController);
    for (const path of ['/items/1', '/items/1?b=2&a=1', '/items/1?a=1&b=2']) await pages.text(path);
    const hit = await pages.ask('/items/1?a=1&b=2');
    expect([hit.headers.get('age'), pages.warnings]).toEqual(['0', []]);
  });
});
