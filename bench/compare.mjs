import { CacheService, CachingModule } from 'nestjs-caching';
import { Test } from '@nestjs/testing';
import { median, spread, table } from './table.mjs';

/** A cache as an application has it. */
export async function open(options) {
  const module = await Test.createTestingModule({ imports: [CachingModule.forRoot(options)] }).compile();
  await module.init();
  return { cache: module.get(CacheService, { strict: false }), close: () => module.close() };
}

/**
 * Times subjects `[name, run(count)]` in turns and prints a table. The ratio is the median of the ratios to the first
 * subject of the same round, so that what slows a whole round down does not show.
 */
export async function compare(title, baseName, subjects, count, rounds) {
  const times = subjects.map(() => []);
  for (const [, run] of subjects) await run(count);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < subjects.length; turn += 1) {
      const index = (turn + round) % subjects.length;
      times[index].push(await microseconds(subjects[index][1], count));
    }
  }
  const rows = subjects.map(([name], index) => {
    const ratios = times[index].map((time, round) => time / times[0][round]);
    return [name, median(ratios).toFixed(2), median(times[index]).toFixed(2), spread(times[index])];
  });
  table(title, ['subject', `× ${baseName}`, 'µs', 'spread'], rows);
}

/** What one of `count` operations takes. */
export async function microseconds(run, count) {
  const began = process.hrtime.bigint();
  await run(count);
  return Number(process.hrtime.bigint() - began) / count / 1000;
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

const items = (more) =>
  Array.from({ length: 100 }, (_, id) => ({ id, name: `n${id}`, ...more(id), price: 1.5, ok: true }));

export const VALUES = {
  'small string': 'x'.repeat(100),
  '100 objects': items(() => ({ tags: ['a'] })),
  '100 objects with dates': items((id) => ({ at: new Date(id) })),
};
