import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { membersOf, read } from '../support/examples.js';
import { playRequests } from '../support/request-examples.js';
import { PLATFORMS } from '../support/test-app.js';

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

  it.each(PLATFORMS)('says of each request what becomes of it on %s', async (platform) => {
    expect(await playRequests('docs/pages.md', platform)).toBeGreaterThan(10);
  });
});
