import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from 'nestjs-caching/testing';
import type { CompleteBackend } from '../../libs/caching/src/backends/cache-backend.js';
import { StoreClock } from '../../libs/caching/src/cache/store-clock.js';

const MINUTE = 60_000;

describe("the store's clock", () => {
  let local: FakeClock;
  let server: FakeClock;
  let looks: number;
  let isDown: boolean;
  let clock: StoreClock;

  beforeEach(async () => {
    local = new FakeClock();
    server = new FakeClock(local.now() + 5 * MINUTE);
    looks = 0;
    isDown = false;
    const time = async (): Promise<number> => {
      looks += 1;
      if (isDown) throw new Error('down');
      return Promise.resolve(server.now());
    };
    clock = new StoreClock({ capabilities: { shared: true }, time } as unknown as CompleteBackend, local);
    await clock.measure();
  });

  const pass = (ms: number): void => {
    local.advance(ms);
    server.advance(ms);
  };
  const looked = async (): Promise<void> => {
    clock.now();
    await new Promise(setImmediate);
  };

  it('is gone by, and not asked again while nothing jumps', async () => {
    pass(24 * 60 * MINUTE);
    await looked();
    expect([clock.now(), looks]).toEqual([server.now(), 1]);
  });

  it('is found again when the machine has slept: by then the monotonic clock has stood still', async () => {
    server.advance(10 * MINUTE);
    local.jump(10 * MINUTE);
    // Not ten minutes back, in which what has expired would be fresh.
    expect(clock.now()).toBe(local.now());
    await looked();
    expect([clock.now(), looks]).toEqual([server.now(), 2]);
  });

  it('is found again when the time of the system is corrected', async () => {
    local.jump(-3 * MINUTE);
    await looked();
    expect([clock.now(), looks]).toEqual([server.now(), 2]);
    pass(MINUTE);
    expect([clock.now(), looks]).toEqual([server.now(), 2]);
  });

  it('is replaced by the wall clock while nobody can tell, and looked at once it is asked for', async () => {
    isDown = true;
    local.jump(10 * MINUTE);
    await looked();
    expect([clock.now(), looks]).toEqual([local.now(), 2]);
    isDown = false;
    await clock.measure();
    expect(clock.now()).toBe(server.now());
  });
});
