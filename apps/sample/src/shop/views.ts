import { fileURLToPath } from 'node:url';
import type { INestApplication } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FragmentCache } from 'nestjs-caching';
import { withFragments } from 'nestjs-caching/fragments/handlebars';
import type { Settings } from '../settings.js';

const VIEWS = fileURLToPath(new URL('../../views', import.meta.url));

/** Lets handlers `@Render` what is in `views/`, with `{{#cache}}`, by the engine that each platform uses. */
export async function useViews(app: INestApplication, platform: Settings['platform']): Promise<void> {
  const fragments = app.get(FragmentCache);
  if (platform === 'express') {
    const { default: hbs } = await import('hbs');
    const express = app as NestExpressApplication;
    express.engine('hbs', withFragments(hbs, fragments).__express);
    express.setBaseViewsDir(VIEWS);
    express.setViewEngine('hbs');
    return;
  }
  const { default: view } = await import('@fastify/view');
  const { default: handlebars } = await import('handlebars');
  const engine = { handlebars: withFragments(handlebars, fragments) };
  await (app as NestFastifyApplication).register(view, { engine, root: VIEWS });
}
