import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Injectable, type ModuleMetadata, Scope } from '@nestjs/common';
import { ModuleRef, REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { CACHING_CLOCK, CacheService, type CacheOptions, CachingModule } from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { gate, type Gate } from '../support/gate.js';
import { until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';
import { PLATFORMS, startApp } from '../support/test-app.js';

/** What the request-scoped provider of the tests is told, and tells. */
const script: { begun: Gate; finish: Gate; readonly seen: string[] } = {
  begun: gate(),
  finish: gate(),
  seen: [],
};

@Injectable({ scope: Scope.REQUEST })
class Tenant {
  constructor(
    @Inject(REQUEST) private readonly request: { url?: string; query?: { name?: string } } | undefined,
  ) {}
  get name(): string {
    return this.request?.query?.name ?? 'of no request';
  }
}

const LIFE = { ttl: '1m', staleWhileRevalidate: '1h' } as const;

@Controller()
class ReportController {
  constructor(
    private readonly cache: CacheService,
    private readonly modules: ModuleRef,
    private readonly tenant: Tenant,
  ) {}

  /** The factory uses the provider of the request that began it. */
  @Get('own') own(): Promise<string> {
    return this.cache.getOrSet('own', () => this.load(this.tenant), LIFE);
  }

  /** The factory makes a scope of its own. */
  @Get('scope') scope(): Promise<string> {
    return this.cache.getOrSet('scope', async () => this.load(await this.modules.resolve(Tenant)), LIFE);
  }

  private async load(tenant: Tenant): Promise<string> {
    script.begun.open();
    await script.finish.opened;
    script.seen.push(tenant.name);
    return tenant.name;
  }
}

function describeLifeCycle(name: string, options: () => CacheOptions): void {
  describe(`C-G · life cycle in Nest, on ${name}`, () => {
    const imports = () => [CachingModule.forRoot({ ...options(), keyPrefix: 'life', readDeadline: '10m' })];

    it.each(PLATFORMS)(
      '110 · background refresh after the request ended, the factory uses a request-scoped provider (%s) → a scope that lives, no disposed provider',
      async (platform) => {
        const clock = new FakeClock();
        const metadata: ModuleMetadata = {
          imports: imports(),
          controllers: [ReportController],
          providers: [Tenant],
        };
        const app = await startApp(platform, metadata, undefined, (builder) =>
          builder.overrideProvider(CACHING_CLOCK).useValue(clock),
        );
        await app.app.get(CacheService).clear();
        for (const [route, first, second] of [
          ['own', 'one', 'two'],
          ['scope', 'of no request', 'of no request'],
        ]) {
          script.seen.length = 0;
          script.finish.open();
          expect((await app.fetch(`/${route}?name=one`)).text).toBe(first);
          clock.advance(60_000);
          [script.begun, script.finish] = [gate(), gate()];
          expect((await app.fetch(`/${route}?name=two`)).text).toBe(first);
          await script.begun.opened;
          // The response is whole, the request has ended, and the refresh goes on.
          expect(script.seen).toEqual([first]);
          script.finish.open();
          await until(() => script.seen.length === 2);
          expect(script.seen).toEqual([first, second]);
          await until(async () => (await app.fetch(`/${route}?name=three`)).text === second);
          expect(script.seen).toHaveLength(2);
        }
        await app.close();
        expect(clock.pending).toBe(0);
      },
    );

    it('111 · app.close() during loads → drained inside the limit', async () => {
      const { app, cache, clock } = await start();
      const [begun, finish] = [gate(), gate()];
      const loading = cache.getOrSet('k', async () => (begun.open(), await finish.opened, 'v'));
      await begun.opened;
      const closing = app.close();
      finish.open();
      expect(await loading).toBe('v');
      await closing;
      expect(clock.pending).toBe(0);
      await expect(cache.get('k')).rejects.toMatchObject({ code: 'CACHING_CLOSED' });
    });

    it('111 · … or aborted at the limit, and every caller is answered', async () => {
      const { app, cache, clock } = await start();
      const begun = gate();
      let signal: AbortSignal | undefined;
      const loading = cache.getOrSet('k', (context) => {
        ({ signal } = context);
        begun.open();
        return new Promise<never>(() => undefined);
      });
      const outcome = Promise.allSettled([loading]);
      await begun.opened;
      let isClosed = false;
      const closing = app.close().then(() => (isClosed = true));
      await until(() => {
        clock.advance(10);
        return isClosed;
      });
      await closing;
      expect(signal?.aborted).toBe(true);
      expect((await outcome)[0]).toMatchObject({ status: 'rejected', reason: { code: 'CACHING_CLOSED' } });
      expect(clock.pending).toBe(0);
    });

    it('116 · a fake clock in the test module → hour-long lives tested in milliseconds, no real timers left running', async () => {
      const { app, cache, clock } = await start();
      let runs = 0;
      const read = () => cache.getOrSet('hours', () => (runs += 1), { ttl: '6h', staleIfError: 1 });
      expect(await read()).toBe(1);
      clock.advance(6 * 3_600_000 - 1);
      expect(await read()).toBe(1);
      clock.advance(1);
      expect(await read()).toBe(2);
      await app.close();
      expect(clock.pending).toBe(0);
    });

    async function start() {
      const clock = new FakeClock();
      const module = await Test.createTestingModule({ imports: imports() })
        .overrideProvider(CACHING_CLOCK)
        .useValue(clock)
        .compile();
      const app = await module.init();
      const cache = app.get(CacheService);
      await cache.clear();
      return { app, cache, clock };
    }
  });
}

describeLifeCycle('memory', () => ({}));
describeService('redis', (service) => describeLifeCycle('redis', () => ({ url: service().url })));
