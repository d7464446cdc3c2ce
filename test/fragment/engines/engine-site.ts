import { Controller, Get, Param, Render, Res } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CachePage, CACHING_CLOCK, CachingModule, type CachingOptions, FragmentCache } from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { type Platform, startApp, type TestApp } from '../../support/test-app.js';
import type { EngineCase, View } from './engine-cases.js';

export const SETTINGS = { default: {}, fragments: {} };
/** What the page is made of. */
let model: Record<string, unknown> = {};

@Controller()
class PagesController {
  constructor(private readonly host: HttpAdapterHost) {}

  @Get('kept')
  @CachePage('1h')
  @Render('nested' satisfies View)
  kept(): unknown {
    return { ...model };
  }

  @Get(':view')
  show(@Param('view') view: string, @Res() response: { view?(...given: unknown[]): unknown }): unknown {
    const { layout, ...locals } = model;
    if (layout !== undefined && response.view !== undefined) return response.view(view, locals, { layout });
    return this.host.httpAdapter.render(response, view, { ...model });
  }
}

/** An application that shows the pages of an engine. */
export interface Site {
  readonly app: TestApp;
  readonly fragments: FragmentCache;
  readonly clock: FakeClock;
  /** The body of a page; an Error if it is not there. */
  page(view: View | 'unnamed' | 'kept', given?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

export async function openSite(
  engine: EngineCase,
  platform: Platform,
  folder: string,
  options: CachingOptions = { caches: SETTINGS },
  isClockReal = false,
): Promise<Site> {
  const clock = new FakeClock();
  const app = await startApp(
    platform,
    { imports: [CachingModule.forRoot(options)], controllers: [PagesController] },
    async (application) => {
      application.useLogger(false);
      await engine.install(application, platform, folder, application.get(FragmentCache));
    },
    (builder) => (isClockReal ? builder : builder.overrideProvider(CACHING_CLOCK).useValue(clock)),
  );
  return {
    app,
    clock,
    fragments: app.app.get(FragmentCache),
    async page(view, given = {}) {
      model = given;
      const { status, text } = await app.fetch(`/${view}`);
      if (status !== 200) throw new Error(text);
      return text.replace(/>\s+</g, '><').trim();
    },
    close: () => app.close(),
  };
}

/** What the pages list. */
export const items = (count: number) =>
  Array.from({ length: count }, (_item, index) => ({
    id: index + 1,
    name: `item ${index + 1}`,
    tag: `leaf-${index + 1}`,
  }));

/** How they list it. */
export const list = (...rows: string[]) => rows.map((row) => `<li>${row}</li>`).join('');
