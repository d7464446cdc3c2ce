import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSample, type SampleProcess, startSample } from '../support/sample-process.js';
import { describeService } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';

/** What the routes of the sample answer, as far as the tests care. */
interface Answer {
  readonly sequence: number;
  readonly name?: string;
  readonly total?: number;
  readonly categories?: object;
  readonly products?: readonly { readonly name: string; readonly category: string }[];
}

const ALICE = { headers: { authorization: 'Bearer alice-token' } };
const BOB = { headers: { authorization: 'Bearer bob-token' } };

describe('the pages of the sample', () => {
  let sample: SampleProcess | undefined;

  beforeAll(buildSample, 120_000);
  afterEach(() => sample?.stop());

  const start = async (environment: Record<string, string>): Promise<SampleProcess> =>
    (sample = await startSample({ UPSTREAM_DELAY: '50', ...environment }));

  function keepTheirPromises(platform: string, cacheUrl: () => string): void {
    const startHere = (more: Record<string, string> = {}): Promise<SampleProcess> =>
      start({ PLATFORM: platform, CACHE_URL: cacheUrl(), ...more });

    it('keeps a page of the list for each filter, whatever the order and the campaign', async () => {
      const app = await startHere();
      const page = await hit(app, '/products?category=Kitchen&sort=price');
      expect(page.products?.map(({ name }) => name)).toEqual(['Moka pot', 'Chef’s knife']);
      expect(await hit(app, '/products?utm_source=mail&sort=price&category=Kitchen')).toEqual(page);
      const other = await hit(app, '/products?category=Office');
      expect(other.products?.map(({ category }) => category)).toEqual(['Office', 'Office']);
      expect(await hit(app, '/products?category=Kitchen&sort=price')).toEqual(page);
    });

    it('keeps no answer to a question that is wrong', async () => {
      const app = await startHere();
      for (const query of ['sort=age', 'sort=age', 'page=0', 'category=a&category=b'])
        expect((await app.fetch(`/products?${query}`)).status).toBe(400);
    });

    it('shows a product that was added on every page, at once', async () => {
      const app = await startHere();
      const paths = ['/products', '/products?category=Kitchen', '/products/categories'];
      const before = await Promise.all(paths.map((path) => hit(app, path)));
      const add = (product: object): Promise<Response> =>
        app.fetch('/products', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(product),
        });
      expect((await add({ name: 'Teapot' })).status).toBe(400);
      expect(await Promise.all(paths.map((path) => hit(app, path)))).toEqual(before);
      expect((await add({ name: 'Teapot', category: 'Kitchen', price: 20 })).status).toBe(201);
      const [all, kitchen, counts] = await Promise.all(
        paths.map(async (path) => JSON.parse(await app.read(path)) as Answer),
      );
      expect([all?.total, kitchen?.total, counts?.categories]).toEqual([
        7,
        3,
        { Kitchen: 3, Office: 2, Garden: 2 },
      ]);
    });

    it('keeps a page for each user, behind the guard', async () => {
      const app = await startHere();
      const alice = await hit(app, '/me', ALICE);
      const bob = await hit(app, '/me', BOB);
      expect([alice.name, bob.name]).toEqual(['Alice', 'Bob']);
      expect(await hit(app, '/me', ALICE)).toEqual(alice);
      for (const authorization of ['', 'Bearer nobody', 'Basic alice-token'])
        expect((await app.fetch('/me', { headers: { authorization } })).status).toBe(401);
    });

    it('serves the last weather while the API refuses', async () => {
      const app = await startHere({ WEATHER_TTL: '100', WEATHER_LIMIT: '3' });
      const weather = await (await app.fetch('/weather')).json();
      let status = 200;
      for (let calls = 0; status === 200 && calls < 10; calls += 1)
        status = (await app.fetch('/weather/live')).status;
      expect(status).toBe(503);
      const isPastItsLife = (cacheStatus: string): boolean => cacheStatus.includes('ttl=-');
      expect(await until(app, '/weather', isPastItsLife)).toEqual(weather);
    });

    it('never keeps the ticker, and lets nobody else do', async () => {
      const app = await startHere();
      const first = await app.fetch('/ticker');
      expect(first.headers.get('cache-control')).toContain('no-store');
      const { sequence } = (await first.json()) as Answer;
      expect(await app.sequence('/ticker')).toBe(sequence + 1);
    });

    it('prints how to try them', async () => {
      const { guide } = await startHere();
      for (const path of ['/products?', '/shop', '/me', '/weather', '/weather/live', '/ticker'])
        expect(guide).toContain(path);
    });
  }

  describe.each(PLATFORMS)('in memory on %s', (platform) => keepTheirPromises(platform, () => 'memory:'));

  describeService(
    'redis',
    (service) =>
      describe.each(PLATFORMS)('on %s', (platform) => keepTheirPromises(platform, () => service().url)),
    { own: true },
  );
});

/** What a path answers from the cache. On a busy machine the store may miss the deadline of a read, which is a miss. */
function hit(app: SampleProcess, path: string, init?: RequestInit): Promise<Answer> {
  return until(app, path, (cacheStatus) => cacheStatus.includes('; hit'), init);
}

async function until(
  app: SampleProcess,
  path: string,
  isReached: (cacheStatus: string) => boolean,
  init?: RequestInit,
): Promise<Answer> {
  let seen = '';
  for (const deadline = Date.now() + 15_000; Date.now() < deadline;) {
    const response = await app.fetch(path, init);
    expect(response.status).toBe(200);
    const answer = (await response.json()) as Answer;
    seen = response.headers.get('cache-status') ?? '';
    if (isReached(seen)) return answer;
  }
  throw new Error(`GET ${path} went on to say "${seen}"`);
}
