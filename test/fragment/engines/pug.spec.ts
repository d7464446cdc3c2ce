import { beforeEach, describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { FragmentCache } from 'nestjs-caching';
import { type Pug, withFragments } from 'nestjs-caching/fragments/pug';
import { CacheRegistry } from '../../../libs/caching/src/cache/cache-registry.js';
import { resolveOptions } from '../../../libs/caching/src/resolve-options.js';

const pug = createRequire(import.meta.url)('pug') as Pug;

describe('Pug with fragments', () => {
  let fragments: FragmentCache;

  beforeEach(async () => {
    const options = resolveOptions({});
    fragments = new FragmentCache(await CacheRegistry.open(options), options.fragments);
  });

  const render = (source: string, locals?: object, options?: object): Promise<string> =>
    withFragments(pug, fragments).compile(source, options)(locals);

  it('runs a template once for each level of blocks that are missing', async () => {
    let runs = 0;
    const source = [
      '- run()',
      '+cache("outer")',
      '  ul',
      '    each id in ids',
      '      +cache("item", { varyOn: id })',
      '        li= id',
      'each id in ids',
      '  +cache("item", { varyOn: id })',
      '    li= id',
    ].join('\n');
    const locals = { ids: [1, 2, 3], run: () => (runs += 1) };
    const items = '<li>1</li><li>2</li><li>3</li>';
    expect(await render(source, locals)).toBe(`<ul>${items}</ul>${items}`);
    expect(runs).toBe(2);
    await fragments.delete('item', [2]);
    await fragments.delete('outer');
    expect(await render(source, locals)).toBe(`<ul>${items}</ul>${items}`);
    expect(runs).toBe(4);
    expect(await render(source, locals)).toBe(`<ul>${items}</ul>${items}`);
    expect(runs).toBe(5);
  });

  it('reaches blocks that are missing inside of blocks that are missing', async () => {
    const source =
      '+cache("a")\n  | a\n  +cache("b")\n    | b\n    +cache("c", { data: load })(as="c")\n      = c';
    expect(await render(source, { load: () => 'c' })).toBe('abc');
    for (const name of ['a', 'b']) await fragments.delete(name);
    expect(await render(source, { load: () => 'new' })).toBe('abc');
  });

  it('has cached blocks in mixins, conditions and cases, pretty or not, with self or without', async () => {
    const source = (self: string) =>
      [
        'mixin card(title)',
        '  +cache("card", { varyOn: title })',
        '    h1= title',
        '    block',
        `if ${self}isOpen`,
        '  +card("a")',
        '    p= "within"',
        'else',
        '  +cache("closed")',
        '    p closed',
        `case ${self}kind`,
        '  when 1',
        '    +cache("one")',
        '      p one',
      ].join('\n');
    const drawn = '<h1>a</h1><p>within</p><p>one</p>';
    expect(await render(source(''), { isOpen: true, kind: 1 })).toBe(drawn);
    for (const name of ['closed', 'one']) await fragments.delete(name);
    const pretty = await render(source('self.'), { isOpen: false, kind: 1 }, { self: true, pretty: true });
    expect(pretty.replace(/\s+/g, '')).toBe('<p>closed</p><p>one</p>');
  });

  it('loads more fragments than may be loaded at once, some hundred at a time', async () => {
    const ids = Array.from({ length: 1200 }, (_id, index) => index);
    const source = 'each id in ids\n  +cache("item", { varyOn: id })\n    = `${id};`';
    const drawn = ids.map((id) => `${id};`).join('');
    expect([await render(source, { ids }), await render(source, { ids })]).toEqual([drawn, drawn]);
  });

  it('says so if a template does not run alike when it is run again', async () => {
    const ids = [1, 2][Symbol.iterator]();
    const source = '- for (const id of ids)\n  +cache("item", { varyOn: id })\n    = id';
    await expect(render(source, { ids })).rejects.toThrow('must run alike each time');
  });

  it('sees locals that are inherited', async () => {
    class Page {
      get title() {
        return 'inherited';
      }
    }
    expect(await render('+cache("a")\n  = title', new Page())).toBe('inherited');
  });

  it.each([
    ['+cache', 'Pug:1: +cache takes'],
    ['p\n  +cache(name)\n    | x', 'Pug:2: +cache takes'],
    ['+cache("a")', 'takes a block'],
    ['+cache("a")(as="no name")\n  | x', 'takes one attribute'],
    ['mixin cache(x)\n  p', 'Give yours another name'],
  ])('refuses %j', async (source, message) => {
    await expect(async () => render(source, { name: 'a' })).rejects.toThrow(message);
  });
});
