import { FileBackend } from '../../libs/caching/src/backends/file.backend.js';
import { systemClock } from '../../libs/caching/src/clock.js';

/**
 * A process of its own with a file backend, for file-processes.spec.ts. It is told what to do by messages and answers
 * each with what came of it. `storm` is never answered: it lasts until the process is killed.
 */
export type Order =
  | { readonly does: 'add'; readonly keys: readonly string[] }
  | { readonly does: 'increment'; readonly key: string; readonly times: number }
  | { readonly does: 'fill'; readonly prefix: string; readonly entries: number }
  | { readonly does: 'storm'; readonly key: string; readonly bytes: number };

const [directory = '', maxEntries = '10000'] = process.argv.slice(2);
const backend = new FileBackend({
  directory,
  maxEntries: Number(maxEntries),
  sweepIntervalMs: 0,
  clock: systemClock,
});

async function carryOut(order: Order): Promise<unknown> {
  switch (order.does) {
    case 'add':
      return Promise.all(order.keys.map((key) => backend.add(key, process.pid, null)));
    case 'increment':
      for (let done = 0; done < order.times; done += 1) await backend.increment(order.key, 1, 0, null);
      return order.times;
    case 'fill':
      for (let n = 0; n < order.entries; n += 1) await backend.set(`${order.prefix}:${n}`, n, null);
      return order.entries;
    case 'storm':
      for (let fill = 0; ; fill = (fill + 1) % 256) {
        await backend.set(order.key, new Uint8Array(order.bytes).fill(fill), null);
        await backend.increment(`${order.key}:count`, 1, 0, null);
      }
  }
}

process.on('message', (order: Order) => {
  carryOut(order).then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.send?.({ answer: 'ready' });
