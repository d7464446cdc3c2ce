import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { buildSample, type SampleProcess, startSample } from '../support/sample-process.js';
import { describeService, type ServiceName } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';

const PATHS = ['/slow-api/page', '/slow-api/manual', '/slow-class/first'];

/** Peers of `nestjs-caching/compat`, and template engines that the sample does not use. */
const NOT_FOR_BACKENDS = [
  '@nestjs/cache-manager',
  'cache-manager',
  'ejs',
  'eta',
  'liquidjs',
  'nunjucks',
  'pug',
];

describe('CACHE_URL', () => {
  let sample: SampleProcess | undefined;

  const start = async (environment: Record<string, string>): Promise<SampleProcess> =>
    (sample = await startSample({ UPSTREAM_DELAY: '50', ...environment }));

  beforeAll(buildSample, 120_000);
  afterEach(() => sample?.stop());

  /** Serves hits, and the same ones after a restart of the sample. */
  async function expectKept(url: string, platform: string): Promise<void> {
    const environment = { CACHE_URL: url, PLATFORM: platform };
    const before = await start(environment);
    // Pages belong to their host and port; the value is there from the test before.
    await before.fetch('/slow-api/manual', { method: 'DELETE' });
    expect((await bodiesOf(before)).map(sequenceIn)).toEqual([1, 2, 3]);
    const bodies = await untilHits(before);
    await before.stop();
    const after = await start({ ...environment, PORT: before.port });
    // On a busy machine loading the driver and connecting take longer than a read may, which is a miss.
    await untilHits(after, ['/slow-api/get-or-set']);
    expect(await bodiesOf(after)).toEqual(bodies);
  }

  describe.each(PLATFORMS)('on %s', (platform) => {
    const folder = mkdtempSync(join(tmpdir(), 'nestjs-caching-sample-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('memory: serves hits until a restart', async () => {
      const before = await start({ CACHE_URL: 'memory:', PLATFORM: platform });
      const bodies = await untilHits(before);
      await before.stop();
      const after = await start({ CACHE_URL: 'memory:', PLATFORM: platform, PORT: before.port });
      for (const body of await bodiesOf(after)) expect(bodies).not.toContain(body);
    });

    it('null: serves everything anew', async () => {
      const { sequence } = await start({ CACHE_URL: 'null:', PLATFORM: platform });
      for (const path of PATHS) expect(await sequence(path)).toBeLessThan(await sequence(path));
    });

    it('file:///… keeps its hits over a restart', () => expectKept(`file://${folder}/files`, platform));

    it('sqlite:///… keeps its hits over a restart', () =>
      expectKept(`sqlite://${folder}/cache.db`, platform));
  });

  it('finds its packages after an install without those for development', () => {
    const { peerDependenciesMeta } = manifest('libs/caching');
    const { dependencies } = manifest('apps/sample');
    const ofBackends = Object.keys(peerDependenciesMeta).filter((name) => !NOT_FOR_BACKENDS.includes(name));
    expect(ofBackends.length).toBeGreaterThan(4);
    expect(Object.keys(dependencies)).toEqual(expect.arrayContaining(ofBackends));
  });

  const keptIn = (name: ServiceName, schemes: readonly string[]): void =>
    describeService(
      name,
      (service) =>
        it.each(schemes.flatMap((scheme) => PLATFORMS.map((platform) => ({ scheme, platform }))))(
          '$scheme://… keeps its hits over a restart on $platform',
          ({ scheme, platform }) => expectKept(service().url.replace(/^\w+/, scheme), platform),
        ),
      // What an earlier run left at a server of the environment would be hits at once.
      { own: true },
    );

  keptIn('redis', ['redis']);
  keptIn('memcached', ['memcached']);
  keptIn('postgres', ['postgres', 'postgresql']);
  keptIn('mariadb', ['mysql', 'mariadb']);
});

function manifest(folder: string): Record<'dependencies' | 'peerDependenciesMeta', object> {
  return JSON.parse(
    readFileSync(new URL(`../../${folder}/package.json`, import.meta.url), 'utf8'),
  ) as ReturnType<typeof manifest>;
}

/** Reads each path until the same body comes twice, since a first response goes out before it is stored. */
async function untilHits(sample: SampleProcess, paths = PATHS): Promise<string[]> {
  let bodies = await bodiesOf(sample, paths);
  for (const deadline = Date.now() + 15_000; Date.now() < deadline;) {
    const next = await bodiesOf(sample, paths);
    if (next.every((body, index) => body === bodies[index])) return next;
    bodies = next;
  }
  throw new Error(`no hits within 15 s; the last bodies were ${bodies.join(' ')}`);
}

async function bodiesOf({ read }: SampleProcess, paths = PATHS): Promise<string[]> {
  const bodies: string[] = [];
  for (const path of paths) bodies.push(await read(path));
  return bodies;
}

function sequenceIn(body: string): number {
  return (JSON.parse(body) as { sequence: number }).sequence;
}
