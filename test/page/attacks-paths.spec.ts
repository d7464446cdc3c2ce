import { describe, expect, it } from '@jest/globals';
import { usePages } from '../support/page-app.js';
import { PLATFORMS } from '../support/test-app.js';

// Attacks of the classes C6, path tricks and deception, and C7, side channels. Attack 82, the purge of all aliases of a
// path, is in page-cache.service.spec.ts.
describe.each(PLATFORMS)('C6, path tricks, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));

  it.each([
    'x.css',
    ';x.css',
    '%00.css',
    '%0A.css',
    '%23x',
    '%3Fx',
    '..%2fx.css',
    'account/style.css',
    'account/robots.txt?x=.css',
  ])('81: what a wildcard route says to one who is signed in is nobody else’s at /w/%s', async (path) => {
    await start('60s');
    pages.handle = ({ headers }, _reply, run) =>
      `${headers['authorization'] ?? headers['cookie'] ?? 'nobody'} ${run}`;
    for (const headers of [
      { authorization: 'alice' },
      { cookie: 'connect.sid=alice' },
      { cookie: 'other=alice' },
    ]) {
      const signedIn = await pages.raw(`/w/${path}`, headers);
      expect([signedIn.status, signedIn.text]).toEqual([200, expect.stringContaining('alice')]);
      const { text } = await pages.raw(`/w/${path}`);
      expect(text).toBe(`nobody ${pages.runs}`);
    }
  });

  it('84: spellings of one path may share, an escaped slash is another path', async () => {
    await start('60s');
    pages.handle = ({ originalUrl }) => originalUrl.toLowerCase();
    const targets = ['/w/%C3%A9', '/w/%c3%a9', '/w/a%2Fb', '/w/a/b', '/w/a%2fb', '/w/a%252Fb'];
    for (let round = 0; round < 2; round += 1)
      for (const target of targets)
        expect([target, (await pages.raw(target)).text]).toEqual([target, target.toLowerCase()]);
  });

  it.each(['%E0%A4%A', '%', '%zz', '%ff', '%C3'])(
    '85: the bad escape %s is the router’s to refuse, and is not stored',
    async (escape) => {
      await start('60s');
      for (const target of [`/p/${escape}`, `/w/${escape}`]) {
        const first = await pages.raw(target);
        const second = await pages.raw(target);
        expect([target, [200, 400, 404]]).toEqual([target, expect.arrayContaining([first.status])]);
        expect(second.status).toBe(first.status);
        if (first.status !== 200) expect(second.headers['age']).toBeUndefined();
      }
      const { status } = await pages.raw(`/p/1?q=${escape}&a=1`);
      expect(status).toBe(200);
    },
  );
});

describe.each(PLATFORMS)('C7, side channels, on %s', (platform) => {
  const pages = usePages(platform);

  it('87: Cache-Status carries no key, token, cookie or identity', async () => {
    await pages.start(
      pages.controller('60s', {
        user: ({ headers }: { headers: Record<string, string> }) => headers['authorization'],
      }),
      {
        caching: { pages: { cacheStatus: true } },
      },
    );
    const secret = { authorization: 'token-s3cret', cookie: 'theme=s3cret' };
    for (let time = 0; time < 3; time += 1) {
      const said = (await pages.ask('/p/1?token=s3cret', secret)).headers.get('cache-status') ?? '';
      expect(said).toMatch(/hit|fwd/);
      expect(said).not.toMatch(/s3cret|key=/);
    }
  });

  it('88: warnings name routes and headers, and show no query, cookie or token', async () => {
    await pages.start(
      pages.controller('60s', {
        tags: () => {
          throw new Error('s3cret');
        },
      }),
    );
    pages.handle = ({ headers }) => `${headers['cookie']} ${headers['authorization']}`;
    await pages.ask('/p/1?token=s3cret', { cookie: 'theme=s3cret' });
    pages.handle = () => 'page';
    await pages.ask('/p/2?token=s3cret');
    expect(pages.warnings.length).toBeGreaterThan(0);
    expect(pages.warnings.join('\n')).not.toMatch(/s3cret|\/p\//);
  });

  it('90: an ETag is made of the bytes alone, for each variant of its own', async () => {
    await pages.start(
      pages.controller('60s', {
        user: ({ headers }: { headers: Record<string, string> }) => headers['authorization'],
      }),
    );
    pages.handle = ({ headers }) => (headers['authorization'] === 'eve' ? 'hers' : 'same');
    const tagOf = async (authorization: string, path = '/p/1') =>
      (await pages.ask(path, { authorization })).headers.get('etag');
    const [alice, bob, eve, later] = [
      await tagOf('alice'),
      await tagOf('bob'),
      await tagOf('eve'),
      await tagOf('alice', '/p/2'),
    ];
    expect([bob, later]).toEqual([alice, alice]);
    expect(eve).not.toBe(alice);
    const asked = await pages.ask('/p/1', { authorization: 'eve', 'if-none-match': alice ?? '' });
    expect([asked.status, asked.text]).toEqual([200, 'hers']);
  });

  it.each(['PURGE', 'BAN', 'DELETE'])(
    '91: %s from the network purges nothing on a route that does not take it',
    async (method) => {
      await pages.start(pages.controller('60s'));
      await pages.text('/p/91');
      const { status } = await pages
        .raw('/p/91', { 'x-purge': '1', 'cache-tag': '*' }, method)
        .catch(() => ({ status: 400 }));
      // DELETE is an unsafe request that this route takes, and that succeeds: what it makes of pages is of invalidation.
      if (status >= 400) expect(await pages.text('/p/91')).toBe('run 1');
      for (const path of ['/cache', '/_cache', '/purge', '/caching'])
        expect((await pages.raw(path)).status).toBe(404);
    },
  );
});
