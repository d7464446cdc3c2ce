import { describe, expect, it } from '@jest/globals';
import { BackendError, ValueTooLargeError } from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { Counters } from '../../libs/caching/src/cache/counters.js';
import { FailurePolicy } from '../../libs/caching/src/cache/failure-policy.js';
import { Journal } from '../../libs/caching/src/cache/journal.js';

const PAUSE = 1000;
const LIMITS = { maxChanges: 10, maxBytes: 1000, pauseMs: PAUSE };

describe('the journal', () => {
  it('waits with all changes while the backend fails one, and goes on without one that fails otherwise', async () => {
    const clock = new FakeClock();
    const counters = new Counters();
    const policy = new FailurePolicy(
      'default',
      {
        readDeadline: 5000,
        writeDeadline: 5000,
        onError: 'throw',
        breaker: { failures: 10, pauseMs: PAUSE },
      },
      clock,
      counters,
    );
    const journal = new Journal(LIMITS, policy, clock, counters);
    const failures: Error[] = [new BackendError('default', 'set', {}), new ValueTooLargeError(2, 1)];
    let isMade = false;
    const first = async () => Promise.reject(failures.shift() ?? new Error('asked too often'));
    const second = async () => void (isMade = true);
    journal.remember('first', { redo: first, isRemoval: false, size: 1, at: clock.now() });
    journal.remember('second', { redo: second, isRemoval: false, size: 1, at: clock.now() });
    const replay = async () => {
      clock.advance(PAUSE);
      await new Promise(setImmediate);
    };
    await replay();
    expect([isMade, counters.replayed, counters.forgotten]).toEqual([false, 0, 0]);
    await replay();
    expect([isMade, counters.replayed, counters.forgotten]).toEqual([true, 1, 1]);
    expect(journal.isEmpty).toBe(true);
  });
});
