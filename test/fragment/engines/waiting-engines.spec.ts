import { beforeEach, describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { Eta } from 'eta';
import { Liquid } from 'liquidjs';
import { FragmentCache } from 'nestjs-caching';
import { type Ejs, withFragments as withEjs } from 'nestjs-caching/fragments/ejs';
import { withFragments as withEta } from 'nestjs-caching/fragments/eta';
import { withFragments as withLiquid } from 'nestjs-caching/fragments/liquid';
import { withFragments as withNunjucks } from 'nestjs-caching/fragments/nunjucks';
import { FakeClock } from 'nestjs-caching/testing';
import { CacheRegistry } from '../../../libs/caching/src/cache/cache-registry.js';
import { resolveOptions } from '../../../libs/caching/src/resolve-options.js';
import { gate } from '../../support/gate.js';

const require = createRequire(import.meta.url);
const ejs = (require('ejs').default ?? require('ejs')) as Ejs;

let fragments: FragmentCache;
let clock: FakeClock;
beforeEach(async () => {
  clock = new FakeClock();
  const options = resolveOptions({ caches: { default: { loadTimeout: 1000 } } });
  fragments = new FragmentCache(await CacheRegistry.open(options, clock), options.fragments);
});

describe('EJS with fragments', () => {
  const render = (source: string, data?: object, options?: object): Promise<string> =>
    withEjs(ejs, fragments).compile(source, options)(data);

  it('renders blocks side by side', async () => {
    const source =
      '<% await Promise.all([1, 2].map(async (id) => { %>' +
      '<% cache "part", { varyOn: id, data: () => wait(id) } as x %><b><%= x %></b><% endcache %><% })) %>';
    const wait = (id: number) => new Promise((resolve) => setTimeout(resolve, 10 / id, id));
    const drawn = await render(source, { wait });
    expect([drawn, await fragments.render('part', { varyOn: [1] }, () => 'never')]).toEqual([
      expect.stringMatching(/^(<b>[12]<\/b>){2}$/),
      '<b>1</b>',
    ]);
  });

  it.each<[string, string, object]>([
    ['in strict mode', '<% cache "a" %><%= locals.text %><% endcache %>', { strict: true }],
    ['without with', '<% cache "a" %><%= data.text %><% endcache %>', { _with: false, localsName: 'data' }],
    [
      'with other delimiters',
      '[? cache "a" ?][?= text ?][? endcache ?]',
      { openDelimiter: '[', closeDelimiter: ']', delimiter: '?' },
    ],
    [
      'with a function for output',
      '<% cache "a" %><% echo(text) %><% endcache %>',
      { outputFunctionName: 'echo' },
    ],
    ['with tags that take white space', ' <%_ cache "a" _%> <%= text -%>\n<%_ endcache _%> ', {}],
  ])('works %s', async (_how, source, options) => {
    expect((await render(source, { text: 'x' }, options)).trim()).toBe('x');
    expect((await render(source, { text: 'y' }, options)).trim()).toBe('x');
  });

  it('leaves script alone that only has the word in it', async () => {
    const source =
      '<% cache.hits += 1; cacheable = cache; %><%= cache.hits %><%= cacheable.hits %><%# cache "a" %><%% cache "a" %>';
    expect(await render(source, { cache: { hits: 1 }, cacheable: null })).toBe('22<% cache "a" %>');
  });

  it.each([
    ['<p>\n<% cache name %>x<% endcache %>', 'ejs:2: cache takes'],
    ['<% cache %>x<% endcache %>', 'ejs:1: cache takes'],
    ['<% cache "a" + name %>x<% endcache %>', 'ejs:1: cache takes'],
    ['<% cache "a" %>x', 'compiling ejs'],
  ])('refuses %j', async (source, message) => {
    await expect(async () => render(source, { name: 'a' })).rejects.toThrow(message);
  });
});

describe('Eta with fragments', () => {
  const render = (source: string, data: object = {}, config: object = {}): Promise<string> =>
    withEta(new Eta(config), fragments).renderStringAsync(source, data);

  it('has the functions of a template within a block', async () => {
    const source =
      '<% cache "a" %><% const b = capture(() => { %><b><%= it.text %></b><% }) %>[<%~ b %>]<% output("!") %>' +
      '<%~ await captureAsync(async () => { %>?<% }) %><% endcache %>';
    expect(await render(source, { text: 'x' })).toBe('[<b>x</b>]!?');
    expect(await fragments.render('a', {}, () => 'never')).toBe('[<b>x</b>]!?');
  });

  it('keeps the plugins that there are, and other tags', async () => {
    const plugins = [{ processTemplate: (source: string) => source.replace('X', 'Y') }];
    const source = '{{ cache "a" }}X{{= it.text }}{{ endcache }}';
    expect(await render(source, { text: 1 }, { plugins, tags: ['{{', '}}'] })).toBe('Y1');
  });

  it.each([
    ['<p>\n<% cache it.name %>x<% endcache %>', 'Line 2: cache takes'],
    ['<% cache %>x<% endcache %>', 'Line 1: cache takes'],
  ])('refuses %j', async (source, message) => {
    await expect(async () => render(source, { name: 'a' }, { debug: true })).rejects.toThrow(message);
  });

  it('says so if a template is rendered where nobody waits', () => {
    const eta = withEta(new Eta(), fragments);
    expect(() => eta.renderString('<% cache "a" %>x<% endcache %>', {})).toThrow('await');
  });
});

describe('Nunjucks with fragments', () => {
  const nunjucks = require('nunjucks');
  const render = (source: string, data: object = {}): Promise<string> => {
    const environment = withNunjucks(new nunjucks.Environment(null, { autoescape: true }), fragments) as {
      renderString(source: string, data: object, done: (error: Error | null, html: string) => void): void;
    };
    return new Promise((resolve, reject) => {
      environment.renderString(source, data, (error, html) => (error ? reject(error) : resolve(html)));
    });
  };

  it('gives a block its data under a name, and takes it away again', async () => {
    const source = '{{ x }}{% cache "a", data=load, as="x" %}{{ x }}{% endcache %}{{ x }}{{ y }}';
    expect(await render(source, { x: 1, load: () => '<2>' })).toBe('1&lt;2&gt;1');
    expect(await render('{% cache "b", data=2, as="y" %}{{ y }}{% endcache %}{{ y }}')).toBe('2');
  });

  it('shows the error of what follows a block, once', async () => {
    await expect(
      render('{% cache "a" %}x{% endcache %}{{ fail() }}', {
        fail: () => {
          throw new Error('late');
        },
      }),
    ).rejects.toThrow('late');
    await expect(render('{% cache "b" %}{{ nothing() }}{% endcache %}')).rejects.toThrow('nothing');
  });

  it('renders thousands of blocks', async () => {
    const source = '{% for i in ids %}{% cache "a" %}x{% endcache %}{% endfor %}';
    expect(await render(source, { ids: Array.from({ length: 3000 }, (_, i) => i) })).toBe('x'.repeat(3000));
  });

  it.each([
    ['macro', '{% macro m() %}\n{% cache "a" %}x{% endcache %}{% endmacro %}{{ m() }}'],
    ['macro', '{% macro m() %}\n{% if 1 %}{% cache "a" %}x{% endcache %}{% endif %}{% endmacro %}{{ m() }}'],
    [
      'call',
      '{% macro m() %}{{ caller() }}{% endmacro %}\n{%- call m() %}{% cache "a" %}x{% endcache %}{% endcall %}',
    ],
    ['set', '{% set v = 1 %}{% set x %}\n{% cache "a" %}x{% endcache %}{% endset %}{{ x }}'],
    ['switch', '{% switch 1 %}{% case 1 %}\n{% cache "a" %}x{% endcache %}{% endswitch %}'],
    ['filter', '{% filter upper %}\n{% cache "a" %}x{% endcache %}{% endfilter %}'],
  ])('refuses a block within %s, where it would be lost: %j', async (tag, source) => {
    await expect(render(source)).rejects.toThrow(new RegExp(`Line 2.*\\n.*within {% ${tag} %}`));
  });

  it.each([
    '{% macro m() %}a{% endmacro %}{% set v = m() %}{% set w %}b{% endset %}{% filter upper %}c{% endfilter %}',
    '{# {% macro m() %} #}{% raw %}{% macro m() %}{% endraw %}{% verbatim %}{% filter upper %}{% endverbatim %}',
    '{% block b %}{% for i in [1] %}',
  ])('takes a block behind %j', async (before) => {
    const after = before.endsWith('[1] %}') ? '{% endfor %}{% endblock %}' : '';
    expect(await render(`${before}{% cache "a" %}cached{% endcache %}${after}`)).toMatch(/cached$/);
  });

  it.each(['{% cache %}x{% endcache %}', '{% cache 5 %}x{% endcache %}', '{% cache ttl=5 %}x{% endcache %}'])(
    'refuses %j',
    async (source) => {
      await expect(render(source)).rejects.toThrow('literal text');
    },
  );
});

describe('LiquidJS with fragments', () => {
  const render = (source: string, data: object = {}, options: object = {}): Promise<string> =>
    withLiquid(new Liquid(options), fragments).parseAndRender(source, data) as Promise<string>;

  it('gives a block its data under a name, and takes it away again', async () => {
    const source = '{{ x }}{% cache "a", data: shop.load, as: "x" %}{{ x }}{% endcache %}{{ x }}';
    expect(await render(source, { x: 1, shop: { load: async () => 2 } })).toBe('121');
  });

  it('takes literal values of every kind', async () => {
    const source = '{% cache "a" 1, "two" , true, nil, ttl: nil, tags: "x, y" %}{{ text }}{% endcache %}';
    await render(source, { text: 'x' });
    expect(await fragments.render('a', { varyOn: [1, 'two', true, null] }, () => 'never')).toBe('x');
    await fragments.invalidateTags(['y']);
    expect(await render(source, { text: 'new' })).toBe('new');
  });

  it('keeps the type of a value where outputs are escaped', async () => {
    await render('{% cache "a", id %}x{% endcache %}', { id: 5 }, { outputEscape: 'escape' });
    expect(await fragments.render('a', { varyOn: [5] }, () => 'never')).toBe('x');
  });

  it.each<[string, string, unknown]>([
    ['a name', 'id', 5],
    ['a path', 'shop.owner.id', 7],
    ['an index', 'ids[1]', 2],
    ['a name in brackets', 'shop["size"]', 'big'],
    ['a path within a path', 'ids[shop.at]', 1],
    ['a function', 'load', 'loaded'],
    ['a promise', 'later', 'late'],
    ['a path through a promise', 'account.id', 9],
  ])('takes the value of %s', async (_what, expression, value) => {
    const data = {
      id: 5,
      ids: [1, 2],
      shop: { owner: { id: 7 }, size: 'big', at: 0 },
      load: () => 'loaded',
      later: Promise.resolve('late'),
      account: async () => ({ id: 9 }),
    };
    const source = `{% for i in (1..2) %}{% cache "a", ${expression}, ttl: "1m" %}${expression}{% endcache %}{% endfor %}`;
    expect(await render(source, data)).toBe(expression.repeat(2));
    expect(await fragments.render('a', { varyOn: [value as string] }, () => 'never')).toBe(expression);
  });

  it('shows the failure of an argument, with the line', async () => {
    const data = { fails: () => Promise.reject(new Error('the shop is closed')) };
    await expect(render('\n{% cache "a", fails %}x{% endcache %}', data)).rejects.toThrow(/closed, line:2/);
    await expect(render('{% cache "a", fails.id %}x{% endcache %}', data)).rejects.toThrow('closed');
    await expect(
      render('{% cache "a", none %}x{% endcache %}', {}, { strictVariables: true }),
    ).rejects.toThrow('undefined variable: none');
  });

  it.each<[string, (popular: Promise<never>) => object]>([
    ['popular', (popular) => ({ popular })],
    ['shop.popular', (popular) => ({ shop: { popular } })],
    ['lists[1][name]', (popular) => ({ lists: [0, { popular }], name: 'popular' })],
    ['ahead.of.it', (popular) => ({ ahead: { of: popular } })],
  ])(
    'leaves the failure of a promise to whoever waits for it, or else Jest would see it: %s',
    async (data, of) => {
      const source = `{% cache "a", later, data: ${data}, as: "x" %}kept{% endcache %}`;
      await render(source, { later: 1 });
      const later = new Promise((resolve) => setImmediate(resolve, 1));
      const given = of(Promise.reject(new Error('the shop is closed')));
      expect(await render(source, { later, ...given })).toBe('kept');
      await expect(render(source, { later: 2, ...given })).rejects.toThrow('closed');
    },
  );

  it('calls no function for the data of a block that is at hand', async () => {
    let calls = 0;
    const shop = {
      load: () => (calls += 1),
      get rows() {
        return (calls += 1);
      },
    };
    for (const data of ['shop.load', 'shop.rows']) {
      const draw = () =>
        render(`{% cache "${data}", data: ${data}, as: "x" %}{{ x }}{% endcache %}`, { shop });
      calls = 0;
      expect([await draw(), await draw(), calls]).toEqual(['1', '1', 1]);
    }
  });

  it.each<[string, string, string]>([
    [
      'variables',
      '{% assign x = 1 %}{% cache "a" %}{% assign x = 2 %}{% capture y %}3{% endcapture %}{{ x }}{{ y }}{% endcache %}{{ x }}{{ y }}',
      '231',
    ],
    [
      'loops',
      '{% for i in (1..3) %}{% cache "a", i %}{{ i }}{% if i == 2 %}{% break %}{% endif %};{% endcache %}-{% endfor %}',
      '1;-2-3;-',
    ],
    [
      'rounds',
      '{% for i in (1..3) %}{% cache "a", i %}{{ forloop.index }}{% for j in (1..2) %}{{ j }}{% endfor %};{% endcache %}{{ forloop.last }},{% endfor %}',
      '112;false,212;false,312;true,',
    ],
  ])('keeps %s as they are behind a block, cached or not', async (_what, source, expected) => {
    expect([await render(source), await render(source)]).toEqual([expected, expected]);
  });

  it('goes on with counters in blocks', async () => {
    const source =
      '{% for i in (1..3) %}{% cache "a", i %}{% cycle "odd", "even" %}{% increment n %};{% endcache %}{% endfor %}{% increment n %}';
    expect(await render(source)).toBe('odd0;even1;odd2;3');
  });

  it('does not let a block that was given up meddle with the page that has gone on', async () => {
    const source =
      '{% cache "top", ttl: 100, staleWhileRevalidate: "1h" %}{% for u in users %}{{ pass }}{% cache "inner", version, data: slow, as: "z" %}{{ z }}{% endcache %}{% assign s = 1 %}{% endfor %}{% endcache %};' +
      '{% for u in users %}{% cache "card", u, data: load, as: "d" %}{{ u }}{{ user }};{% endcache %}{{ u }}{% endfor %}[{{ d }}{{ u }}{{ s }}]';
    await render(source, { version: 1, slow: 1, users: [1] });
    clock.advance(200);
    const [begun, late] = [gate(), gate()];
    // The block that is given up first is the one around.
    const steps = [500];
    const drawn = render(source, {
      version: 2,
      user: 'me',
      users: ['ann', 'bob'],
      pass: () => void clock.advance(steps.pop() ?? 0),
      slow: () => {
        begun.open();
        return late.opened;
      },
      load: () => {
        late.open();
        return new Promise(setImmediate);
      },
    });
    await begun.opened;
    clock.advance(500);
    expect(await drawn).toMatch(/;annme;annbobme;bob\[\]$/);
    expect(await render(source, { version: 2, user: 'me', users: ['ann', 'bob'] })).toMatch(
      /;annme;annbobme;bob\[\]$/,
    );
  });

  it('leaves nothing behind when a block fails in a loop', async () => {
    const source =
      '{% cache "a", ttl: 100, staleIfError: "1h" %}{% for x in (1..2) %}{% for y in (1..1) %}{{ run }}{% endfor %}{% endfor %}{% endcache %}[{{ x }}{{ y }}]';
    expect(await render(source, { run: 'ran' })).toBe('ranran[]');
    clock.advance(200);
    const run = () => Promise.reject(new Error('the shop is closed'));
    expect(await render(source, { run })).toBe('ranran[]');
  });

  it('says so if a template is rendered where nobody waits', () => {
    const liquid = withLiquid(new Liquid(), fragments);
    expect(() => liquid.parseAndRenderSync('{% cache "a" %}x{% endcache %}')).toThrow('asynchronously');
  });

  it.each([
    ['{% cache %}x{% endcache %}', 'literal text'],
    ['{% cache name %}x{% endcache %}', 'literal text'],
    ['{% cache "a" %}x', 'endcache %} is missing'],
    ['{% cache "a", ttl: %}x{% endcache %}', 'value is missing'],
    ['{% cache "a", | %}x{% endcache %}', 'value is missing'],
  ])('refuses %j', async (source, message) => {
    await expect(render(source, { name: 'a' })).rejects.toThrow(message);
  });
});

describe('one engine for several applications', () => {
  it.each<[string, () => (fragments: FragmentCache) => () => Promise<unknown>]>([
    ['EJS', () => (of) => withEjs(ejs, of).compile('<% cache "a" %>x<% endcache %>')],
    [
      'Eta',
      () => {
        const eta = new Eta();
        return (of) => {
          const own = withEta(eta, of);
          return () => own.renderStringAsync('<% cache "a" %>x<% endcache %>', {});
        };
      },
    ],
    [
      'LiquidJS',
      () => {
        const liquid = new Liquid();
        let parsed: ReturnType<Liquid['parse']> | undefined;
        return (of) => {
          const own = withLiquid(liquid, of);
          // Files are parsed once for all of them.
          parsed ??= own.parse('{% for i in (1..1) %}{% cache "a" %}x{% endcache %}{% endfor %}');
          return () => own.render(parsed!, {}) as Promise<unknown>;
        };
      },
    ],
    [
      'LiquidJS as a stream',
      () => {
        const liquid = new Liquid();
        return (of) => {
          const own = withLiquid(liquid, of);
          return async () => {
            const parts: unknown[] = [];
            for await (const part of own.renderToNodeStream(own.parse('{% cache "a" %}x{% endcache %}'), {}))
              parts.push(part);
            return parts.join('');
          };
        };
      },
    ],
  ])('keeps their fragments apart: %s', async (_engine, open) => {
    const options = resolveOptions({});
    const other = new FragmentCache(await CacheRegistry.open(options), options.fragments);
    const of = open();
    const [draw, drawOther] = [of(fragments), of(other)];
    expect(await draw()).toBe('x');
    expect([await other.delete('a'), await fragments.delete('a')]).toEqual([false, true]);
    expect(await drawOther()).toBe('x');
    expect([await other.delete('a'), await fragments.delete('a')]).toEqual([true, false]);
  });

  it.each<[string, (fragments: FragmentCache, other: FragmentCache) => () => Promise<unknown>]>([
    [
      'Eta',
      (closed, next) => {
        const eta = new Eta();
        for (const each of [closed, next]) withEta(eta, each);
        return () => eta.renderStringAsync('<% cache "a" %>x<% endcache %>', {});
      },
    ],
    [
      'LiquidJS',
      (closed, next) => {
        const liquid = new Liquid();
        for (const each of [closed, next]) withLiquid(liquid, each);
        return () => liquid.parseAndRender('{% cache "a" %}x{% endcache %}') as Promise<unknown>;
      },
    ],
    [
      'Nunjucks',
      (closed, next) => {
        const nunjucks = require('nunjucks');
        const environment = new nunjucks.Environment();
        for (const each of [closed, next]) withNunjucks(environment, each);
        return () =>
          new Promise((resolve, reject) => {
            environment.renderString(
              '{% cache "a" %}x{% endcache %}',
              {},
              (error: Error | null, html: string) => (error ? reject(error) : resolve(html)),
            );
          });
      },
    ],
  ])('is that of the last one if it is used itself, such as in tests: %s', async (_engine, open) => {
    const options = resolveOptions({});
    const registry = await CacheRegistry.open(options);
    const draw = open(new FragmentCache(registry, options.fragments), fragments);
    await registry.close();
    expect(await draw()).toBe('x');
    expect(await fragments.delete('a')).toBe(true);
  });
});

describe('the error of a block', () => {
  class ShopError extends Error {
    readonly status = 503;
    override readonly cause = 'a strike';
  }
  const nunjucks = require('nunjucks');
  const draws: [string, () => (data: object) => Promise<unknown>][] = [
    [
      'EJS',
      () =>
        withEjs(ejs, fragments).compile(
          '<p>\n<% cache "a", { data: load } as x %><%= x() %><% endcache %></p>',
        ),
    ],
    [
      'Eta',
      () => {
        const eta = withEta(new Eta({ debug: true }), fragments);
        const source = '<p>\n<% cache "a", { data: it.load } as x %><%= x() %><% endcache %></p>';
        return (data) => eta.renderStringAsync(source, data);
      },
    ],
    [
      'Nunjucks',
      () => {
        const environment = withNunjucks(new nunjucks.Environment(), fragments) as never as {
          renderString(source: string, data: object, done: (error: Error | null) => void): void;
        };
        const source = '<p>\n{% cache "a", data=load, as="x" %}{{ x() }}{% endcache %}</p>';
        return (data) =>
          new Promise<void>((resolve, reject) => {
            environment.renderString(source, data, (error) => (error ? reject(error) : resolve()));
          });
      },
    ],
    [
      'LiquidJS',
      () => {
        const liquid = withLiquid(new Liquid(), fragments);
        const source = '<p>\n{% cache "a", data: load, as: "x" %}{{ x }}{% endcache %}</p>';
        return (data) => liquid.parseAndRender(source, data) as Promise<unknown>;
      },
    ],
  ];

  it.each(draws)('is as long for everybody, how many there be: %s', async (_engine, open) => {
    const draw = open();
    for (const isData of [true, false]) {
      const fail = () => {
        throw new ShopError('closed');
      };
      const load = async () => {
        await new Promise(setImmediate);
        return isData ? fail() : fail;
      };
      const messages = async (count: number): Promise<string[]> => {
        clock.advance(60_000);
        const draws = await Promise.allSettled(Array.from({ length: count }, () => draw({ load })));
        return draws.map((each) => (each.status === 'rejected' ? (each.reason as Error).message : 'none'));
      };
      const [alone] = await messages(1);
      expect(alone).toContain('closed');
      expect(await messages(5)).toEqual(Array(5).fill(alone));
    }
  });

  it('is of the class that it was thrown as, with its fields and its stack', async () => {
    const [[, open]] = draws as [(typeof draws)[number]];
    const thrown = new ShopError('closed');
    const { stack } = thrown;
    const error = await open()({ load: () => Promise.reject(thrown) }).catch((reason: unknown) => reason);
    expect(error).not.toBe(thrown);
    expect(error).toBeInstanceOf(ShopError);
    expect(error).toMatchObject({
      status: 503,
      cause: 'a strike',
      stack,
      message: expect.stringContaining('closed'),
    });
    expect(thrown.message).toBe('closed');
  });
});
