import { randomUUID } from 'node:crypto';
import { type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { kill, useBuilt } from '../support/processes.js';
import { describeService } from '../support/services.js';
import { PLATFORMS } from '../support/test-app.js';
import { visit } from '../support/visit.js';

const ROUNDS = 30;
const TIMEOUT = 60_000;
/** How long a page may take to be stored and found in every process. */
const PATIENCE_MS = 20_000;

interface Reader {
  readonly what: string;
  /** The number of the last page that was stored when it was asked for. */
  stored: number;
}

/** Ask for pages again and again, and note what is older than what was confirmed before they asked. */
class Readers {
  readonly stale: string[] = [];
  readonly all: Reader[] = [];
  private confirmed = 0;
  private isOver = false;
  private told: (() => void) | undefined;
  private readonly loops: Promise<void>[] = [];

  add(url: string, path: string, headers: Record<string, string> = {}): void {
    const reader = { what: `${url}${path} ${JSON.stringify(headers)}`, stored: 0 };
    this.all.push(reader);
    this.loops.push(this.read(reader, url, path, headers));
  }

  /** From now on nobody who asks may see an older number. */
  confirm(number: number): void {
    this.confirmed = number;
  }

  /** Waits until each has been given a stored page with what was confirmed. */
  async seen(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    const late = () => this.all.filter(({ stored }) => stored < this.confirmed).map(({ what }) => what);
    while (this.stale.length === 0 && late().length > 0) {
      if (Date.now() > deadline) throw new Error(`not stored: ${late().join(', ')}`);
      await new Promise<void>((resolve) => (this.told = resolve));
    }
  }

  async end(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.loops);
  }

  private async read(reader: Reader, url: string, path: string, headers: Record<string, string>) {
    while (!this.isOver) {
      const least = this.confirmed;
      const { status, text, isHit } = await visit(url, path, headers);
      const number = Number.parseInt(text, 10);
      if (status !== 200 || !(number >= least))
        this.stale.push(`${reader.what}: ${status} ${text} after ${least}`);
      if (isHit) reader.stored = number;
      this.told?.();
    }
  }
}

describeService('redis', (service) => {
  const start = useBuilt('test/support/page-process');
  const children: ChildProcess[] = [];
  const urls: string[] = [];

  beforeAll(async () => {
    const keyPrefix = randomUUID();
    for (const platform of PLATFORMS) children.push(start(platform, service().url, keyPrefix));
    const said = await Promise.all(children.map((child) => once(child, 'message') as Promise<[string]>));
    urls.push(...said.map(([url]) => url));
  }, TIMEOUT);
  afterAll(() => Promise.all(children.map(kill)));

  it.each(
    PLATFORMS.flatMap((platform, writer) => [
      { platform, writer, change: '/stock', what: 'a POST to the path of the page', isAll: false },
      { platform, writer, change: '/declared', what: 'a POST with @InvalidatesPages', isAll: true },
      { platform, writer, change: '/by-hand', what: 'PageCache.invalidate', isAll: true },
    ]),
  )(
    'no process shows what was before $what on $platform, once that is answered',
    async ({ writer, change, isAll }) => {
      const readers = new Readers();
      const write = async () => {
        const { status, text } = await visit(urls[writer] ?? '', change, { method: 'POST' });
        expect(status).toBeLessThan(300);
        readers.confirm(Number(text));
      };
      try {
        await write();
        for (const url of urls) {
          readers.add(url, '/stock');
          readers.add(url, '/stock');
          if (isAll)
            for (const language of ['de', 'en'])
              readers.add(url, '/stock/greeting', { 'accept-language': language });
        }
        for (let round = 0; round < ROUNDS && readers.stale.length === 0; round += 1) {
          // Now one change upon the other, amid runs of handlers; now with pages that lie there already.
          if (round % 2 === 0) await readers.seen();
          await write();
        }
        await readers.seen();
      } finally {
        await readers.end();
      }
      expect(readers.stale).toEqual([]);
    },
    TIMEOUT,
  );
});
