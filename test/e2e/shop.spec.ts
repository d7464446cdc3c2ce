import { afterEach, beforeAll, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { describeBrowser } from '../support/browser.js';
import { buildSample, type SampleProcess, startSample } from '../support/sample-process.js';
import { PLATFORMS } from '../support/test-app.js';

describeBrowser('the shop of the sample in a browser', (browser) => {
  let sample: SampleProcess | undefined;

  beforeAll(buildSample, 120_000);
  afterEach(() => sample?.stop());

  it.each(PLATFORMS)(
    'greets each reader and keeps its parts until a product is added, on %s',
    async (platform) => {
      const { port } = (sample = await startSample({ PLATFORM: platform, UPSTREAM_DELAY: '100' }));
      // Its connections end with it, so the sample need not wait for them.
      const reader = await browser().createBrowserContext();
      const page = await reader.newPage();
      const visit = async (user: string) => {
        await page.setViewport({ width: 820, height: 520 });
        await page.goto(`http://localhost:${port}/shop?user=${encodeURIComponent(user)}`);
        const text = (selector: string) => page.$eval(selector, (element) => element.textContent.trim());
        return {
          user: await text('#user'),
          page: await text('#page-time'),
          categories: await text('#categories time'),
          popular: await text('#popular time'),
          names: await page.$$eval('#categories li', (rows) => rows.map((row) => row.textContent)),
          products: await page.$$eval('#popular li span:first-child', (rows) =>
            rows.map((row) => row.textContent),
          ),
        };
      };
      const add = (product: object) =>
        page.evaluate(async (json) => {
          const headers = { 'content-type': 'application/json' };
          return (await fetch('/products', { method: 'POST', headers, body: json })).status;
        }, JSON.stringify(product));

      const first = await visit('Ada');
      expect(first).toMatchObject({ user: 'Ada', names: ['Garden', 'Kitchen', 'Office'] });
      expect(first.products[0]).toBe('Moka pot');
      if (process.env['UPDATE_SCREENSHOTS'] === '1') {
        await visit('Ada');
        await page.screenshot({ path: join(import.meta.dirname, '../../docs/images/shop.png') });
      }

      const second = await visit('<i>"Grace"</i>');
      expect(second).toEqual({ ...first, user: '<i>"Grace"</i>', page: expect.any(String) });
      expect(second.page).not.toBe(first.page);

      expect(await add({ name: '</script><script>', category: 'Kitchen', price: 25, sold: 900 })).toBe(201);
      const third = await visit('Ada');
      expect(third.products[0]).toBe('</script><script>');
      expect(third.categories).toBe(first.categories);
      expect(third.popular).not.toBe(first.popular);

      expect(await add({ name: 'Globe', category: 'Travel', price: 70 })).toBe(201);
      expect((await visit('Ada')).names).toEqual(['Garden', 'Kitchen', 'Office', 'Travel']);
      expect(await add({ name: 'nothing' })).toBe(400);
      await reader.close();
    },
  );
});
