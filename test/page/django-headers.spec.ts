import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { applyDecorators, Controller, Get, Res } from '@nestjs/common';
import {
  CacheControl,
  type CacheControlOptions,
  CachePage,
  Condition,
  InvalidArgumentError,
  InvalidatesPages,
  InvalidDecorationError,
  NeverCache,
  VaryOn,
  VaryOnCookie,
} from 'nestjs-caching';
import { type AnyReply, usePages } from '../support/page-app.js';
import { PLATFORMS } from '../support/test-app.js';
import { PATCHED_VARY } from '../support/vary-examples.js';

type Sent = Readonly<Record<string, string>>;

/**
 * Django's header helpers (django.md B16) by their numbers, as clients see them: what a handler has sent, and what the
 * decorators of its route make of it. The functions themselves are in vary.spec.ts and cache-control-patch.spec.ts.
 *
 * Other than in Django: field names of `no-cache` stand in quotes, in one list (190, 192; RFC 9111 §5.2.2.4); a decorator's
 * `public` does not replace a handler's `private` (193, 194); @VaryOn takes no `*`, which is for a handler to send (188).
 */
describe.each(PLATFORMS)('B16, header helpers, on %s', (platform) => {
  const pages = usePages(platform);
  afterEach(() => void jest.restoreAllMocks());

  /** A header of the response of a route that is decorated so, and whose handler sends these. */
  async function headerOf(
    name: string,
    sent: Sent,
    ...decorators: MethodDecorator[]
  ): Promise<string | null> {
    @Controller()
    class DecoratedController {
      @Get('page') @applyDecorators(...decorators) page(@Res({ passthrough: true }) reply: AnyReply): string {
        for (const [header, value] of Object.entries(sent)) reply.header(header, value);
        return 'page';
      }
    }
    await pages.start(DecoratedController);
    return (await pages.ask('/page')).headers.get(name);
  }
  const patched = (existing: string | undefined, options: CacheControlOptions): Promise<string | null> =>
    headerOf(
      'cache-control',
      existing === undefined ? {} : { 'cache-control': existing },
      CacheControl(options),
    );

  it.each(PATCHED_VARY)('188: Vary %j with %j is %j', async (existing, added, expected) => {
    const sent = existing === undefined ? {} : { vary: existing };
    expect(await headerOf('vary', sent, VaryOn(...added))).toBe(expected);
  });

  it('188: * is for a handler to send, no decorator adds it', () => {
    expect(() => VaryOn('*')).toThrow(InvalidArgumentError);
  });

  it.each([undefined, ''])('189: Cache-Control %j and private is private', async (existing) => {
    expect(await patched(existing, { private: true })).toBe('private');
  });

  it('190: no-cache with a value, of which there is one spelling', async () => {
    expect(await patched(undefined, { noCache: ['Set-Cookie'] })).toBe('no-cache="Set-Cookie"');
    expect(() => CacheControl({ 'no-cache': ['Set-Cookie'] } as object)).toThrow(InvalidArgumentError);
  });

  it('192: field names of no-cache add up, two and three', async () => {
    expect(await patched('no-cache=Set-Cookie', { noCache: ['Link'] })).toBe('no-cache="Set-Cookie, Link"');
    expect(
      await headerOf(
        'cache-control',
        { 'cache-control': 'no-cache=Set-Cookie' },
        CacheControl({ noCache: ['Link'] }),
        CacheControl({ noCache: ['Custom'] }),
      ),
    ).toBe('no-cache="Set-Cookie, Link, Custom"');
  });

  it.each([
    ['private', { private: true }, 'private'],
    ['private', { public: true }, 'private'],
    ['public', { public: true }, 'public'],
    ['public', { private: true }, 'private'],
  ])('193: %s and %j is %s', async (existing, options, expected) => {
    expect(await patched(existing, options)).toBe(expected);
  });

  it.each([
    ['must-revalidate,max-age=60,private', { public: true }, 'must-revalidate, max-age=60, private'],
    ['must-revalidate,max-age=60,public', { private: true }, 'must-revalidate, max-age=60, private'],
    ['must-revalidate,max-age=60', { public: true }, 'must-revalidate, max-age=60, public'],
  ])('194: %s and %j is %s', async (existing, options, expected) => {
    expect(await patched(existing, options)).toBe(expected);
  });

  it('196: exactly the given parts are sent, private and public together', async () => {
    const options = { maxAge: '123s', private: true, public: true, extensions: { custom: 456 } } as const;
    const parts = (await patched(undefined, options))?.split(', ') ?? [];
    expect(parts.sort()).toEqual(['custom=456', 'max-age=123', 'private', 'public']);
  });

  it('197: never_cache at a fixed clock sends Expires of that moment, and its directives in their order', async () => {
    const now = Date.UTC(2026, 10, 24, 12);
    jest.spyOn(Date, 'now').mockReturnValue(now);
    expect(await headerOf('expires', {}, NeverCache())).toBe(new Date(now).toUTCString());
    expect((await pages.ask('/page')).headers.get('cache-control')).toBe(
      'max-age=0, no-cache, no-store, must-revalidate, private',
    );
  });

  it('198: never_cache keeps an Expires, whatever it says', async () => {
    expect(await headerOf('expires', { expires: 'tomorrow' }, NeverCache())).toBe('tomorrow');
  });

  it('200: sync handlers stay sync and async ones async, and both are decorated', async () => {
    @Controller()
    class BothController {
      @Get('sync') @NeverCache() @VaryOn('Accept') @CachePage('1m') sync(): string {
        return 'sync';
      }
      @Get('async') @NeverCache() @VaryOn('Accept') @CachePage('1m') async(): Promise<string> {
        return Promise.resolve('async');
      }
    }
    expect(new BothController().sync()).toBe('sync');
    expect(new BothController().async()).toBeInstanceOf(Promise);
    await pages.start(BothController);
    for (const name of ['sync', 'async']) {
      const { text, headers } = await pages.ask(`/${name}`);
      expect([text, headers.get('vary')]).toEqual([name, 'Accept']);
      expect(headers.get('cache-control')).toContain('no-store');
    }
  });
});

describe('B16, header helpers', () => {
  const DECORATORS: Record<string, () => MethodDecorator> = {
    CachePage: () => CachePage('1m'),
    NeverCache: () => NeverCache(),
    CacheControl: () => CacheControl({ noStore: true }),
    VaryOn: () => VaryOn('Accept'),
    VaryOnCookie: () => VaryOnCookie('theme'),
    Condition: () => Condition({ etag: () => '1' }),
    InvalidatesPages: () => InvalidatesPages({ path: '/page' }),
  };

  it.each(Object.keys(DECORATORS))(
    '201: @%s on what receives no request is an error that says so',
    (name) => {
      const decorate = DECORATORS[name]!();
      class Subject {
        get accessor(): number {
          return 1;
        }
      }
      const accessor = Object.getOwnPropertyDescriptor(Subject.prototype, 'accessor')!;
      for (const [key, descriptor] of [
        ['accessor', accessor],
        ['field', undefined as never],
      ] as const) {
        const attempt = (): unknown => decorate(Subject.prototype, key, descriptor);
        expect(attempt).toThrow(InvalidDecorationError);
        expect(attempt).toThrow(`@${name} goes on a method of a controller, or on a controller class.`);
      }
    },
  );
});
