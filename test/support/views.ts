import type { INestApplication } from '@nestjs/common';
import fastifyView from '@fastify/view';
import handlebars from 'handlebars';
import { fileURLToPath } from 'node:url';
import type { Platform } from './test-app.js';

const VIEWS = fileURLToPath(new URL('views', import.meta.url));

/** Lets handlers `@Render` the templates in `views/`. */
export async function useViews(app: INestApplication, platform: Platform): Promise<void> {
  const engine = app as unknown as {
    setBaseViewsDir(path: string): void;
    setViewEngine(engine: string): void;
    register(plugin: unknown, options: object): Promise<unknown>;
  };
  if (platform === 'fastify') {
    await engine.register(fastifyView, { engine: { handlebars }, root: VIEWS });
    return;
  }
  engine.setBaseViewsDir(VIEWS);
  engine.setViewEngine('hbs');
}
