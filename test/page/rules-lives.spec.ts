import { describe, expect, it } from '@jest/globals';
import { HttpException } from '@nestjs/common';
import { gate as newGate } from '../support/gate.js';
import { sends, usePages } from '../support/page-app.js';
import { until } from '../support/scenarios.js';
import { PLATFORMS } from '../support/test-app.js';

// The rows of the rule book of HTTP output caching, part A2: how long may a response be used?
describe.each(PLATFORMS)('A2, how long it is used, on %s', (platform) => {
  const pages = usePages(platform);
  const start = (...given: Parameters<typeof pages.controller>) => pages.start(pages.controller(...given));
  const second = 1000;
  const at = (offset: number) =>
    new Date(Math.floor(pages.clock.now() / 1000) * 1000 + offset * second).toUTCString();

  /** Whether a page is still there after so many seconds, and gone one later. */
  async function expectLife(seconds: number): Promise<void> {
    await pages.ask();
    const { runs } = pages;
    pages.clock.advance((seconds - 1) * second);
    await pages.ask();
    expect([seconds, pages.runs]).toEqual([seconds, runs]);
    pages.clock.advance(second);
    await pages.ask();
    expect([seconds, pages.runs]).toEqual([seconds, runs + 1]);
  }

  it.each([
    ['s-maxage=10, max-age=60', undefined, 10],
    ['max-age=20', 'Expires', 20],
    ['public', 'Expires', 30],
  ])(
    'row 26: without a ttl %j (%s) lives by s-maxage, max-age, Expires minus Date, in this order',
    async (cacheControl, expires, life) => {
      await start();
      pages.handle = (request, reply, run) => {
        const date = at(0);
        return sends({
          'cache-control': cacheControl,
          date,
          ...(expires !== undefined && { expires: new Date(Date.parse(date) + 30_000).toUTCString() }),
        })(request, reply, run);
      };
      // The fake clock may stand between two seconds, and `Date` cannot.
      pages.clock.advance(1000 - (pages.clock.now() % 1000));
      await expectLife(life);
    },
  );

  it('row 26: Expires counts from the Date of the response, which has aged since', async () => {
    await start();
    pages.clock.advance(1000 - (pages.clock.now() % 1000));
    pages.handle = (request, reply, run) => sends({ date: at(-10), expires: at(30) })(request, reply, run);
    await expectLife(30);
  });

  it('row 26: without a ttl and a freshness of its own nothing is guessed', async () => {
    await start();
    pages.handle = sends({ 'last-modified': 'Mon, 23 Nov 2020 10:00:00 GMT', 'cache-control': 'public' });
    expect(await pages.isStored()).toBe(false);
  });

  it('row 27: with a ttl and no header the ttl counts', async () => {
    await start('60s');
    await expectLife(60);
  });

  it.each([
    ['s-maxage=10', 10],
    ['s-maxage=600', 60],
    ['s-maxage=10, max-age=600', 10],
    ['s-maxage=10, max-age=0', 10],
  ])(
    'row 28: with a ttl of 60 s, %s lives for %d s: the handler may shorten and not lengthen',
    async (cacheControl, life) => {
      await start('60s');
      pages.handle = sends({ 'cache-control': cacheControl });
      await expectLife(life);
    },
  );

  it.each(['max-age=1', 'max-age=600'])(
    'row 29: with a ttl %s is for browsers; Age is true',
    async (cacheControl) => {
      await start('60s');
      pages.handle = sends({ 'cache-control': cacheControl });
      await pages.ask();
      pages.clock.advance(42 * second);
      const hit = await pages.ask();
      expect([hit.text, hit.headers.get('age'), hit.headers.get('cache-control')]).toEqual([
        'run 1',
        '42',
        cacheControl,
      ]);
      pages.clock.advance(18 * second);
      expect(await pages.text()).toBe('run 2');
    },
  );

  it.each([
    ['max-age=10, max-age=60', 10],
    [['max-age=60', 'max-age=10'], 10],
    ['s-maxage=30, s-maxage=5', 5],
  ])('row 30: of %j the smallest counts', async (cacheControl, life) => {
    await start();
    pages.handle = sends({ 'cache-control': cacheControl });
    await expectLife(life);
  });

  it.each([
    "max-age='3600'",
    'max-age=-1',
    'max-age=3600.5',
    'max-age=a100',
    'max-age=100a',
    'max-age= 3600',
    'max-age =3600',
    'max-age=',
    'max-age',
    'x="max-age=3600"',
    'max-age=60, max-age=x',
  ])('row 31: %s is no lifetime', async (cacheControl) => {
    await start();
    pages.handle = sends({ 'cache-control': cacheControl });
    expect(await pages.isStored()).toBe(false);
  });

  it.each([
    ['max-age="3600"', 3600],
    ['max-age=003600', 3600],
    ['MAX-AGE=60', 60],
    ['max-age=60, x="max-age=0, private"', 60],
  ])('row 31: %s is one', async (cacheControl, life) => {
    await start();
    pages.handle = sends({ 'cache-control': cacheControl });
    await expectLife(life);
  });

  it.each(['99999999999', '9'.repeat(400)])(
    'row 32: max-age=%s is very long, and overflows nowhere',
    async (seconds) => {
      await start();
      pages.handle = sends({ 'cache-control': `max-age=${seconds}` });
      expect(await pages.isStored()).toBe(true);
      pages.clock.advance(90 * 86_400 * second);
      expect(await pages.text()).toBe('run 1');
    },
  );

  const EXPIRED: readonly (string | readonly string[])[] = [
    '0',
    '-1',
    '',
    'never',
    'Mon, 23 Nov 2099 10:00:00 CET',
    'Monday, 23-Nov-20 10:00:00 GMT',
    ['Wed, 23 Nov 2099 10:00:00 GMT', 'Wed, 23 Nov 2099 10:00:00 GMT'],
  ];
  it.each(EXPIRED)('row 33: Expires %j has passed', async (expires) => {
    await start();
    pages.handle = sends({ expires });
    expect(await pages.isStored()).toBe(false);
  });

  // A handler that says `Expires: 0` says it in the words of HTTP/1.0.
  it('row 33: with a ttl, an Expires that has passed shortens as max-age=0 does, and one to come is for browsers', async () => {
    await start('60s');
    pages.handle = sends({ expires: '0' });
    expect(await pages.isStored()).toBe(false);
    pages.handle = sends({ expires: 'Mon, 23 Nov 2020 10:00:00 GMT', 'cache-control': 's-maxage=60' });
    expect(await pages.isStored('/p/2')).toBe(true);
    pages.handle = sends({ expires: at(5) });
    expect(await pages.isStored('/p/3')).toBe(true);
    pages.clock.advance(30 * second);
    expect(await pages.isStored('/p/3')).toBe(true);
  });

  it.each([
    ['50', 10, '50'],
    ['50, 0', 10, '50'],
    ['soon', 60, '0'],
    ['-5', 60, '0'],
  ])('row 34: Age: %s of a response that was passed on leaves %d s of 60', async (age, left, shown) => {
    await start();
    pages.handle = sends({ 'cache-control': 'max-age=60', age });
    await pages.ask();
    expect((await pages.ask()).headers.get('age')).toBe(shown);
    await start('60s');
    pages.handle = sends({ 'cache-control': 's-maxage=60', age });
    await expectLife(left);
  });

  it('row 34: a response that has no life left is not stored', async () => {
    for (const ttl of [undefined, '60s'] as const) {
      await start(ttl);
      pages.handle = sends({ 'cache-control': 's-maxage=60', age: '60' });
      expect(await pages.isStored()).toBe(false);
    }
  });

  it.each([
    [-20, 40],
    [300, 60],
  ])(
    'row 35: Date %d s from now makes a life of 60 s one of %d: it never lengthens it',
    async (offset, life) => {
      await start();
      pages.clock.advance(1000 - (pages.clock.now() % 1000));
      pages.handle = (request, reply, run) =>
        sends({ 'cache-control': 'max-age=60', date: at(offset) })(request, reply, run);
      await expectLife(life);
    },
  );

  it.each(['must-revalidate', 'proxy-revalidate', 's-maxage=10', 'max-age=10, MUST-REVALIDATE'])(
    'row 36: %s forbids stale use, in the background and after errors',
    async (cacheControl) => {
      for (const window of ['staleWhileRevalidate', 'staleIfError'] as const) {
        await start('10s', { [window]: '60s' });
        let fails = false;
        pages.handle = (request, reply, run) => {
          if (fails) throw new HttpException('no', 503);
          return sends({ 'cache-control': cacheControl })(request, reply, run);
        };
        await pages.ask();
        pages.clock.advance(10 * second);
        fails = true;
        expect((await pages.ask()).status).toBe(503);
      }
    },
  );

  it('row 37: stale-while-revalidate answers at once, refreshes once, and ends', async () => {
    await start();
    const gate = newGate();
    pages.handle = async (request, reply, run) => {
      if (run > 1) await gate.opened;
      return sends({ 'cache-control': 'max-age=10, stale-while-revalidate=30' })(request, reply, run);
    };
    await pages.ask();
    pages.clock.advance(10 * second);
    const stale = await Promise.all([pages.ask(), pages.ask(), pages.ask()]);
    expect(stale.map(({ text, headers }) => [text, headers.get('age')])).toEqual(
      Array(3).fill(['run 1', '10']),
    );
    gate.open();
    await until(async () => (await pages.text()) === 'run 2');
    expect(pages.runs).toBe(2);
    pages.clock.advance(40 * second);
    expect(await pages.text()).toBe('run 3');
  });

  it('row 38: stale-if-error stands in for 500, 502, 503 and 504 within its time; a 4xx is passed on', async () => {
    await start();
    let status = 200;
    pages.handle = (request, reply, run) =>
      sends({ 'cache-control': 'max-age=10, stale-if-error=30' }, status)(request, reply, run);
    // A path for each: after one failure the stale page is served for a while without asking again.
    for (const [failure, shown] of [
      [500, 200],
      [502, 200],
      [503, 200],
      [504, 200],
      [501, 501],
      [403, 403],
    ] as const) {
      const path = `/p/${failure}`;
      status = 200;
      await pages.ask(path);
      pages.clock.advance(10 * second);
      status = failure;
      const { runs } = pages;
      expect([failure, (await pages.ask(path)).status]).toEqual([failure, shown]);
      expect(pages.runs).toBeGreaterThan(runs);
      pages.clock.advance(30 * second);
      expect([failure, (await pages.ask(path)).status]).toEqual([failure, failure]);
    }
  });

  it('row 39: immutable is replayed and lengthens nothing', async () => {
    await start();
    pages.handle = sends({ 'cache-control': 'max-age=10, immutable' });
    await pages.ask();
    expect((await pages.ask()).headers.get('cache-control')).toBe('max-age=10, immutable');
    pages.clock.advance(10 * second);
    expect(await pages.text()).toBe('run 2');
  });

  it('row 40: fields for other caches pass through and do not bind us', async () => {
    await start('60s');
    const others = { 'cdn-cache-control': 'no-store', 'surrogate-control': 'max-age=0' };
    pages.handle = sends(others);
    for (let time = 0; time < 2; time += 1) {
      const { text, headers } = await pages.ask();
      expect([text, headers.get('cdn-cache-control'), headers.get('surrogate-control')]).toEqual([
        'run 1',
        ...Object.values(others),
      ]);
    }
  });
});
