import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Test } from '@nestjs/testing';
import {
  type CacheOptions,
  type CacheService,
  CachingModule,
  FragmentCache,
  getCacheToken,
  type ModuleOptions,
} from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { CacheRegistry } from '../../libs/caching/src/cache/cache-registry.js';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';
import { gate } from '../support/gate.js';
import { describeService } from '../support/services.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Fragments over these caches, without an application around them. */
async function openFragments(
  caches: { default: CacheOptions } & Record<string, CacheOptions>,
  options: ModuleOptions = {},
  clock?: FakeClock,
) {
  const resolved = resolveOptions({ caches, ...options });
  const registry = await CacheRegistry.open(resolved, clock);
  closing.push(() => registry.close());
  return { fragments: new FragmentCache(registry, resolved.fragments), registry };
}

function describeFragments(name: string, cache: () => CacheOptions): void {
  describe(`fragments on ${name}`, () => {
    let fragments: FragmentCache;
    let registry: CacheRegistry;
    const options = (): CacheOptions => ({ ...cache(), keyPrefix: randomUUID().slice(0, 8) });
    let renders: string[];
    const markup = (text: string) => () => {
      renders.push(text);
      return text;
    };

    beforeEach(async () => {
      renders = [];
      ({ fragments, registry } = await openFragments({ default: options() }));
    });

    it('are rendered once for each list of values', async () => {
      const draw = (varyOn: (string | number)[]) =>
        fragments.render('side', { varyOn }, markup(`<b>${varyOn.join()}</b>`));
      expect([await draw([1]), await draw(['1']), await draw([1]), await draw([2])]).toEqual([
        '<b>1</b>',
        '<b>1</b>',
        '<b>1</b>',
        '<b>2</b>',
      ]);
      expect(renders).toHaveLength(3);
    });

    it('come back as they were, and the empty string is a hit', async () => {
      const text = '<p title="ä🙂">\u0000\r\n&amp;</p>';
      expect(await fragments.render('odd', {}, () => text)).toBe(text);
      expect(await fragments.render('odd', {}, markup('never'))).toBe(text);
      expect(await fragments.render('empty', {}, () => '')).toBe('');
      expect(await fragments.render('empty', {}, markup('never'))).toBe('');
      expect(renders).toEqual([]);
    });

    it('get their data on a miss only', async () => {
      const load = jest.fn(async () => ['a', 'b']);
      const draw = () => fragments.render('list', { data: load }, (data) => data.join());
      expect([await draw(), await draw()]).toEqual(['a,b', 'a,b']);
      expect(load).toHaveBeenCalledTimes(1);
    });

    it('leave the failure of a promise to whoever waits for it', async () => {
      await fragments.render('list', {}, () => 'kept');
      const data = Promise.reject(new Error('the shop is closed'));
      expect(await fragments.render('list', { data }, () => 'never')).toBe('kept');
      await expect(fragments.render('other', { data: () => data }, () => 'never')).rejects.toThrow('closed');
    });

    it('are rendered once for all who ask at once', async () => {
      const wait = gate();
      const draw = () =>
        fragments.render('slow', {}, async () => {
          await wait.opened;
          return markup('slow')();
        });
      const both = [draw(), draw()];
      wait.open();
      expect(await Promise.all(both)).toEqual(['slow', 'slow']);
      expect(renders).toEqual(['slow']);
    });

    it('never meet values or pages of the same key', async () => {
      await registry.get().service.set('side:', 'a value');
      expect(await fragments.render('side', {}, () => 'a fragment')).toBe('a fragment');
      expect(await registry.get().service.get('side:')).toBe('a value');
    });

    it('go when they are deleted', async () => {
      await fragments.render('side', { varyOn: [1] }, markup('one'));
      expect(await fragments.delete('side', [2])).toBe(false);
      expect(await fragments.delete('side', [1])).toBe(true);
      expect(await fragments.render('side', { varyOn: [1] }, markup('two'))).toBe('two');
    });

    it('have the tags of the fragments and values inside, so that exactly what is around a leaf goes', async () => {
      const leaf = (id: number) =>
        fragments.render('leaf', { varyOn: [id], tags: [`leaf:${id}`] }, markup(`leaf${id}`));
      const list = () =>
        fragments.render('list', {}, async () => markup(`list[${await leaf(1)} ${await leaf(2)}]`)());
      const shop = () => fragments.render('shop', {}, async () => markup(`shop[${await list()}]`)());
      const other = () => fragments.render('other', {}, async () => markup(`other[${await leaf(2)}]`)());
      const all = async () => [await shop(), await other()];
      await all();
      renders.length = 0;
      await fragments.invalidateTags(['leaf:1']);
      expect(await all()).toEqual(['shop[list[leaf1 leaf2]]', 'other[leaf2]']);
      expect(renders).toEqual(['leaf1', 'list[leaf1 leaf2]', 'shop[list[leaf1 leaf2]]']);
    });

    it('are not stored if a tag inside was invalidated while they were rendered', async () => {
      const draw = () =>
        fragments.render('side', { tags: ['menu'] }, async () => {
          await fragments.invalidateTags(['menu']);
          return markup('side')();
        });
      await draw();
      await draw();
      expect(renders).toEqual(['side', 'side']);
    });

    it('are read at once after a prefetch, which counts as a look', async () => {
      const draw = (id: number, prefetched?: Awaited<ReturnType<FragmentCache['prefetch']>>) =>
        fragments.render(
          'item',
          { varyOn: [id], tags: ['items'], ...(prefetched && { prefetched }) },
          markup(`${id}`),
        );
      for (const id of [1, 2]) await draw(id);
      const prefetched = await fragments.prefetch([1, 2, 3].map((id) => ({ name: 'item', varyOn: [id] })));
      renders.length = 0;
      const drawn = [];
      for (const id of [1, 2, 3, 3, 4]) drawn.push(await draw(id, prefetched));
      expect(drawn).toEqual(['1', '2', '3', '3', '4']);
      expect(renders).toEqual(['3', '4']);
    });

    it('pass their tags on when they come from a prefetch', async () => {
      const item = () => fragments.render('item', { tags: ['item'] }, markup('item'));
      await item();
      const prefetched = await fragments.prefetch([{ name: 'item' }]);
      const list = () =>
        fragments.render('list', {}, async () =>
          markup(`list[${await fragments.render('item', { prefetched }, markup('never'))}]`)(),
        );
      await list();
      renders.length = 0;
      await list();
      expect(renders).toEqual([]);
      await fragments.invalidateTags(['item']);
      await list();
      expect(renders).toEqual(['list[item]']);
    });

    it('in a preview are fresh and are not stored', async () => {
      await fragments.render('side', {}, markup('kept'));
      const draw = () => fragments.render('side', { data: () => 'new' }, (data) => markup(data)());
      expect(await fragments.preview(draw)).toBe('new');
      expect(await fragments.preview(async () => [await draw(), await draw()])).toEqual(['new', 'new']);
      expect(await draw()).toBe('kept');
    });

    it('are refused if they are not text', async () => {
      await expect(fragments.render('odd', {}, (() => 5) as never)).rejects.toThrow('must be text');
    });
  });
}

describeFragments('memory', () => ({}));
describeService('redis', (service) => describeFragments('redis', () => ({ url: service().url })));

describe('fragments', () => {
  it('are kept in the cache named fragments if there is one, or where a call says', async () => {
    const { fragments } = await openFragments({ default: {}, fragments: {} });
    await fragments.render('foo', {}, () => 'foo');
    await fragments.render('foo', { cache: 'default' }, () => 'bar');
    expect(await fragments.render('foo', {}, () => 'never')).toBe('foo');
    expect(await fragments.render('foo', { cache: 'fragments' }, () => 'never')).toBe('foo');
    expect(await fragments.render('foo', { cache: 'default' }, () => 'never')).toBe('bar');
    expect(await fragments.delete('foo', [], { cache: 'default' })).toBe(true);
    expect(await fragments.render('foo', {}, () => 'never')).toBe('foo');
  });

  it('are kept where the module says', async () => {
    const { fragments, registry } = await openFragments(
      { default: {}, fragments: {}, slow: {} },
      { fragments: { cache: 'slow' } },
    );
    await fragments.render('foo', {}, () => 'foo');
    expect(registry.get('slow').service.statistics.loads).toBe(1);
  });

  it('name what is wrong with a call', async () => {
    const { fragments } = await openFragments({ default: {} });
    const draw = (options: object) => fragments.render('foo', options, () => 'foo');
    await expect(draw({ cache: 'nowhere' })).rejects.toThrow('no cache named "nowhere"');
    await expect(draw({ ttl: 'soon' })).rejects.toMatchObject({ code: 'CACHING_INVALID_DURATION' });
    await expect(draw({ tags: 'foo' })).rejects.toThrow('Tags are a list');
    await expect(draw({ varyOn: [undefined] })).rejects.toThrow('null');
    await expect(fragments.render('foo', {}, undefined as never)).rejects.toThrow('function is missing');
    await expect(fragments.delete('')).rejects.toThrow('needs a name');
  });

  it('go on all levels that lie in two caches in turns, though they are made anew while the caches are invalidated', async () => {
    const { fragments, registry } = await openFragments({ default: {}, other: {} });
    let version = 0;
    const leaf = () => fragments.render('leaf', { tags: ['leaf'] }, () => `leaf ${version}`);
    const middle = () => fragments.render('middle', { cache: 'other' }, leaf);
    const outer = () => fragments.render('outer', {}, middle);
    const top = () => fragments.render('top', { cache: 'other' }, outer);
    const roof = () => fragments.render('roof', {}, top);
    await roof();
    version = 1;
    // In each round, one level more is made of one that is yet to go.
    const rounds = [
      ['default', outer, 'other'],
      ['other', top, 'default'],
      ['default', roof, 'other'],
    ] as const;
    const order = rounds.flat();
    const turns = order.map(() => gate());
    turns[0]!.open();
    const taken = new Set<number>();
    const inTurn = async (step: (typeof order)[number], run: () => Promise<unknown>): Promise<void> => {
      const turn = order.findIndex((each, index) => each === step && !taken.has(index));
      taken.add(turn);
      await turns[turn]?.opened;
      await run();
      turns[turn + 1]?.open();
    };
    for (const cache of ['default', 'other'] as const) {
      const { invalidations } = registry.get(cache).engine;
      const invalidateTags = invalidations.invalidateTags.bind(invalidations);
      jest
        .spyOn(invalidations, 'invalidateTags')
        .mockImplementation((...given) => inTurn(cache, () => invalidateTags(...given)));
    }
    await Promise.all([
      fragments.invalidateTags(['leaf']),
      inTurn(outer, outer),
      inTurn(top, top),
      inTurn(roof, roof),
    ]);
    expect(await roof()).toBe('leaf 1');
    expect(await top()).toBe('leaf 1');
    expect(await outer()).toBe('leaf 1');
  });

  it('live as long as their ttl says', async () => {
    const clock = new FakeClock();
    const { fragments } = await openFragments({ default: {} }, {}, clock);
    let runs = 0;
    const draw = (name: string, ttl: number | null) =>
      fragments.render(name, { ttl }, () => `${(runs += 1)}`);
    expect([await draw('a', 1000), await draw('a', 1000)]).toEqual(['1', '1']);
    clock.advance(1000);
    expect(await draw('a', 1000)).toBe('2');
    expect([await draw('never', 0), await draw('never', 0)]).toEqual(['3', '4']);
    await draw('ever', null);
    clock.advance(10_000_000_000);
    expect(await draw('ever', null)).toBe('5');
  });

  it('are served stale while they are refreshed once', async () => {
    const clock = new FakeClock();
    const { fragments } = await openFragments({ default: {} }, {}, clock);
    const refreshed = gate();
    let runs = 0;
    const draw = () =>
      fragments.render('a', { ttl: 1000, staleWhileRevalidate: '1m' }, async () => {
        runs += 1;
        if (runs > 1) refreshed.open();
        return `${runs}`;
      });
    await draw();
    clock.advance(1500);
    expect([await draw(), await draw()]).toEqual(['1', '1']);
    await refreshed.opened;
    await new Promise(setImmediate);
    expect([await draw(), runs]).toEqual(['2', 2]);
  });

  it('that contain themselves are an error', async () => {
    const { fragments } = await openFragments({ default: {} });
    const draw = (): Promise<string> => fragments.render('ring', {}, draw);
    await expect(draw()).rejects.toMatchObject({ code: 'CACHING_LOAD_CYCLE' });
  });

  it.each([true, false])('of the whole module are in preview: %s', async (preview) => {
    const { fragments } = await openFragments({ default: {} }, { fragments: { preview } });
    let runs = 0;
    const draw = () => fragments.render('a', {}, () => `${(runs += 1)}`);
    await fragments.prefetch([{ name: 'a' }]);
    expect([await draw(), await draw()]).toEqual(preview ? ['1', '2'] : ['1', '1']);
  });

  it('in several caches go with a tag, and with them whatever was made of them anywhere', async () => {
    const { fragments, registry } = await openFragments({ default: {}, fragments: {}, slow: {} });
    const leaf = () => fragments.render('leaf', { cache: 'slow', tags: ['menu'] }, () => 'leaf');
    const side = () => fragments.render('side', {}, leaf);
    const value = registry.get().service;
    await value.getOrSet('page', side);
    await fragments.invalidateTags(['menu']);
    expect(await value.has('page')).toBe(false);
    expect(await fragments.render('side', {}, () => 'new')).toBe('new');
    expect(await fragments.render('leaf', { cache: 'slow' }, () => 'new leaf')).toBe('new leaf');
  });

  it('that are made anew of another cache during an invalidation do not stay', async () => {
    const { fragments, registry } = await openFragments({ default: {}, slow: {} });
    const leaf = () => fragments.render('leaf', { cache: 'slow', tags: ['menu'] }, () => 'old leaf');
    await leaf();
    const { invalidations } = registry.get('slow').engine;
    const raise = invalidations.invalidateTags.bind(invalidations);
    const held = gate();
    const reached = gate();
    jest.spyOn(invalidations, 'invalidateTags').mockImplementationOnce(async (...given) => {
      reached.open();
      await held.opened;
      await raise(...given);
    });
    const invalidated = fragments.invalidateTags(['menu']);
    await reached.opened;
    await new Promise(setImmediate);
    // The default cache has it behind itself, the other one has not.
    expect(await fragments.render('side', {}, leaf)).toBe('old leaf');
    held.open();
    await invalidated;
    expect(await fragments.render('side', {}, () => 'new')).toBe('new');
  });

  it('are there for whoever injects FragmentCache', async () => {
    const module = await Test.createTestingModule({
      imports: [CachingModule.forRoot({ caches: { default: {}, fragments: {} } })],
    }).compile();
    const fragments = module.get(FragmentCache);
    expect(await fragments.render('a', {}, () => 'a')).toBe('a');
    expect(module.get<CacheService>(getCacheToken('fragments')).statistics.loads).toBe(1);
    await module.close();
  });

  it('refuse options that nobody knows', () => {
    expect(() => CachingModule.forRoot({ fragments: { cache: 'nowhere' } })).toThrow('fragments.cache');
    expect(() => CachingModule.forRoot({ fragments: { previw: true } as never })).toThrow(
      'did you mean "preview"',
    );
  });
});
