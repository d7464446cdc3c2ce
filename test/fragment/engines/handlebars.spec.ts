import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import handlebars from 'handlebars';
import { FragmentCache } from 'nestjs-caching';
import { type Hbs, withFragments } from 'nestjs-caching/fragments/handlebars';
import { CacheRegistry } from '../../../libs/caching/src/cache/cache-registry.js';
import { resolveOptions } from '../../../libs/caching/src/resolve-options.js';
import { gate } from '../../support/gate.js';

const require = createRequire(import.meta.url);

async function openFragments(): Promise<FragmentCache> {
  const options = resolveOptions({});
  return new FragmentCache(await CacheRegistry.open(options), options.fragments);
}

describe('Handlebars with fragments', () => {
  let fragments: FragmentCache;
  let instance: typeof handlebars;
  let engine: typeof handlebars;

  beforeEach(async () => {
    fragments = await openFragments();
    instance = handlebars.create();
    engine = withFragments(instance, fragments);
  });

  /** `@fastify/view` waits for what a template answers. */
  const render = async (source: string, context: object = {}): Promise<string> =>
    engine.compile(source)(context);

  it('shows loop variables of every level around a block', async () => {
    const source =
      '{{#each rows as |row r|}}{{#each row as |cell c|}}' +
      '{{#cache "cell" r c}}{{@../index}}{{@index}}{{#if @last}}!{{/if}}{{r}}{{c}}{{cell}}{{../../title}} {{/cache}}' +
      '{{/each}}{{/each}}';
    const drawn = '0000at 01!01bt 1010ct 11!11dt ';
    const context = {
      title: 't',
      rows: [
        ['a', 'b'],
        ['c', 'd'],
      ],
    };
    expect(await render(source, context)).toBe(drawn);
    expect(
      await render(source, {
        rows: [
          [1, 2],
          [3, 4],
        ],
      }),
    ).toBe(drawn);
  });

  it('shows the inline partials and the block of a layout, also when other pages are rendered meanwhile', async () => {
    instance.registerPartial(
      'layout',
      '{{#cache "frame" page}}<aside>{{> side}}</aside><main>{{> @partial-block}}</main>{{/cache}}',
    );
    instance.registerPartial('shared', '<i>shared</i>');
    const source =
      '{{#*inline "inner"}}inner of {{page}}{{/inline}}' +
      '{{#> layout}}{{#*inline "side"}}side of {{page}}, {{> inner}}{{/inline}}{{> inner}} {{> shared}}{{/layout}}';
    const plain =
      '{{#*inline "inner"}}other inner{{/inline}}{{#> layout}}{{#*inline "side"}}other side{{/inline}}other main{{/layout}}';
    const drawn = (page: string) =>
      `<aside>side of ${page}, inner of ${page}</aside><main>inner of ${page} <i>shared</i></main>`;
    const pages = await Promise.all([
      render(source, { page: 'a' }),
      render(plain, { page: 'x' }),
      render(source, { page: 'b' }),
    ]);
    expect(pages).toEqual([drawn('a'), '<aside>other side</aside><main>other main</main>', drawn('b')]);
    expect(await render(source, { page: 'a' })).toBe(drawn('a'));
  });

  it('shows inline partials that are within a block', async () => {
    const source = '{{#cache "a"}}{{#*inline "in"}}<b>{{x}}</b>{{/inline}}{{> in}}{{> in x="2"}}{{/cache}}';
    expect(await render(source, { x: '1' })).toBe('<b>1</b><b>2</b>');
  });

  it('drops what a helper drops, and does not render it', async () => {
    instance.registerHelper('hide', function (this: unknown, options: { fn(context: unknown): string }) {
      options.fn(this);
      return '';
    } as never);
    let loads = 0;
    const load = () => (loads += 1);
    expect(await render('{{#hide}}{{#cache "a" data=load as |x|}}{{x}}{{/cache}}{{/hide}}-', { load })).toBe(
      '-',
    );
    expect(loads).toBe(0);
  });

  it('does not store a placeholder of the page around a block', async () => {
    let kept = '';
    instance.registerHelper('keep', function (this: unknown, options: { fn(context: unknown): string }) {
      kept = options.fn(this);
      return '';
    } as never);
    instance.registerHelper('kept', () => new instance.SafeString(kept));
    const source =
      '{{#keep}}{{#cache "inner"}}inner{{/cache}}{{/keep}}{{#cache "outer"}}<{{kept}}>{{/cache}}';
    expect(await render(source)).toBe('<inner>');
    expect(await render('{{#cache "outer"}}never{{/cache}}')).toBe('<inner>');
  });

  it('leaves what is not there for others to render, if a block fails', async () => {
    const failing = {
      items: [
        { id: 1, load: () => Promise.resolve('one') },
        { id: 2, name: 'two', fails: true },
      ],
    };
    instance.registerHelper('check', (fails: boolean) => {
      if (fails) throw new Error('the shop is closed');
      return 'ok';
    });
    const source =
      '{{#each items}}{{#cache "item" id}}{{check fails}}{{/cache}}{{/each}}{{#cache "other"}}other{{/cache}}';
    await expect(render(source, failing)).rejects.toThrow('the shop is closed');
    expect(await fragments.render('item', { varyOn: [1] }, () => 'never')).toBe('ok');
    expect(await fragments.render('other', {}, () => 'never')).toBe('other');
  });

  it('does not wait for the data of one block to render another', async () => {
    const held = gate();
    const rendered = gate();
    const page = render(
      '{{#cache "slow" data=slow as |x|}}{{x}}{{/cache}}{{#cache "outer"}}{{#cache "inner" data=inner as |y|}}{{y}}{{/cache}}{{/cache}}',
      {
        slow: () => held.opened.then(() => 'slow'),
        inner: () => {
          rendered.open();
          return 'inner';
        },
      },
    );
    await rendered.opened;
    held.open();
    expect(await page).toBe('slowinner');
  });

  it('loads no more than a hundred fragments of a level at once, however many there be', async () => {
    let loads = 0;
    let most = 0;
    const load = async () => {
      loads += 1;
      most = Math.max(most, loads);
      await new Promise(setImmediate);
      loads -= 1;
      return '.';
    };
    const rows = Array.from({ length: 150 }, (_row, row) => ({ row, cells: [1, 2, 3], load }));
    const source =
      '{{#each rows}}{{#cache "row" row}}{{#each cells}}{{#cache "cell" ../row this data=../load as |x|}}{{x}}{{/cache}}{{/each}};{{/cache}}{{/each}}';
    await render(source, { rows: rows.slice(20, 40) });
    expect(await render(source, { rows })).toBe('...;'.repeat(150));
    expect(most).toBe(100);
    const ids = Array.from({ length: 1200 }, (_id, id) => ({ id, load }));
    expect(
      await render('{{#each ids}}{{#cache "a" id data=load as |x|}}{{x}}{{/cache}}{{/each}}', { ids }),
    ).toBe('.'.repeat(1200));
    expect(most).toBe(100);
  });

  it.each([
    ['{{#cache}}x{{/cache}}', 'Line 1: {{#cache}} takes'],
    ['\n{{#cache 5}}x{{/cache}}', 'Line 2: {{#cache}} takes'],
    ['{{#if a}}\n{{else}}\n{{#cache name}}x{{/cache}}{{/if}}', 'Line 3: {{#cache}} takes'],
    ['{{cache "a"}}', 'it is a block'],
  ])('refuses %j', async (source, message) => {
    await expect(render(source, { name: 'a' })).rejects.toThrow(message);
  });

  it('says so if a template is rendered where nobody waits', () => {
    expect(() => instance.compile('{{#cache "a"}}x{{/cache}}')({})).toThrow('rendered without waiting');
  });

  it('says so if there is another helper of the name', () => {
    const other = handlebars.create();
    other.registerHelper('cache', () => 'mine');
    expect(() => withFragments(other, fragments)).toThrow('has a helper "cache" already');
  });

  it('serves several applications with one instance', async () => {
    const others = withFragments(instance, await openFragments());
    const source = '{{#cache "a"}}{{text}}{{/cache}}';
    expect(await render(source, { text: 'one' })).toBe('one');
    expect(await (others.compile(source)({ text: 'two' }) as unknown as Promise<string>)).toBe('two');
    expect(await render(source, { text: 'three' })).toBe('one');
  });
});

describe('hbs with fragments', () => {
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true });
  });

  async function open(files: Record<string, string>) {
    const folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-hbs-'));
    folders.push(folder);
    for (const [name, source] of Object.entries(files)) await writeFile(join(folder, `${name}.hbs`), source);
    const hbs = require('hbs').create(handlebars.create());
    const { __express } = withFragments(hbs as Hbs, await openFragments());
    const render = (name: string, locals: object = {}): Promise<string> =>
      new Promise((resolve, reject) => {
        __express(
          join(folder, `${name}.hbs`),
          { settings: { views: folder }, ...locals },
          (error, html = '') => (error ? reject(error) : resolve(html)),
        );
      });
    return { hbs, folder, render };
  }

  it('waits for partials that are still being registered', async () => {
    const { hbs, folder, render } = await open({ page: '{{#cache "a"}}{{> part}}{{/cache}}', part: 'part' });
    hbs.registerPartials(folder);
    expect(await render('page')).toBe('part');
  });

  it('has asynchronous helpers beside cached blocks, and says so within them', async () => {
    const { hbs, render } = await open({
      beside: '{{later}} {{#cache "a"}}block{{/cache}}',
      within: '{{#cache "b"}}{{later}}{{/cache}}',
    });
    hbs.registerAsyncHelper('later', (_options: unknown, done: (text: string) => void) =>
      setImmediate(done, '<later>'),
    );
    expect(await render('beside')).toBe('&lt;later&gt; block');
    await expect(render('within')).rejects.toThrow('do not work in a cached block');
    expect(await render('beside')).toBe('&lt;later&gt; block');
  });
});
