import * as nest from '@nestjs/common';
import { expect } from '@jest/globals';
import * as library from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { example, load, read } from './examples.js';
import { type Answer, type Platform, startApp, type TestApp } from './test-app.js';

/** What a line of requests says: what is asked, and what becomes of it. */
const REQUEST = /^(GET|POST) (\S+)(?: \(([^)]*)\))? → ([a-z]+)?(?:, )?(\d+)?(?: \| (.*))?$/;

/**
 * Plays the requests that a document shows under its examples, ```http of=file.ts: each line is a request and what becomes
 * of it. `made`: the handler ran; `stored`: it did not; `stale`: what was answered last, while it ran. `later 2m` moves the
 * clock, and from `db fails` on the handler fails.
 */
export async function playRequests(path: string, platform: Platform): Promise<number> {
  const blocks = [...(await read(path)).matchAll(/```http of=(\S+)\n([^]*?)```/g)];
  for (const [, file = '', lines = ''] of blocks) {
    const scene = new Scene();
    const metadata = await metadataOf(await example(path, file), scene.db);
    const app = await startApp(platform, metadata, undefined, (builder) =>
      builder.overrideProvider(library.CACHING_CLOCK).useValue(scene.clock),
    );
    try {
      for (const line of lines.trim().split('\n')) await scene.play(line, app, file);
    } finally {
      await app.close();
    }
  }
  return blocks.length;
}

/** An example's application: its controllers, with its module of caches or one without options. */
export async function metadataOf(code: string, db: object): Promise<nest.ModuleMetadata> {
  Object.assign(globalThis, { pagesExample: { ...nest, ...library, db } });
  const names = [...Object.keys(nest), ...Object.keys(library), 'db'].filter((name) =>
    new RegExp(`\\b${name}\\b`).test(code),
  );
  const exported = await load<Record<string, unknown>>(
    `const { ${names.join(', ')} } = (globalThis as any).pagesExample;\n${code}`,
  );
  const { caching = library.CachingModule.forRoot(), ...controllers } = exported;
  return {
    imports: [caching as nest.DynamicModule],
    controllers: Object.values(controllers) as nest.Type[],
  };
}

/** One example at work: its slow source, its clock, and what was answered last. */
class Scene {
  readonly clock = new FakeClock();
  private runs = 0;
  private fails = false;
  private readonly last = new Map<string, string>();

  /** Whatever is asked of it counts as one run of the handler. */
  readonly db = new Proxy(
    {},
    {
      get: () => () => {
        this.runs += 1;
        if (this.fails) throw new nest.ServiceUnavailableException();
        return { run: this.runs };
      },
    },
  );

  /** Waits for the page that is made behind a stale answer. */
  private async renewed(app: TestApp, path: string, id: string): Promise<void> {
    const stale = this.last.get(id);
    for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
      const { text } = await app.fetch(path);
      this.last.set(id, text);
      if (text !== stale) return;
    }
    throw new Error(`${path} was not renewed`);
  }

  async play(line: string, app: TestApp, file: string): Promise<void> {
    const later = /^later (\S+)$/.exec(line)?.[1];
    if (later !== undefined) return this.clock.advance(toMs(later));
    if (line === 'db fails') return void (this.fails = true);
    const [, method = '', path = '', headers = '', outcome, status, wanted = ''] = REQUEST.exec(line) ?? [];
    if (method === '') throw new Error(`${file} has a line that is no request: ${line}`);
    const before = this.runs;
    const answer = await app.fetch(path, { method, headers: pairs(headers, '; ') });
    const said = `${file}: ${line}`;
    const ran = (): number => this.runs - before;
    expect([said, answer.status]).toEqual([said, Number(status ?? 200)]);
    const id = `${path} ${headers}`;
    if (outcome === 'made') expect([said, ran(), answer.headers.get('age')]).toEqual([said, 1, null]);
    else if (outcome !== undefined) expect([said, answer.headers.has('age')]).toEqual([said, true]);
    if (outcome === 'stored') expect([said, ran()]).toEqual([said, 0]);
    if (outcome === 'stale') {
      expect([said, answer.text]).toEqual([said, this.last.get(id)]);
      if (this.fails) expect([said, ran()]).toEqual([said, 1]);
    }
    this.last.set(id, answer.text);
    if (outcome === 'stale' && !this.fails) await this.renewed(app, path, id);
    expectHeaders(said, answer, pairs(wanted, ' | '));
  }
}

function expectHeaders(said: string, answer: Answer, wanted: Record<string, string>): void {
  for (const [name, value] of Object.entries(wanted))
    expect([said, name, answer.headers.get(name)]).toEqual([said, name, value]);
}

function pairs(text: string, separator: string): Record<string, string> {
  const fields = text === '' ? [] : text.split(separator);
  return Object.fromEntries(
    fields.map((field): [string, string] => {
      const colon = field.indexOf(': ');
      return [field.slice(0, colon), field.slice(colon + 2)];
    }),
  );
}

function toMs(duration: string): number {
  const unit = { s: 1000, m: 60_000, h: 3_600_000 }[duration.slice(-1)];
  if (unit === undefined) throw new Error(`no duration: ${duration}`);
  return Number(duration.slice(0, -1)) * unit;
}
