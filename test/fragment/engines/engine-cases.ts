import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import fastifyView from '@fastify/view';
import { Eta } from 'eta';
import handlebars from 'handlebars';
import { Liquid } from 'liquidjs';
import type { FragmentCache } from 'nestjs-caching';
import { withFragments as withEjs } from 'nestjs-caching/fragments/ejs';
import { withFragments as withEta } from 'nestjs-caching/fragments/eta';
import { type Hbs, withFragments as withHandlebars } from 'nestjs-caching/fragments/handlebars';
import { withFragments as withLiquid } from 'nestjs-caching/fragments/liquid';
import { withFragments as withNunjucks } from 'nestjs-caching/fragments/nunjucks';
import { withFragments as withPug } from 'nestjs-caching/fragments/pug';
import type { Platform } from '../../support/test-app.js';

/** Some engines have no types. */
const require = createRequire(import.meta.url);

/** The pages that every engine is tried with, each in its own words. */
export type View =
  | 'first'
  | 'second'
  | 'vary'
  | 'settings'
  | 'loop'
  | 'nested'
  | 'data'
  | 'rows'
  | 'framed'
  | 'escape'
  | 'prefetch'
  | 'cells'
  | 'stale'
  | 'misspelt';

export interface EngineCase {
  readonly name: string;
  readonly extension: string;
  readonly views: Readonly<Record<View, string>>;
  /** Partials, layouts, and what is no page. */
  readonly parts: Readonly<Record<string, string>>;
  /** A page whose fragment has no literal name. */
  readonly unnamed: string;
  /** What is given to the platform's own layouts, if the engine has none. */
  readonly layout?: string;
  /** Whether all fragments of a page are read at once. */
  readonly readsTogether: boolean;
  /** What an error says of where it happened. */
  readonly tells: RegExp;
  install(app: INestApplication, platform: Platform, folder: string, fragments: FragmentCache): unknown;
}

interface Application {
  setBaseViewsDir(path: string): void;
  setViewEngine(engine: string): void;
  engine(extension: string, engine: unknown): void;
  register(plugin: unknown, options: object): Promise<unknown>;
}

async function useEngine(
  app: INestApplication,
  platform: Platform,
  folder: string,
  extension: string,
  express: () => unknown,
  fastify: () => object,
): Promise<void> {
  const application = app as unknown as Application;
  if (platform === 'fastify') {
    await application.register(fastifyView, { root: folder, ...fastify() });
    return;
  }
  const engine = express();
  if (engine !== undefined) application.engine(extension, engine);
  application.setBaseViewsDir(folder);
  application.setViewEngine(extension);
}

const HANDLEBARS: EngineCase = {
  name: 'handlebars',
  extension: 'hbs',
  readsTogether: true,
  tells: /{{#cache "foo"}} on line 2: /,
  views: {
    first: '[{{#cache "foo"}}{{text}}{{/cache}}]',
    second: '({{#cache "foo"}}{{text}}{{/cache}})',
    vary: '{{#cache "foo" vary}}{{text}}{{/cache}}',
    settings: '<p>\n{{#cache "foo" ttl=ttl cache=cache}}{{text}}{{/cache}}</p>',
    loop: '{{#each items}}{{#cache "item" id}}<li>{{@index}} {{name}} {{../title}}</li>{{/cache}}{{/each}}',
    nested:
      '{{#cache "outer"}}<ol>{{#each items}}{{#cache "leaf" id tags=tag}}<li>{{name}}</li>{{/cache}}{{/each}}</ol>{{/cache}}',
    data: '{{#cache "list" data=load as |rows|}}{{#each rows}}<i>{{this}}</i>{{/each}}{{/cache}}',
    rows: '{{#cache "rows"}}{{#each items}}{{> row}}{{/each}}{{/cache}}{{> box}}',
    framed: '{{#cache "main"}}<main>{{text}}</main>{{/cache}}',
    escape: '{{user}}|{{#cache "user" user}}<b title="{{user}}">{{user}}</b>{{/cache}}',
    prefetch:
      '{{#each items}}{{#cache "item" id prefetched=../prefetched}}<li>{{name}}</li>{{/cache}}{{/each}}',
    cells: '{{#each items}}{{#cache "cell" id data=load as |cell|}}<b>{{cell}}</b>{{/cache}}{{/each}}',
    stale:
      '{{#each items}}{{#cache "item" id ttl=1000 staleWhileRevalidate="1h"}}<li>{{@index}} {{name}}</li>{{/cache}}{{/each}}',
    misspelt: '<p>\n{{#cache "foo" tll="15m"}}{{text}}{{/cache}}</p>',
  },
  parts: {
    row: '<li>{{name}}</li>',
    box: '{{#cache "box"}}<div>{{text}}</div>{{/cache}}',
    frame: '{{#cache "menu"}}<nav>{{title}}</nav>{{/cache}}{{{body}}}',
  },
  unnamed: '{{#cache text}}{{text}}{{/cache}}',
  layout: 'frame',
  install(app, platform, folder, fragments) {
    const instance = handlebars.create();
    const hbs = require('hbs').create(instance) as Hbs;
    for (const part of ['row', 'box']) instance.registerPartial(part, HANDLEBARS.parts[part] ?? '');
    return useEngine(
      app,
      platform,
      folder,
      'hbs',
      () => withHandlebars(hbs, fragments).__express,
      () => ({ engine: { handlebars: withHandlebars(instance, fragments) } }),
    );
  },
};

const PUG: EngineCase = {
  name: 'pug',
  extension: 'pug',
  readsTogether: true,
  tells: /settings\.pug:2|misspelt\.pug:2/,
  views: {
    first: '| [\n+cache("foo")\n  | #{text}\n| ]',
    second: '| (\n+cache("foo")\n  | #{text}\n| )',
    vary: '+cache("foo", { varyOn: [vary] })\n  | #{text}',
    settings: 'p\n  +cache("foo", choice)\n    | #{text}',
    loop: 'each item, index in items\n  +cache("item", { varyOn: [item.id] })\n    li #{index} #{item.name} #{title}',
    nested:
      '+cache("outer")\n  ol\n    each item in items\n      +cache("leaf", { varyOn: item.id, tags: item.tag })\n        li= item.name',
    data: '+cache("list", { data: load })(as="rows")\n  each row in rows\n    i= row',
    rows: 'mixin row(item)\n  li= item.name\n+cache("rows")\n  each item in items\n    +row(item)\ninclude box',
    framed: 'extends frame\nblock body\n  +cache("main")\n    main= text',
    escape: '| #{user}|\n+cache("user", { varyOn: [user] })\n  b(title=user)= user',
    prefetch:
      'each item in items\n  +cache("item", { varyOn: [item.id], prefetched: prefetched })\n    li= item.name',
    cells:
      'each item in items\n  +cache("cell", { varyOn: [item.id], data: item.load })(as="cell")\n    b= cell',
    stale:
      'each item, index in items\n  +cache("item", { varyOn: item.id, ttl: 1000, staleWhileRevalidate: "1h" })\n    li #{index} #{item.name}',
    misspelt: 'p\n  +cache("foo", { tll: "15m" })\n    | #{text}',
  },
  parts: {
    box: '+cache("box")\n  div= text',
    frame: '+cache("menu")\n  nav= title\nblock body',
  },
  unnamed: '+cache(text)\n  | #{text}',
  install(app, platform, folder, fragments) {
    const pug = () => withPug(require('pug'), fragments);
    return useEngine(
      app,
      platform,
      folder,
      'pug',
      () => pug().__express,
      () => ({ engine: { pug: pug() } }),
    );
  },
};

const NUNJUCKS: EngineCase = {
  name: 'nunjucks',
  extension: 'njk',
  readsTogether: false,
  tells: /(settings|misspelt)\.njk[^]*Line 2/,
  views: {
    first: '[{% cache "foo" %}{{ text }}{% endcache %}]',
    second: '({% cache "foo" %}{{ text }}{% endcache %})',
    vary: '{% cache "foo", vary %}{{ text }}{% endcache %}',
    settings: '<p>\n{% cache "foo", ttl=ttl, cache=cache %}{{ text }}{% endcache %}</p>',
    loop: '{% for item in items %}{% cache "item", item.id %}<li>{{ loop.index0 }} {{ item.name }} {{ title }}</li>{% endcache %}{% endfor %}',
    nested:
      '{% cache "outer" %}<ol>{% for item in items %}{% cache "leaf", item.id, tags=[item.tag] %}<li>{{ item.name }}</li>{% endcache %}{% endfor %}</ol>{% endcache %}',
    data: '{% cache "list", data=load, as="rows" %}{% for row in rows %}<i>{{ row }}</i>{% endfor %}{% endcache %}',
    rows: '{% cache "rows" %}{% for item in items %}{% include "row.njk" %}{% endfor %}{% endcache %}{% include "box.njk" %}',
    framed:
      '{% extends "frame.njk" %}{% block body %}{% cache "main" %}<main>{{ text }}</main>{% endcache %}{% endblock %}',
    escape: '{{ user }}|{% cache "user", user %}<b title="{{ user }}">{{ user }}</b>{% endcache %}',
    prefetch:
      '{% for item in items %}{% cache "item", item.id, prefetched=prefetched %}<li>{{ item.name }}</li>{% endcache %}{% endfor %}',
    cells:
      '{% for item in items %}{% cache "cell", item.id, data=item.load, as="cell" %}<b>{{ cell }}</b>{% endcache %}{% endfor %}',
    stale:
      '{% for item in items %}{% cache "item", item.id, ttl=1000, staleWhileRevalidate="1h" %}<li>{{ loop.index0 }} {{ item.name }}</li>{% endcache %}{% endfor %}',
    misspelt: '<p>\n{% cache "foo", tll="15m" %}{{ text }}{% endcache %}</p>',
  },
  parts: {
    row: '<li>{{ item.name }}</li>',
    box: '{% cache "box" %}<div>{{ text }}</div>{% endcache %}',
    frame: '{% cache "menu" %}<nav>{{ title }}</nav>{% endcache %}{% block body %}{% endblock %}',
  },
  unnamed: '{% cache text %}{{ text }}{% endcache %}',
  install(app, platform, folder, fragments) {
    const nunjucks = require('nunjucks');
    return useEngine(
      app,
      platform,
      folder,
      'njk',
      () => {
        const express = app.getHttpAdapter().getInstance();
        withNunjucks(nunjucks.configure(folder, { express, autoescape: true }), fragments);
        return undefined;
      },
      () => ({
        engine: { nunjucks },
        templates: folder,
        options: { onConfigure: (environment: never) => withNunjucks(environment, fragments) },
      }),
    );
  },
};

const LIQUID: EngineCase = {
  name: 'liquid',
  extension: 'liquid',
  readsTogether: false,
  tells: /(settings|misspelt)\.liquid, line:2/,
  views: {
    first: '[{% cache "foo" %}{{ text }}{% endcache %}]',
    second: '({% cache "foo" %}{{ text }}{% endcache %})',
    vary: '{% cache "foo", vary %}{{ text }}{% endcache %}',
    settings: '<p>\n{% cache "foo", ttl: ttl, cache: cache %}{{ text }}{% endcache %}</p>',
    loop: '{% for item in items %}{% cache "item", item.id %}<li>{{ forloop.index0 }} {{ item.name }} {{ title }}</li>{% endcache %}{% endfor %}',
    nested:
      '{% cache "outer" %}<ol>{% for item in items %}{% cache "leaf", item.id, tags: item.tag %}<li>{{ item.name }}</li>{% endcache %}{% endfor %}</ol>{% endcache %}',
    data: '{% cache "list", data: load, as: "rows" %}{% for row in rows %}<i>{{ row }}</i>{% endfor %}{% endcache %}',
    rows: '{% cache "rows" %}{% for item in items %}{% render "row", item: item %}{% endfor %}{% endcache %}{% include "box" %}',
    framed:
      '{% layout "frame" %}{% block body %}{% cache "main" %}<main>{{ text }}</main>{% endcache %}{% endblock %}',
    escape: '{{ user }}|{% cache "user", user %}<b title="{{ user }}">{{ user }}</b>{% endcache %}',
    prefetch:
      '{% for item in items %}{% cache "item", item.id, prefetched: prefetched %}<li>{{ item.name }}</li>{% endcache %}{% endfor %}',
    cells:
      '{% for item in items %}{% cache "cell", item.id, data: item.load, as: "cell" %}<b>{{ cell }}</b>{% endcache %}{% endfor %}',
    stale:
      '{% for item in items %}{% cache "item", item.id, ttl: 1000, staleWhileRevalidate: "1h" %}<li>{{ forloop.index0 }} {{ item.name }}</li>{% endcache %}{% endfor %}',
    misspelt: '<p>\n{% cache "foo", tll: "15m" %}{{ text }}{% endcache %}</p>',
  },
  parts: {
    row: '<li>{{ item.name }}</li>',
    box: '{% cache "box" %}<div>{{ text }}</div>{% endcache %}',
    frame: '{% cache "menu" %}<nav>{{ title }}</nav>{% endcache %}{% block body %}{% endblock %}',
  },
  unnamed: '{% cache text %}{{ text }}{% endcache %}',
  install(app, platform, folder, fragments) {
    const liquid = withLiquid(
      new Liquid({ root: folder, extname: '.liquid', outputEscape: 'escape' }),
      fragments,
    );
    return useEngine(
      app,
      platform,
      folder,
      'liquid',
      () => liquid.express(),
      () => ({ engine: { liquid } }),
    );
  },
};

/** The pages of EJS, and those of Eta, whose data is in `it` and whose text is raw with `~`. */
function scriptViews(it: string, raw: string, include: string): Pick<EngineCase, 'views' | 'unnamed'> {
  return {
    unnamed: `<% cache ${it}text %><%= ${it}text %><% endcache %>`,
    views: {
      first: `[<% cache "foo" %><%= ${it}text %><% endcache %>]`,
      second: `(<% cache "foo" %><%= ${it}text %><% endcache %>)`,
      vary: `<% cache "foo", { varyOn: [${it}vary] } %><%= ${it}text %><% endcache %>`,
      settings: `<p>\n<% cache "foo", ${it}choice %><%= ${it}text %><% endcache %></p>`,
      loop: `<% ${it}items.forEach((item, index) => index); for (const [index, item] of ${it}items.entries()) { %><% cache "item", { varyOn: [item.id] } %><li><%= index %> <%= item.name %> <%= ${it}title %></li><% endcache %><% } %>`,
      nested: `<% cache "outer" %><ol><% for (const item of ${it}items) { %><% cache "leaf", { varyOn: item.id, tags: item.tag } %><li><%= item.name %></li><% endcache %><% } %></ol><% endcache %>`,
      data: `<% cache "list", { data: ${it}load } as rows %><% rows.forEach((row) => { %><i><%= row %></i><% }) %><% endcache %>`,
      rows: `<% cache "rows" %><% for (const item of ${it}items) { %><%${raw} await ${include}("row", { item }) %><% } %><% endcache %><%${raw} await ${include}("box") %>`,
      framed: `<% cache "main" %><main><%= ${it}text %></main><% endcache %>`,
      escape: `<%= ${it}user %>|<% cache "user", { varyOn: [${it}user] } %><b title="<%= ${it}user %>"><%= ${it}user %></b><% endcache %>`,
      prefetch: `<% for (const item of ${it}items) { %><% cache "item", { varyOn: [item.id], prefetched: ${it}prefetched } %><li><%= item.name %></li><% endcache %><% } %>`,
      cells: `<% for (const item of ${it}items) { %><% cache "cell", { varyOn: [item.id], data: item.load } as cell %><b><%= cell %></b><% endcache %><% } %>`,
      stale: `<% var index = 0; for (var item of ${it}items) { %><% cache "item", { varyOn: item.id, ttl: 1000, staleWhileRevalidate: "1h" } %><li><%= index %> <%= item.name %></li><% endcache %><% index += 1; } %>`,
      misspelt: `<p>\n<% cache "foo", { tll: "15m" } %><%= ${it}text %><% endcache %></p>`,
    },
  };
}

const EJS: EngineCase = {
  name: 'ejs',
  extension: 'ejs',
  readsTogether: false,
  tells: /(settings|misspelt)\.ejs:2/,
  ...scriptViews('', '-', 'include'),
  parts: {
    row: '<li><%= item.name %></li>',
    box: '<% cache "box" %><div><%= text %></div><% endcache %>',
    frame: '<% cache "menu" %><nav><%= title %></nav><% endcache %><%- body %>',
  },
  layout: 'frame',
  install(app, platform, folder, fragments) {
    const ejs = withEjs(require('ejs').default ?? require('ejs'), fragments);
    return useEngine(
      app,
      platform,
      folder,
      'ejs',
      () => ejs.__express,
      () => ({ engine: { ejs } }),
    );
  },
};

const ETA: EngineCase = {
  name: 'eta',
  extension: 'eta',
  readsTogether: false,
  tells: /(settings|misspelt)\.eta:2/,
  ...scriptViews('it.', '~', 'includeAsync'),
  parts: {
    row: '<li><%= it.item.name %></li>',
    box: '<% cache "box" %><div><%= it.text %></div><% endcache %>',
    frame: '<% cache "menu" %><nav><%= it.title %></nav><% endcache %><%~ it.body %>',
  },
  layout: 'frame',
  install(app, platform, folder, fragments) {
    const eta = withEta(new Eta({ views: folder, debug: true }), fragments);
    return useEngine(
      app,
      platform,
      folder,
      'eta',
      () => eta.__express,
      () => ({ engine: { eta }, options: { async: true } }),
    );
  },
};

export const ENGINES: readonly EngineCase[] = [HANDLEBARS, PUG, NUNJUCKS, LIQUID, EJS, ETA];

/** The templates of an engine in files. */
export async function writeViews(engine: EngineCase): Promise<{ folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-views-'));
  const files = { ...engine.views, ...engine.parts, unnamed: engine.unnamed };
  for (const [name, source] of Object.entries(files)) {
    const file = join(folder, `${name}.${engine.extension}`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, source);
  }
  return { folder, remove: () => rm(folder, { recursive: true }) };
}
