import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSample, type SampleProcess, startSample } from '../support/sample-process.js';
import { describeService } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';

interface List {
  readonly products: readonly { readonly name: string }[];
}
interface Profile {
  readonly name: string;
}

/** A body, as it came and as it reads. */
interface Answer<T> {
  readonly text: string;
  readonly body: T;
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
      const page = await hit<List>(app, '/products?category=Office&sort=price');
      expect(names(page)).toEqual(['Notebook', 'Desk lamp']);
      expect(await statusOf(app, '/products?utm_source=mail&sort=price&category=Office')).toContain('hit');
      expect(names(await hit<List>(app, '/products?category=Garden'))).toEqual(['Secateurs', 'Watering can']);
      expect(await statusOf(app, '/products?category=Office&sort=price')).toContain('hit');
    });

    it('keeps no answer to a question that is wrong', async () => {
      const app = await startHere();
      for (const query of ['sort=age', 'sort=age', 'page=0', 'category=a&category=b'])
        expect((await app.fetch(`/products?${query}`)).status).toBe(400);
    });

    it('shows a product that was added on every page, at once', async () => {
      const app = await startHere();
      const add = async (product: object): Promise<number> => {
        const body = JSON.stringify(product);
        const headers = { 'content-type': 'application/json' };
        return (await app.fetch('/products', { method: 'POST', headers, body })).status;
      };
      await hit(app, '/products');
      await hit(app, '/products?category=Office');
      await hit(app, '/products/categories');
      expect(await add({ name: 'Stapler' })).toBe(400);
      expect(await statusOf(app, '/products')).toContain('hit');
      expect(await add({ name: 'Stapler', category: 'Office', price: 9 })).toBe(201);
      expect(JSON.parse(await app.read('/products'))).toMatchObject({ total: 7 });
      expect(JSON.parse(await app.read('/products?category=Office'))).toMatchObject({ total: 3 });
      expect(await statusOf(app, '/products/categories')).toContain('hit');
      expect(await add({ name: 'Sled', category: 'Snow', price: 60 })).toBe(201);
      expect(JSON.parse(await app.read('/products/categories'))).toContain('Snow');
    });

    it('keeps a page for each user, behind the guard', async () => {
      const app = await startHere();
      const alice = await hit<Profile>(app, '/me', ALICE);
      const bob = await hit<Profile>(app, '/me', BOB);
      expect([alice.body.name, bob.body.name]).toEqual(['Alice', 'Bob']);
      expect(await hit<Profile>(app, '/me', ALICE)).toEqual(alice);
      for (const authorization of ['', 'Bearer nobody', 'Basic alice-token'])
        expect((await app.fetch('/me', { headers: { authorization } })).status).toBe(401);
    });

    it('serves the last weather while the API refuses', async () => {
      const app = await startHere({ WEATHER_TTL: '100', WEATHER_LIMIT: '3' });
      const weather = await app.read('/weather');
      let status = 200;
      for (let calls = 0; status === 200 && calls < 10; calls += 1)
        status = (await app.fetch('/weather/live')).status;
      expect(status).toBe(503);
      const isPastItsLife = (cacheStatus: string): boolean => cacheStatus.includes('ttl=-');
      expect((await until(app, '/weather', isPastItsLife)).text).toBe(weather);
    });

    it('never keeps the ticker, and lets nobody else do', async () => {
      const app = await startHere();
      const first = await app.fetch('/ticker');
      expect(first.headers.get('cache-control')).toContain('no-store');
      const { sequence } = (await first.json()) as { sequence: number };
      expect(await app.sequence('/ticker')).toBe(sequence + 1);
    });

    it('prints how to try them', async () => {
      const { guide } = await startHere();
      for (const path of ['/products?', '/me', '/weather', '/weather/live', '/ticker'])
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

function names({ body }: Answer<List>): string[] {
  return body.products.map(({ name }) => name);
}

async function statusOf({ fetch }: SampleProcess, path: string): Promise<string> {
  return (await fetch(path)).headers.get('cache-status') ?? '';
}

/** What a path answers from the cache. On a busy machine the store may miss the deadline of a read, which is a miss. */
function hit<T>(app: SampleProcess, path: string, init?: RequestInit): Promise<Answer<T>> {
  return until(app, path, (cacheStatus) => cacheStatus.includes('; hit'), init);
}

async function until<T>(
  app: SampleProcess,
  path: string,
  isReached: (cacheStatus: string) => boolean,
  init?: RequestInit,
): Promise<Answer<T>> {
  let seen = '';
  for (const deadline = Date.now() + 15_000; Date.now() < deadline;) {
    const response = await app.fetch(path, init);
    expect(response.status).toBe(200);
    const text = await response.text();
    seen = response.headers.get('cache-status') ?? '';
    if (isReached(seen)) return { text, body: JSON.parse(text) as T };
  }
  throw new Error(`GET ${path} went on to say "${seen}"`);
}
