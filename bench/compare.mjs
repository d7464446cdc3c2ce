import { Cached, CacheService, CachingModule } from 'nestjs-caching';
import { Test } from '@nestjs/testing';
import { median, spread, table } from './table.mjs';

/** What one subject may take of a round, in microseconds; more would only let the machine change in between. */
const ROUND_US = 200_000;

/** A cache as an application has it. */
export async function open(options) {
  const module = await Test.createTestingModule({ imports: [CachingModule.forRoot(options)] }).compile();
  await module.init();
  return { cache: module.get(CacheService, { strict: false }), close: () => module.close() };
}

/** A provider with a decorated method, as an application has it. Decorators are applied by hand: this is not compiled. */
export async function openDecorated() {
  let value;
  class Products {
    async find(_key) {
      return value;
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(Products.prototype, 'find');
  Cached('15m')(Products.prototype, 'find', descriptor);
  Object.defineProperty(Products.prototype, 'find', descriptor);
  const module = await Test.createTestingModule({
    imports: [CachingModule.forRoot()],
    providers: [Products],
  }).compile();
  await module.init();
  const products = module.get(Products);
  return {
    find: (key) => products.find(key),
    close: () => module.close(),
    async fill(stored) {
      value = stored;
      await module.get(CacheService, { strict: false }).clear();
      for (const key of KEYS) await products.find(key);
    },
  };
}

/**
 * Times subjects `[name, run(count)]` in turns and prints a table. The ratios are medians of the ratios to the bases, the
 * first subjects, in the same round, so that what slows a whole round down does not show. CPU time is that of this process,
 * all threads: what others take from the machine does not show in it.
 */
export async function compare(title, baseNames, subjects, count, rounds) {
  const measured = await inTurns(subjects, count, rounds);
  const ratio = (of, { wall, cpu }, base) => {
    const shares = measured[base][of].map((time, round) => ({ wall, cpu })[of][round] / time);
    return median(shares).toFixed(2);
  };
  const rows = subjects.map(([name], index) => {
    const { wall, cpu } = measured[index];
    const ratios = baseNames.map((_, base) => ratio('wall', measured[index], base));
    const cpuRatios = baseNames.map((_, base) => ratio('cpu', measured[index], base));
    return [name, ...ratios, ...cpuRatios, median(wall).toFixed(2), median(cpu).toFixed(2), spread(wall)];
  });
  const heads = baseNames.map((name) => `× ${name}`);
  const cpuHeads = baseNames.map((name) => `× ${name}, CPU`);
  table(title, ['subject', ...heads, ...cpuHeads, 'µs', 'CPU µs', 'spread'], rows);
}

/** What one operation of each subject takes in each round, in microseconds. */
async function inTurns(subjects, count, rounds) {
  const measured = subjects.map(() => ({ wall: [], cpu: [] }));
  const counts = [];
  for (const [, run] of subjects) counts.push(await countFor(run, count));
  for (let round = 0; round < rounds; round += 1) {
    global.gc();
    for (let turn = 0; turn < subjects.length; turn += 1) {
      const index = (turn + round) % subjects.length;
      // What one subject leaves behind is not collected in another's time.
      global.gc({ type: 'minor' });
      const used = process.cpuUsage();
      measured[index].wall.push(await microseconds(subjects[index][1], counts[index]));
      const { user, system } = process.cpuUsage(used);
      measured[index].cpu.push((user + system) / counts[index]);
    }
  }
  return measured;
}

/** Warms a subject up, and answers how often it is run in a round: fewer times than `most` if it is slow. */
async function countFor(run, most) {
  await run(Math.min(1000, most));
  const time = await microseconds(run, Math.min(1000, most));
  const count = Math.max(100, Math.min(most, Math.round(ROUND_US / time)));
  await run(count);
  return count;
}

/** What one of `count` operations takes. */
export async function microseconds(run, count) {
  const began = process.hrtime.bigint();
  await run(count);
  return Number(process.hrtime.bigint() - began) / count / 1000;
}

/** Runs an operation so often, one after another. */
export async function inTurn(count, operation) {
  for (let i = 0; i < count; i += 1) await operation(i);
}

/** Runs an operation so often, 200 of them at a time. */
export async function inParallel(count, operation) {
  let started = 0;
  const worker = async () => {
    while (started < count) {
      started += 1;
      await operation(started);
    }
  };
  await Promise.all(Array.from({ length: 200 }, worker));
}

/** As many keys as an application has: one key alone would be kept in registers. */
export const KEYS = Array.from({ length: 1000 }, (_, i) => `product:${(i * 7919) % 1000}`);

const items = (count, more) =>
  Array.from({ length: count }, (_, id) => ({ id, name: `n${id}`, ...more(id), price: 1.5, ok: true }));

export const VALUES = {
  'small string': 'x'.repeat(100),
  '1 object': items(1, () => ({ tags: ['a'] }))[0],
  '100 objects': items(100, () => ({ tags: ['a'] })),
  '100 objects with dates': items(100, (id) => ({ at: new Date(id) })),
};
