import { describe, expect, it } from '@jest/globals';
import { StreamableFile } from '@nestjs/common';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type AnyReply, usePages } from '../support/page-app.js';
import { until } from '../support/scenarios.js';
import { PLATFORMS } from '../support/test-app.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of buffers that somebody holds. */
function buffered(): number {
  collect();
  return process.memoryUsage().arrayBuffers;
}

/** More than anybody takes at once. */
const SIZE = 200_000;
const MIB = 1024 * 1024;

/** Node's own response beneath a reply of either platform. */
const rawOf = (reply: AnyReply) => (Reflect.get(reply, 'raw') ?? reply) as Writable;

describe.each(PLATFORMS)('the copy of a request that renews a stale page, %s', (platform) => {
  const pages = usePages(platform);

  const textOfLength = (run: number) => String(run).repeat(SIZE);
  const streamOf = (text: string) => new StreamableFile(Readable.from(text.match(/.{1,20000}/g) ?? []));

  it('makes a long streamed page at once when the stale one may not be served', async () => {
    await pages.start(pages.controller('1m', { staleIfError: '1h' }));
    pages.handle = (_request, _reply, run) => streamOf(textOfLength(run));
    await pages.text();
    pages.clock.advance(61_000);
    expect(await pages.text()).toBe(textOfLength(2));
    expect([await pages.text(), pages.runs]).toEqual([textOfLength(2), 2]);
  });

  it('makes a long streamed page behind a stale one', async () => {
    await pages.start(pages.controller('1m', { staleWhileRevalidate: '1h' }));
    pages.handle = (_request, _reply, run) => streamOf(textOfLength(run));
    await pages.text();
    pages.clock.advance(61_000);
    await until(async () => (await pages.text()) === textOfLength(2));
    expect([await pages.text(), pages.runs]).toEqual([textOfLength(2), 2]);
  });

  it('tells a writer that was told to wait when it may go on, and that it need not wait any more', async () => {
    await pages.start(pages.controller('1m', { staleIfError: '1h' }));
    await pages.text();
    pages.clock.advance(61_000);
    const seen: boolean[] = [];
    pages.handle = async (_request, reply) => {
      const raw = rawOf(reply);
      // Of one that has been told to wait, a writer of the web's keeps what it has until it hears `drain`.
      seen.push(raw.writableNeedDrain, raw.write('x'.repeat(SIZE)), raw.writableNeedDrain);
      await once(raw, 'drain');
      seen.push(raw.writableNeedDrain);
      raw.end();
    };
    await pages.ask();
    expect(seen.slice(0, 4)).toEqual([false, false, true, false]);
  });

  it('keeps nothing of a body that is too large to be stored', async () => {
    await pages.start(pages.controller('1m', { staleIfError: '1h' }), {
      caching: { pages: { maxBodySize: MIB } },
    });
    await pages.text();
    pages.clock.advance(61_000);
    let kept = Infinity;
    pages.handle = (_request, _reply, run) => {
      // The client's own answer, since the copy's was too large.
      if (run > 2) return 'short';
      const before = buffered();
      const parts = async function* () {
        for (let part = 0; part < 64; part += 1) yield Buffer.alloc(MIB, 'x');
        await new Promise(setImmediate);
        kept = buffered() - before;
        yield 'end';
      };
      return new StreamableFile(Readable.from(parts()));
    };
    expect(await pages.text()).toBe('short');
    expect(kept).toBeLessThan(16 * MIB);
  });
});
