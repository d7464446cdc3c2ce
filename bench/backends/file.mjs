// Whether a write to the file backend minds how many entries there are.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compare, open } from '../compare.mjs';

const COUNT = 200;
const SIZES = [100, 10_000];
const VALUE = 'x'.repeat(1000);

export async function benchFile({ rounds }) {
  const root = await mkdtemp(join(tmpdir(), 'nestjs-caching-bench-'));
  const opened = [];
  const filled = async (name, size, maxEntries) => {
    const { cache, close } = await open({
      url: `file://${join(root, name)}`,
      maxEntries,
      ttl: null,
      writeDeadline: '1m',
    });
    opened.push(close);
    for (let first = 0; first < size; first += 100) {
      await cache.setMany(Array.from({ length: 100 }, (_, i) => [`key:${first + i}`, VALUE]));
    }
    return cache;
  };
  const overwrite = [];
  const insert = [];
  let fresh = 0;
  for (const size of SIZES) {
    const cache = await filled(`roomy-${size}`, size, 100_000);
    overwrite.push([
      `${size} entries`,
      async (n) => {
        // A hundred of them: the file system minds how lately a file was written that is replaced.
        for (let i = 0; i < n; i += 1) await cache.set(`key:${(i % 100) * (size / 100)}`, VALUE);
      },
    ]);
    const full = await filled(`full-${size}`, size, size);
    insert.push([
      `${size} entries, which is as many as may be`,
      async (n) => {
        for (let i = 0; i < n; i += 1) await full.set(`new:${(fresh += 1)}`, VALUE);
      },
    ]);
  }
  await compare('File: set over a present key of 1 kB', ['100 entries'], overwrite, COUNT, rounds);
  await compare('File: set of a new key, with room to be made', ['100 entries'], insert, COUNT, rounds);
  for (const close of opened) await close();
  await rm(root, { recursive: true });
}
