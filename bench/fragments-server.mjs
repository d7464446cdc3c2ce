// One application that shows one page in four ways, by one engine, in a process of its own: `/cached`, 50 fragments that are
// at hand; `/static`, their markup as it stands in the template; `/loop`, the same by the loop of the engine; `/rendered`, the
// same blocks rendered anew. Each block takes 2 ms of work and has about 1 kB.
import 'reflect-metadata';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastifyView from '@fastify/view';
import { Controller, Get, Module, Render } from '@nestjs/common';
import { Eta } from 'eta';
import { Liquid } from 'liquidjs';
import { CachingModule, FragmentCache } from 'nestjs-caching';
import { createApplication } from './application.mjs';

const require = createRequire(import.meta.url);
const [platform, name] = process.argv.slice(2);
const BLOCKS = 50;
const WORK_MS = 2;

const views = mkdtempSync(join(tmpdir(), 'nestjs-caching-bench-'));
const rows = (row) => row.repeat(20);
const TEXT = 'A row of a list that a shop shows';

/** The words of each engine: a loop around blocks, a block, what does the work, and how it is set up. */
const ENGINES = {
  handlebars: {
    extension: 'hbs',
    loop: (body) => `{{#each ids}}${body}{{/each}}`,
    block: (body) => `{{#cache "block" this ttl="15m" tags="products"}}${body}{{/cache}}`,
    work: '{{@root.work}}',
    express: (fragmented) => fragmented(require('hbs')).__express,
    fastify: (fragmented) => ({ handlebars: fragmented(require('handlebars')) }),
  },
  pug: {
    extension: 'pug',
    loop: (body) => `each id in ids\n${body.replace(/^/gm, '  ')}`,
    block: (body) =>
      `+cache("block", { varyOn: [id], ttl: "15m", tags: "products" })\n${body.replace(/^/gm, '  ')}`,
    work: '| !{work()}\n',
    express: (fragmented) => fragmented(require('pug')).__express,
    fastify: (fragmented) => ({ pug: fragmented(require('pug')) }),
  },
  nunjucks: {
    extension: 'njk',
    loop: (body) => `{% for id in ids %}${body}{% endfor %}`,
    block: (body) => `{% cache "block", id, ttl="15m", tags="products" %}${body}{% endcache %}`,
    work: '{{ work() }}',
    express: (fragmented, app) => {
      const express = app.getHttpAdapter().getInstance();
      fragmented(require('nunjucks').configure(views, { express }));
    },
    fastify: () => ({ nunjucks: require('nunjucks') }),
    options: (fragmented) => ({ onConfigure: fragmented }),
  },
  liquid: {
    extension: 'liquid',
    loop: (body) => `{% for id in ids %}${body}{% endfor %}`,
    block: (body) => `{% cache "block", id, ttl: "15m", tags: "products" %}${body}{% endcache %}`,
    work: '{{ work }}',
    express: (fragmented) => fragmented(liquid()).express(),
    fastify: (fragmented) => ({ liquid: fragmented(liquid()) }),
  },
  ejs: {
    extension: 'ejs',
    loop: (body) => `<% for (const id of ids) { %>${body}<% } %>`,
    block: (body) =>
      `<% cache "block", { varyOn: [id], ttl: "15m", tags: "products" } %>${body}<% endcache %>`,
    work: '<%= work() %>',
    express: (fragmented) => fragmented(require('ejs').default ?? require('ejs')).__express,
    fastify: (fragmented) => ({ ejs: fragmented(require('ejs').default ?? require('ejs')) }),
  },
  eta: {
    extension: 'eta',
    loop: (body) => `<% for (const id of it.ids) { %>${body}<% } %>`,
    block: (body) =>
      `<% cache "block", { varyOn: [id], ttl: "15m", tags: "products" } %>${body}<% endcache %>`,
    work: '<%= it.work() %>',
    express: (fragmented) => fragmented(new Eta({ views, cache: true })).__express,
    fastify: (fragmented) => ({ eta: fragmented(new Eta({ views, cache: true })) }),
    options: () => ({ async: true }),
  },
};

function liquid() {
  return new Liquid({ root: views, extname: '.liquid', cache: true });
}

function work() {
  const end = cpu() + WORK_MS * 1000;
  while (cpu() < end);
  return '';
}

/** Microseconds of CPU that this process has had. */
function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const engine = ENGINES[name];
const markup =
  name === 'pug' ? `ul\n${rows(`  li ${TEXT}\n`)}`.trim() : `<ul>${rows(`<li>${TEXT}</li>`)}</ul>`;
const block = engine.work + markup;
const pages = {
  cached: engine.loop(engine.block(block)),
  static: Array.from({ length: BLOCKS }, () => markup).join('\n'),
  loop: engine.loop(markup),
  rendered: engine.loop(block),
};
for (const [page, source] of Object.entries(pages))
  writeFileSync(join(views, `${page}.${engine.extension}`), source);

class Pages {}
for (const page of Object.keys(pages)) {
  Pages.prototype[page] = () => ({ ids: Array.from({ length: BLOCKS }, (_, id) => id), work });
  const descriptor = Object.getOwnPropertyDescriptor(Pages.prototype, page);
  for (const decorate of [Get(page), Render(page)]) decorate(Pages.prototype, page, descriptor);
}
Controller()(Pages);
class App {}
Module({ imports: [CachingModule.forRoot()], controllers: [Pages] })(App);

const app = await createApplication(platform, App);
const { withFragments } = await import(`nestjs-caching/fragments/${name}`);
const fragmented = (instance) => withFragments(instance, app.get(FragmentCache));
if (platform === 'fastify') {
  const given = { engine: engine.fastify(fragmented), root: views, viewExt: engine.extension };
  await app.register(fastifyView, {
    ...given,
    templates: views,
    options: engine.options?.(fragmented) ?? {},
  });
} else {
  const express = engine.express(fragmented, app);
  if (express !== undefined) app.engine(engine.extension, express);
  app.setBaseViewsDir(views);
  app.setViewEngine(engine.extension);
}
await app.listen(0, '127.0.0.1');
process.send({ url: (await app.getUrl()).replace('[::1]', '127.0.0.1') });
process.on('message', () => process.send(cpu()));
process.on('disconnect', () => {
  rmSync(views, { recursive: true });
  process.exit();
});
