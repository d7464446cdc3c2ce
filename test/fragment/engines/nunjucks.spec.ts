import { beforeEach, describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { FragmentCache } from 'nestjs-caching';
import { withFragments } from 'nestjs-caching/fragments/nunjucks';
import { FakeClock } from 'nestjs-caching/testing';
import { CacheRegistry } from '../../../libs/caching/src/cache/cache-registry.js';
import { resolveOptions } from '../../../libs/caching/src/resolve-options.js';
import { gate } from '../../support/gate.js';

const nunjucks = createRequire(import.meta.url)('nunjucks');

type Files = Readonly<Record<string, string>>;

interface Environment {
  render(name: string, data: object): string;
  render(name: string, data: object, done: (error: Error | null, html: string) => void): void;
}

let fragments: FragmentCache;
async function open(options: object = {}, clock?: FakeClock): Promise<void> {
  const resolved = resolveOptions(options);
  fragments = new FragmentCache(await CacheRegistry.open(resolved, clock), resolved.fragments);
}
beforeEach(() => open());

function plain(files: Files, options: object = {}) {
  const getSource = (name: string) =>
    files[name] === undefined ? null : { src: files[name], path: name, noCache: false };
  return new nunjucks.Environment({ getSource }, { autoescape: true, ...options });
}

function environment(files: Files, options?: object): Environment {
  return withFragments(plain(files, options), fragments) as never;
}

/** Renders `page` as Express does. */
function renderer(files: Files, options?: object): (data?: object) => Promise<string> {
  const engine = environment(files, options);
  return (data = {}) =>
    new Promise((resolve, reject) => {
      engine.render('page', data, (error, html) => (error ? reject(error) : resolve(html)));
    });
}

const ids = (count: number) => Array.from({ length: count }, (_id, index) => ({ id: index + 1 }));
const ROW = '{% cache "row", item.id %}<{{ item.id }}>{% endcache %}';

describe('cached blocks that are not in the template itself', () => {
  it.each<[string, Files, string]>([
    ['in a loop', { page: '[{% for item in items %}{% include "row" %},{% endfor %}]' }, '[<1>,<2>,<3>,]'],
    [
      'in a condition',
      { page: '[{% if items %}{% include "side" %}{% endif %}]{% if none %}{% include "side" %}{% endif %}' },
      '[side]',
    ],
    [
      'in every branch',
      {
        page: '{% for item in items %}{% if item.id == 1 %}{% include "row" %}{% elif item.id == 2 %}{% include "side" %}{% else %}-{% include "row" %}{% endif %};{% endfor %}',
      },
      '<1>;side;-<3>;',
    ],
    [
      'behind a loop that is empty',
      { page: '{% for item in none %}x{% else %}{% include "side" %}!{% endfor %}|' },
      'side!|',
    ],
    [
      'in a cached loop',
      { page: '{% cache "all" %}{% for item in items %}{% include "row" %}{% endfor %}{% endcache %}' },
      '<1><2><3>',
    ],
    [
      'several templates away',
      {
        page: '{% for item in items %}{% include "one" %};{% endfor %}',
        one: '{% if item.id > 1 %}{% include names[item.id] %}{% endif %}',
      },
      ';<2>;side;',
    ],
    [
      'in the block of a page',
      {
        page: '{% extends "layout" %}{% block aside %}{% cache "aside" %}aside{% endcache %}{% endblock %}',
        layout: '<{% if items %}{% block aside %}{% endblock %}{% endif %}>',
      },
      '<aside>',
    ],
    [
      'in the block of a layout',
      {
        page: '{% extends "layout" %}{% block aside %}{% if items %}({{ super() }}){% endif %}!{% endblock %}',
        layout: '<{% block aside %}{% cache "aside" %}aside{% endcache %}{% endblock %}>',
      },
      '<(aside)!>',
    ],
    [
      'in a block of a loop',
      {
        page: '{% extends "layout" %}{% block row %}{% cache "row", item.id %}{{ item.id }}{% endcache %}{% endblock %}',
        layout: '{% for item in items %}{% block row %}{% endblock %};{% endfor %}',
      },
      '1;2;3;',
    ],
    [
      'in a loop over names and values',
      { page: '{% for key, item in pairs %}{{ key }}{% include "row" %}{{ loop.index }};{% endfor %}' },
      'a<8>1;b<9>2;',
    ],
  ])('come where they belong %s', async (_where, files, expected) => {
    const render = renderer({ row: ROW, side: '{% cache "side" %}side{% endcache %}', ...files });
    const data = {
      items: ids(3),
      names: { 2: 'row', 3: 'side' },
      pairs: { a: { id: 8 }, b: { id: 9 } },
    };
    expect([await render(data), await render(data)]).toEqual([expected, expected]);
  });

  it('are kept with the data of their own round', async () => {
    const page = '{% cache "all" %}{% for item in items %}{% include "row" %}{% endfor %}{% endcache %}';
    await renderer({ page, row: ROW })({ items: ids(3) });
    const kept = ids(3).map(({ id }) => fragments.render('row', { varyOn: [id] }, () => 'never'));
    expect(await Promise.all(kept)).toEqual(['<1>', '<2>', '<3>']);
  });

  it.each([
    ['macro', '{% macro m(item) %}\n{% include "row" %}{% endmacro %}{{ m(items[0]) }}'],
    ['call', '{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% include "list" %}{% endcall %}'],
    ['filter', '{% filter upper %}{% include "list" %}{% endfilter %}'],
    ['switch', '{% switch 1 %}{% case 1 %}{% if items %}{% include "row" %}{% endif %}{% endswitch %}'],
    ['set', '{% set x %}{% for item in items %}{% include "row" %}{% endfor %}{% endset %}{{ x }}'],
  ])('are an error within %s, where they would be lost', async (tag, page) => {
    const list = '{% for item in items %}\n{% include "row" %}{% endfor %}';
    const render = renderer({ page, list, row: ROW });
    const told = new RegExp(`Line 1: Fragment "row" .* included within {% ${tag} %}`);
    await expect(render({ items: ids(2) })).rejects.toThrow(told);
    await fragments.render('row', { varyOn: [1] }, () => 'at hand');
    await expect(render({ items: ids(1) })).rejects.toThrow(told);
  });

  it('are none of an error behind such a tag', async () => {
    const page =
      '{% macro m() %}{% include "text" %}{% endmacro %}{{ m() }}{% set x %}{% include "text" %}{% endset %}' +
      '{% for item in items %}{{ x }}{% include "row" %}{% endfor %}';
    const render = renderer({ page, row: ROW, text: 'text' });
    expect(await render({ items: ids(2) })).toBe('texttext<1>text<2>');
  });
});

/** What plain Nunjucks makes of these is what is to come out. */
const PLAIN: Readonly<Record<string, string>> = {
  'a list': '{% for item in list %}{{ loop.index }}{% include "part" %}{{ loop.last }}{% endfor %}',
  'a list of lists': '{% for a, b in lists %}{{ a }}{{ b }}{% include "part" %}{% endfor %}',
  'many names': '{% for a, b, c, d, e in lists %}{{ a }}{{ d }}{{ e }}{% include "part" %}{% endfor %}',
  'an object': '{% for a, b in object %}{{ a }}{{ b }}{{ loop.length }}{% include "part" %}{% endfor %}',
  'an object by one name': '{% for item in object %}{% include "part" %}{% else %}none{% endfor %}',
  'a map': '{% for a, b in map %}{{ a }}{{ b }}{% include "part" %}{% endfor %}',
  'a set': '{% for item in set %}{% include "part" %}{% endfor %}',
  text: '{% for item in text %}{% include "part" %}{% endfor %}',
  'text by two names': '{% for a, b in text %}{{ a }}{{ b }}{% include "part" %}{% endfor %}',
  'a number': '{% for item in number %}{% include "part" %}{% else %}none{% endfor %}',
  nothing: '{% for item in nothing %}{% include "part" %}{% else %}none{{ item }}{% endfor %}',
  'nothing by two names': '{% for a, b in nothing %}{% include "part" %}{% else %}none{% endfor %}',
  'an empty list in a list':
    '{% for item in list %}{% for x in [] %}{% include "part" %}{% else %}none{{ item }}{% endfor %}{% else %}-{% endfor %}',
  'names that cannot be those of asyncEach':
    '{% for env in list %}{% for next in list %}{% for class in [1] %}{{ env }}{{ next }}{{ class }}{{ loop.index }}{% include "part" %}{% endfor %}{% endfor %}{% endfor %}',
  'other names of the kind':
    '{% for output, context in object %}{% for frame in list %}{% for tasks in [1] %}{% include "part" %}{{ output }}{{ context }}{{ frame }}{{ tasks }}{% endfor %}{% endfor %}{% endfor %}',
  'a name that is a macro as well':
    '{% macro item() %}macro{% endmacro %}{% for item in list %}{{ item }}{% include "part" %}{% endfor %}{{ item() }}',
  'variables that loops leave':
    '{% set x = 0 %}{% for item in list %}{% include "part" %}{% set x = item %}{% set y = item %}{% endfor %}{{ x }}{{ y }}{{ item }}{{ loop }}',
  'variables that conditions leave':
    '{% if list %}{% include "part" %}{% set x = 1 %}{% else %}{% set x = 2 %}{% endif %}{{ x }}',
  'white space':
    '\n {%- if list -%} \n {%- include "part" -%} \n {%- endif -%} \n {% for item in list -%}\n {% include "part" -%} \n {%- endfor %}\n',
  'a macro':
    '{% macro m(list) %}{% for item in list %}{% include "part" %}{% endfor %}{% include "deep" %}{% endmacro %}{{ m(list) }}|',
  'a call': '{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}{% include "deep" %}{% endcall %}|',
  'a filter': '{% filter upper %}{% include "deep" %}{% endfilter %}|',
  'a set tag': '{% set x %}{% if list %}{% include "deep" %}{% endif %}{% endset %}{{ x }}|',
  'a condition in a switch':
    '{% switch list.length %}{% case 2 %}{% if list %}{% include "part" %}{% endif %}{% for item in list %}{% include "deep" %}{% endfor %}{% case 3 %}x{% endswitch %}|',
  'the else of asyncEach':
    '{% asyncEach x in [] %}{% else %}{% if list %}{% include "part" %}{% endif %}{% endeach %}{% asyncAll x in list %}{{ loop.index }}{% include "part" %}{% else %}{% if list %}{% include "part" %}{% endif %}{% endall %}|',
  'a macro that a condition leaves':
    '{% if list %}{% macro m(x) %}<{{ x }}>{% endmacro %}{% include "part" %}{% if 1 %}{{ m(0) }}{% endif %}{% endif %}{{ m(1) }}{% for item in list %}{% if item %}{% macro n() %}n{% endmacro %}{{ n() }}{% include "part" %}{% endif %}{{ n() }}{% endfor %}',
  'what is no tag':
    '{# {% include "part" %} {% for #}{% raw %}{% include "part" %}{% if %}{% endraw %}{% verbatim %}{% endblock %}{% endverbatim %}{{ "{% include %}" }}',
  'macros of other templates':
    '{% import "macros" as forms %}{% if list %}{% from "macros" import field %}{{ field(1) }}{% include "part" %}{% endif %}{{ forms.field(2) }}',
  'a template that is not there':
    '{% for item in list %}{% include "nowhere" ignore missing %}{{ item }}{% endfor %}{% if list %}{% include "nowhere" ignore missing %}{% endif %}|',
  'a template by a name or an object': '{% for item in list %}{% include names[loop.index0] %}{% endfor %}',
  'blocks and layouts':
    '{% extends "layout" %}{% block a %}{% if list %}{{ super() }}{% include "part" %}{% endif %}{% endblock %}{% block c %}{{ item }}{% endblock %}',
  'many rounds': '{% for item in many %}{% if item %}{% include "part" %}{% endif %}{% endfor %}',
  'many rounds within a macro':
    '{% macro m() %}{% include "many" %}{% endmacro %}{{ m() }}{% for item in list %}{{ m() }}{% endfor %}|',
  'a template that includes itself':
    '{% for item in list %}{{ item }}{% include "tree" %}{% else %}none{% endfor %}',
};

describe('templates without cached blocks', () => {
  const files = {
    part: '[{{ item }}]',
    deep: '{% for item in list %}{% if item %}{% include "part" %}{% endif %}{% endfor %}',
    many: '{% for item in many %}{% include "part" %}{% endfor %}',
    layout:
      '{% for item in list %}{% block a %}a{{ item }}{% endblock %}{% endfor %}{% if list %}{% block b %}b{% endblock %}{% endif %}{% for item in list %}{% block c %}{% endblock %}{% endfor %}',
    macros: '{% macro field(x) %}({{ x }}{% if x %}{% include "part" %}{% endif %}){% endmacro %}',
    tree: '{% if item.children %}{% for item in item.children %}{{ item.id }}{% include "tree" %}{% else %}leaf{% endfor %}{% endif %}',
  };
  const data = () => ({
    list: ['x', { id: 1, children: [{ id: 2, children: [] }, { id: 3 }] }],
    lists: [
      [1, 2, 3, 4, 5],
      [6, 7],
    ],
    object: { k: 'v', l: 'w' },
    map: new Map([['k', 'v']]),
    set: new Set([1, 2]),
    text: 'ab',
    number: 5,
    many: Array.from({ length: 2000 }, (_item, index) => index),
    names: ['part', 'deep'],
  });

  it.each(Object.entries(PLAIN))('come out as ever, without waiting: %s', (_what, page) => {
    for (const options of [{}, { trimBlocks: true, lstripBlocks: true }]) {
      const all = { ...files, page };
      const engine = environment(all, options);
      const given = data();
      const drawn = plain(all, options).render('page', data());
      expect([engine.render('page', given), engine.render('page', given)]).toEqual([drawn, drawn]);
      expect(given).toEqual(data());
    }
  });

  it.each([
    '{{ fail() }}{% if x %}{% include "part" %}{% endif %}',
    '\n{% for x in list %}{{ fail() }}{% include "part" %}{% endfor %}',
    '{% for x in %}',
    '\n  {% include %}',
    '{% for x in list %}{% include "nowhere" %}{% endfor %}',
  ])('tell where an error is: %j', (page) => {
    const errorOf = (engine: Environment): unknown => {
      try {
        return engine.render('page', data());
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(errorOf(environment({ ...files, page }))).toBe(errorOf(plain({ ...files, page })));
  });

  it('may have other tags', () => {
    const tags = { blockStart: '<%', blockEnd: '%>', variableStart: '<$', variableEnd: '$>' };
    const all = { page: '<% for x in list %><% include "part" %><% endfor %>{% if %}', part: '<$ x $>' };
    expect(environment(all, { tags }).render('page', { list: [1, 2] })).toBe('12{% if %}');
  });

  it('have an else with an include, which Nunjucks cannot do', () => {
    const page = '{% for x in list %}{{ x }}{% else %}{% include "part" %}{% endfor %}';
    expect(environment({ page, part: 'none' }).render('page', { list: [] })).toBe('none');
  });
});

describe('many rounds', () => {
  it.each([
    '{% for i in ids %}{% if none %}{% cache "a" %}x{% endcache %}{% endif %}{% endfor %}',
    '{% for i in ids %}{% if i %}{% cache "a" %}{% endcache %}{% endif %}{% endfor %}',
    '{% asyncEach i in ids %}{% cache "a" %}{% endcache %}{% endeach %}',
    '{% asyncAll i in ids %}{% cache "a" %}{% endcache %}{% endall %}',
    '{% for i in ids %}{% include "part" %}{% endfor %}',
  ])('do not make the stack grow: %s', async (page) => {
    const render = renderer({ page: `${page}end`, part: '{% cache "a" %}{% endcache %}' });
    const given = { ids: Array.from({ length: 3000 }, (_id, index) => index) };
    expect([await render(given), await render(given)]).toEqual(['end', 'end']);
  });
});

describe('the data of a block', () => {
  it.each<[string, string, string]>([
    [
      'a loop',
      '{% for x in [1, 2] %}{{ x }}{% cache "a", x, data="d", as="x" %}{{ x }};{% endcache %}{{ x }}{% endfor %}{{ x }}',
      '1d;12d;2',
    ],
    [
      'asyncEach',
      '{% asyncEach x in [1, 2] %}{% cache "a", x, data="d", as="x" %}{{ x }};{% endcache %}{{ x }}{% endeach %}{{ x }}',
      'd;1d;2',
    ],
    [
      'asyncAll',
      '{% asyncAll x in [1, 2] %}{% cache "a", x, data=x + 5, as="x" %}{{ x }};{% endcache %}{{ x }}{% endall %}{{ x }}',
      '6;17;2',
    ],
    [
      'a loop around another',
      '{% for x in [1, 2] %}{% for y in [3] %}{% cache "a", x, data="d", as="x" %}{% for x in [x] %}{{ x }}{% endfor %}{% endcache %}{{ x }}{% endfor %}{% endfor %}',
      'd1d2',
    ],
    ['a set', '{% set x = 1 %}{% cache "a", data="d", as="x" %}{{ x }}{% endcache %}{{ x }}', 'd1'],
    [
      'a set in a loop',
      '{% for i in [1] %}{% set x = 1 %}{% cache "a", data="d", as="x" %}{{ x }}{% endcache %}{{ x }}{% endfor %}',
      'd1',
    ],
    ['nothing', '{{ x }}{% cache "a", data=none, as="x" %}[{{ x }}]{% endcache %}{{ x }}', '[]'],
    [
      'another block',
      '{% cache "a", data="d", as="x" %}{{ x }}{% cache "b", data="e", as="x" %}{{ x }}{% endcache %}{{ x }}{% endcache %}',
      'ded',
    ],
    [
      'a word of JavaScript',
      '{% for class in [1, 2] %}{% cache "a", class, data="d", as="class" %}{{ class }}{% endcache %}{{ class }}{% endfor %}',
      'd1d2',
    ],
  ])('is not covered by what has its name: %s', async (_what, page, expected) => {
    expect(await renderer({ page })()).toBe(expected);
  });

  it('is seen by what is included, and by macros of the block', async () => {
    const page =
      '{% cache "a", data="d", as="x" %}{% include "part" %}{% macro m(x) %}{{ x }}{% endmacro %}{{ m(x) }}{% endcache %}';
    expect(await renderer({ page, part: '{{ x }}' })()).toBe('dd');
  });
});

describe('a block that was given up', () => {
  let clock: FakeClock;
  beforeEach(async () => {
    clock = new FakeClock();
    await open({ caches: { default: { loadTimeout: 1000 } } }, clock);
  });

  it('does not meddle with the page that has gone on', async () => {
    const page =
      '{% cache "top", ttl=100, staleWhileRevalidate="1h", data="top", as="d" %}{% for u in [1, 2] %}{% set s = u %}{{ pass() }}' +
      '{% cache "inner", version, u, data=slow, as="z" %}{{ z }}{% endcache %}{% endfor %}{% endcache %};' +
      '{% for u in users %}{% cache "card", u, data=u, as="d" %}{% cache "deep", u, data=load, as="x" %}{% endcache %}{{ d }}{{ s }};{% endcache %}{{ u }}{% endfor %}[{{ d }}{{ u }}{{ s }}]';
    const render = renderer({ page });
    // The block that is given up first is the one around.
    const steps = [500];
    const pass = () => void clock.advance(steps.pop() ?? 0);
    await render({ version: 1, slow: 1, users: [], pass: () => undefined });
    clock.advance(200);
    const [begun, late] = [gate(), gate()];
    const drawn = render({
      version: 2,
      slow: () => {
        begun.open();
        return late.opened;
      },
      users: ['ann', 'bob'],
      load: () => {
        late.open();
        return new Promise(setImmediate);
      },
      pass,
    });
    await begun.opened;
    clock.advance(500);
    expect(await drawn).toBe('11;ann;annbob;bob[]');
    expect(await render({ version: 2, slow: 3, users: ['ann', 'bob'], pass })).toMatch(
      /;ann;annbob;bob\[\]$/,
    );
  });

  it('leaves nothing behind when it fails in a loop', async () => {
    const page =
      '{% cache "a", ttl=100, staleIfError="1h" %}{% for x in [1] %}{% set y = x %}{{ run() }}{% cache "b", x %}{% endcache %}{% endfor %}{% endcache %}[{{ x }}{{ y }}]';
    const render = renderer({ page });
    expect(await render({ run: () => 'ran' })).toBe('ran[]');
    clock.advance(200);
    const run = () => {
      throw new Error('the shop is closed');
    };
    expect(await render({ run })).toBe('ran[]');
  });
});
