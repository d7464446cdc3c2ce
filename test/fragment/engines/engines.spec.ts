import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { PLATFORMS } from '../../support/test-app.js';
import { ENGINES, type View, writeViews } from './engine-cases.js';
import { items, list, openSite, SETTINGS, type Site } from './engine-site.js';

for (const engine of ENGINES) {
  describe.each(PLATFORMS)(`${engine.name} on %s`, (platform) => {
    let views: Awaited<ReturnType<typeof writeViews>>;
    let site: Site;

    beforeAll(async () => {
      views = await writeViews(engine);
    });
    afterAll(() => views.remove());
    beforeEach(async () => {
      site = await openSite(engine, platform, views.folder);
    });
    afterEach(() => site.close());

    it('shows the content of a block, and of the same name in another template', async () => {
      expect(await site.page('first', { text: 'one' })).toBe('[one]');
      expect(await site.page('second', { text: 'two' })).toBe('(one)');
      await site.fragments.delete('foo');
      expect(await site.page('second', { text: 'two' })).toBe('(two)');
    });

    it('keeps a block for each value it varies on, with its type', async () => {
      const draw = async (vary: unknown, text: string) => site.page('vary', { vary, text });
      expect([await draw(1, 'a'), await draw(2, 'b'), await draw('1', 'c')]).toEqual(['a', 'b', 'c']);
      expect([await draw(1, 'd'), await draw(2, 'e'), await draw('1', 'f')]).toEqual(['a', 'b', 'c']);
      expect(await draw('with spaces, ü and 🙂', 'g')).toBe('g');
      expect(await draw(null, 'h')).toBe('h');
      await expect(draw(undefined, 'i')).rejects.toThrow();
    });

    it('takes an empty block for a hit', async () => {
      expect(await site.page('vary', { vary: 'some values', text: '' })).toBe('');
      expect(await site.page('vary', { vary: 'some values', text: 'late' })).toBe('');
    });

    const settings = (ttl: unknown, cache: string, text: string) =>
      site.page('settings', { ttl, cache, text, choice: { ttl, cache } });
    const paragraph = (text: string) => new RegExp(`^<p>\\s*${text}</p>$`);

    it('keeps a block as long as its ttl says, and for ever without end', async () => {
      expect(await settings('1s', 'default', 'one')).toMatch(paragraph('one'));
      expect(await settings('1s', 'default', 'two')).toMatch(paragraph('one'));
      site.clock.advance(1000);
      expect(await settings(null, 'default', 'two')).toMatch(paragraph('two'));
      site.clock.advance(10_000_000_000);
      expect(await settings(null, 'default', 'three')).toMatch(paragraph('two'));
    });

    it('keeps a block in the cache named fragments, or where it says', async () => {
      await site.page('first', { text: 'in fragments' });
      expect(await settings('1m', 'default', 'in default')).toMatch(paragraph('in default'));
      expect(await settings('1m', 'default', 'late')).toMatch(paragraph('in default'));
      expect(await settings('1m', 'fragments', 'late')).toMatch(paragraph('in fragments'));
    });

    it('names what is wrong, and where', async () => {
      for (const [view, given, told] of [
        ['settings', { ttl: 'soon', cache: 'default' }, 'not a duration'],
        ['settings', { ttl: undefined, cache: 'default' }, 'not a duration'],
        ['settings', { ttl: [1], cache: 'default' }, 'not a duration'],
        ['settings', { ttl: '1m', cache: 'nowhere' }, 'no cache named "nowhere"'],
        ['misspelt', {}, 'did you mean "ttl"'],
      ] as const) {
        const error = await errorOf(site, view, { text: 'x', ...given, choice: given });
        expect(error).toContain(told);
        expect(error).toMatch(engine.tells);
      }
    });

    it('refuses a name that is not literal', async () => {
      expect(await errorOf(site, 'unnamed', { text: 'foo' })).toContain('literal');
    });

    it('shows loop variables and what is around them', async () => {
      const drawn = list('0 item 1 shop', '1 item 2 shop', '2 item 3 shop');
      expect(await site.page('loop', { items: items(3), title: 'shop' })).toBe(drawn);
      expect(await site.page('loop', { items: items(3).map(({ id }) => ({ id, name: 'new' })) })).toBe(drawn);
    });

    it('refreshes a stale block with the variables of its round', async () => {
      await site.page('stale', { items: items(3) });
      site.clock.advance(2000);
      const changed = items(3).map(({ id }) => ({ id, name: `new ${id}` }));
      await site.page('stale', { items: changed });
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(await site.page('stale', { items: items(3) })).toBe(list('0 new 1', '1 new 2', '2 new 3'));
    });

    it('lets a page that is kept and rendered by Nest inherit the tags of its blocks', async () => {
      const given = items(2);
      const kept = (name: string) => site.page('kept', { items: given.map((item) => ({ ...item, name })) });
      const first = await kept('old');
      expect(first).toContain('old');
      expect(await kept('new')).toBe(first);
      await site.fragments.invalidateTags(['leaf-2']);
      expect(await kept('new')).toContain('new');
    });

    it('lets a block inherit the tags of those inside, so that exactly what is around a leaf goes', async () => {
      const draw = (suffix: string) =>
        site.page('nested', { items: items(3).map((item) => ({ ...item, name: item.name + suffix })) });
      await draw('');
      expect(await draw(' new')).toBe(`<ol>${list('item 1', 'item 2', 'item 3')}</ol>`);
      await site.fragments.invalidateTags(['leaf-2']);
      expect(await draw(' new')).toBe(`<ol>${list('item 1', 'item 2 new', 'item 3')}</ol>`);
    });

    it('gets the data of a block on a miss only', async () => {
      let loads = 0;
      const load = async () => [(loads += 1), '<b>'];
      expect(await site.page('data', { load })).toBe('<i>1</i><i>&lt;b&gt;</i>');
      expect(await site.page('data', { load })).toBe('<i>1</i><i>&lt;b&gt;</i>');
      expect(loads).toBe(1);
    });

    it('shows partials and includes within blocks, and blocks within them', async () => {
      const drawn = `${list('item 1', 'item 2')}<div>one</div>`;
      expect(await site.page('rows', { items: items(2), text: 'one' })).toBe(drawn);
      expect(await site.page('rows', { items: items(5), text: 'two' })).toBe(drawn);
    });

    it('has blocks in layouts and in what they frame', async () => {
      const isFramed =
        engine.layout !== undefined && (platform === 'fastify' || engine.name === 'handlebars');
      const hasOwn = engine.layout === undefined;
      if (!isFramed && !hasOwn) return;
      const given = { ...(isFramed && { layout: engine.layout }) };
      const drawn = '<nav>shop</nav><main>one</main>';
      expect(await site.page('framed', { title: 'shop', text: 'one', ...given })).toBe(drawn);
      expect(await site.page('framed', { title: 'new', text: 'new', ...given })).toBe(drawn);
    });

    it.each([
      '<script>alert(1)</script>',
      '</script><b>',
      '"><img src=x onerror=alert(1)>',
      "{{text}} {{{text}}} {% cache 'foo' %} <%= text %> #{text} !{text} ${text}",
      'fragment-00000000000000000000000000000000-0; __ab__ \u0000',
      '&amp; $& $1 $$ \\ `',
    ])('escapes %j once, cached or not', async (user) => {
      const drawn = await site.page('escape', { user, text: 'secret' });
      const [outside = '', inside = ''] = drawn.split('|');
      expect(outside).not.toMatch(/[<>"]/);
      expect(unescaped(outside).trim()).toBe(user.trim());
      expect(inside.trim()).toMatch(/^<b title="[^"<>]*">[^<>]*<\/b>$/);
      expect(unescaped(/>([^<]*)</.exec(inside)?.[1] ?? '')).toBe(user);
      expect(await site.page('escape', { user, text: 'secret' })).toBe(drawn);
    });

    it('renders 20 cold blocks once for two requests at once', async () => {
      let renders = 0;
      const cells = items(20).map(({ id }) => ({ id, load: async () => `${id}:${(renders += 1) > 0}` }));
      const drawn = await Promise.all([
        site.page('cells', { items: cells }),
        site.page('cells', { items: cells }),
      ]);
      expect(drawn[0]).toBe(
        items(20)
          .map(({ id }) => `<b>${id}:true</b>`)
          .join(''),
      );
      expect(drawn[1]).toBe(drawn[0]);
      expect(renders).toBe(20);
    });

    it('shows the error of a block, and nothing of it later', async () => {
      const failing = [{ id: 1, load: () => Promise.reject(new Error('the shop is closed')) }];
      await expect(site.page('cells', { items: failing })).rejects.toThrow();
      site.clock.advance(10_000);
      expect(await site.page('cells', { items: [{ id: 1, load: () => 'open' }] })).toBe('<b>open</b>');
    });

    it('takes what was prefetched', async () => {
      await site.page('prefetch', { items: items(3), prefetched: await site.fragments.prefetch([]) });
      const prefetched = await site.fragments.prefetch(
        items(4).map(({ id }) => ({ name: 'item', varyOn: [id] })),
      );
      const changed = items(4).map(({ id }) => ({ id, name: 'new' }));
      expect(await site.page('prefetch', { items: changed, prefetched })).toBe(
        list('item 1', 'item 2', 'item 3', 'new'),
      );
    });

    it('renders everything anew in a preview, and stores nothing', async () => {
      await site.page('nested', { items: items(2) });
      const preview = await openSite(engine, platform, views.folder, {
        caches: SETTINGS,
        fragments: { preview: true },
      });
      for (const name of ['a', 'b']) {
        const named = items(2).map((item) => ({ ...item, name }));
        expect(await preview.page('nested', { items: named })).toBe(`<ol>${list(name, name)}</ol>`);
      }
      await preview.close();
    });
  });
}

/** The message of what a page fails with. Nest hides it from the outside. */
async function errorOf(site: Site, view: View | 'unnamed', given: Record<string, unknown>): Promise<string> {
  const messages: string[] = [];
  site.app.app.useLogger({
    log: () => undefined,
    warn: () => undefined,
    error: (...told: unknown[]) => void messages.push(told.map(String).join('\n')),
  });
  await expect(site.page(view, given)).rejects.toThrow();
  return messages.join('\n');
}

function unescaped(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;|&#34;/g, '"')
    .replace(/&#0?39;|&#x27;/g, "'")
    .replace(/&#x3D;/g, '=')
    .replace(/&#x60;|&#96;/g, '`')
    .replace(/&#92;/g, '\\')
    .replace(/&amp;/g, '&');
}
