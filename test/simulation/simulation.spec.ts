import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Simulation } from './simulation.js';
import type { SimulatedBackend } from './store.js';

const SEEDS = Number(process.env['SIM_SEEDS'] ?? 1000);
/** `SIM_SEED=17 npx jest test/simulation` runs one seed, with everything that it says. */
const ONE_SEED = process.env['SIM_SEED'];

Logger.overrideLogger(false);

describe('several nodes over one store, with delays, drops, duplicates, reordering, crashes and clock jumps', () => {
  it(`keep the promises in ${ONE_SEED === undefined ? `${SEEDS} histories` : `history ${ONE_SEED}`}`, async () => {
    const seeds =
      ONE_SEED === undefined ? Array.from({ length: SEEDS }, (_each, seed) => seed + 1) : [Number(ONE_SEED)];
    const failures: string[] = [];
    const total = { loads: 0, reads: 0, fenced: 0 };
    for (const seed of seeds) {
      const { violations, loads, reads, fenced } = await new Simulation(seed).run();
      total.loads += loads;
      total.reads += reads;
      total.fenced += fenced;
      if (violations.length > 0) failures.push(`SIM_SEED=${seed}: ${violations.slice(0, 3).join('; ')}`);
    }
    expect(failures).toEqual([]);
    process.stderr.write(`simulation: ${seeds.length} seeds, ${JSON.stringify(total)}\n`);
  }, 600_000);

  it('is the same for the same seed', async () => {
    expect(await new Simulation(7).run()).toEqual(await new Simulation(7).run());
  });

  it.each<[string, (backend: SimulatedBackend) => void]>([
    [
      'leases that are stored over whatever is there',
      (backend) => {
        const { set } = backend;
        backend.compareAndSet = async (key, _expected, payload, ttlMs) => {
          await set(key, payload, ttlMs);
          return true;
        };
      },
    ],
    [
      'leases that everybody gets',
      (backend) => {
        const { add } = backend;
        backend.add = async (key, payload, ttlMs) => (await add(key, payload, ttlMs)) || !key.includes('@');
      },
    ],
    [
      'tags whose records are never changed',
      (backend) => {
        const { compareAndSet } = backend;
        backend.compareAndSet = async (key, expected, payload, ttlMs) =>
          key.includes('@tag') ? true : compareAndSet(key, expected, payload, ttlMs);
      },
    ],
    [
      'deletes that do nothing',
      (backend) => {
        backend.deleteMany = () => Promise.resolve(1);
      },
    ],
  ])(
    'finds %s',
    async (_name, sabotage) => {
      let found = 0;
      for (let seed = 1; seed <= 60 && found === 0; seed += 1) {
        found += (await new Simulation(seed, sabotage).run()).violations.length;
      }
      expect(found).toBeGreaterThan(0);
    },
    120_000,
  );
});
