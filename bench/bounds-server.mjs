// An application under a flood, with its memory in sight. Decorators are applied by hand: this is not compiled.
import 'reflect-metadata';
import { Controller, Get, Module, StreamableFile, Header } from '@nestjs/common';
import { Readable } from 'node:stream';
import { CachePage, CachingModule } from 'nestjs-caching';
import { MemoryBackend } from '../libs/caching/dist/backends/memory.backend.js';
import { entrySize } from '../libs/caching/dist/backends/memory/payload-size.js';
import { createApplication } from './application.mjs';

const [platform] = process.argv.slice(2);
const CHUNK = Buffer.alloc(64 * 1024, 'a');

class Pages {
  page() {
    return 'a'.repeat(1000);
  }
  varied() {
    return 'a'.repeat(1000);
  }
  refused() {
    return 'a';
  }
  large() {
    return new StreamableFile(
      Readable.from(
        (function* () {
          for (let sent = 0; sent < 200 * 2 ** 20; sent += CHUNK.length) yield CHUNK;
        })(),
      ),
    );
  }
}

function decorate(name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(Pages.prototype, name);
  for (const decorator of decorators) decorator(Pages.prototype, name, descriptor);
}
decorate('page', Get('page'));
decorate('varied', Get('varied'), Header('vary', 'x-variant'));
decorate('refused', Get('refused/:id'), Header('cache-control', 'no-store'));
decorate('large', Get('large'));
Controller()(Pages);
CachePage('1h')(Pages);

// The defaults of the memory backend.
const backend = new MemoryBackend({ maxEntries: 100_000, maxBytes: 64 * 2 ** 20, sweepInterval: 30_000 });
class App {}
Module({ imports: [CachingModule.forRoot({ backend })], controllers: [Pages] })(App);
const app = await createApplication(platform, App);
await app.listen(0, '127.0.0.1');

let peak = 0;
setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 50).unref();

process.on('message', async () => {
  let entries = 0;
  let bytes = 0;
  for await (const key of backend.keys('')) {
    entries += 1;
    bytes += entrySize(key, backend.get(key));
  }
  global.gc();
  const { rss, heapUsed } = process.memoryUsage();
  process.send({ entries, bytes, rss, heapUsed, peak: Math.max(peak, rss) });
  peak = 0;
});
process.send({ url: (await app.getUrl()).replace('[::1]', '127.0.0.1') });
process.on('disconnect', () => process.exit());
