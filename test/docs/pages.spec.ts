import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { example, membersOf, read } from '../support/examples.js';
import { metadataOf, playRequests } from '../support/request-examples.js';
import { PLATFORMS, startApp } from '../support/test-app.js';
import { visit } from '../support/visit.js';

describe('docs/pages.md', () => {
  it.each([
    [
      'Options of `@CachePage',
      'libs/caching/src/page/cache-page.options.ts',
      ['PagePolicyOptions', 'NamedPagePolicy', 'CachePageOptions'],
    ],
    ['Options of `pages`', 'libs/caching/src/caching.options.ts', ['PagesOptions']],
  ])('lists under "%s" the options of the code and no others', async (heading, file, interfaces) => {
    const code = await read(file);
    const options = interfaces.flatMap((name) => membersOf(code, name));
    const [, section = ''] = (await read('docs/pages.md')).split(`## ${heading}`);
    const rows = [...(section.split('\n## ')[0] ?? '').matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    expect(rows.sort()).toEqual(options.sort());
  });

  it.each(PLATFORMS)('shows what `explain` says on %s', async (platform) => {
    const code = await example('docs/pages.md', 'explain.ts');
    const offers = () => ({ run: 1 });
    const app = await startApp(platform, await metadataOf(code, { offers }));
    const url = '/offers?page=1&utm_source=mail';
    await visit(app.url, url);
    const { text } = await app.fetch(`/debug/pages?url=${encodeURIComponent(url)}`);
    const [, shown = ''] = /```json of=explain.ts\n([^]*?)```/.exec(await read('docs/pages.md')) ?? [];
    expect(JSON.parse(text)).toMatchObject(JSON.parse(shown));
    await app.close();
  });

  it.each(PLATFORMS)('says of each request what becomes of it on %s', async (platform) => {
    expect(await playRequests('docs/pages.md', platform)).toBeGreaterThan(10);
  });
});
