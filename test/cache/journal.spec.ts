import { describe, expect, it } from '@jest/globals';
import { BackendError, ValueTooLargeError } from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { Counters } from '../../libs/caching/src/cache/counters.js';
import { Journal } from '../../libs/caching/src/cache/journal.js';

const PAUSE = 1000;

describe('the journal', () => {
  it('waits with all changes while the backend fails one, and goes on without one that fails otherwise', async () => {
    const clock = new FakeClock();
    const counters = new Counters();
    const journal = new Journal({ maxChanges: 10, maxBytes: 1000, pauseMs: PAUSE }, clock, counters);
    const failures: Error[] = [new BackendError('default', 'set', {}), new ValueTooLargeError(2, 1)];
    let isMade = false;
    const first = async () => Promise.reject(failures.shift() ?? new Error('asked too often'));
    const second = async () => void (isMade = true);
    journal.remember('first', { redo: first, size: 1, at: clock.now() });
    journal.remember('second', { redo: second, size: 1, at: clock.now() });
    const replay = async () => {
      clock.advance(PAUSE);
      await new Promise(setImmediate);
    };
    await replay();
    expect([isMade, counters.replayed, counters.forgotten]).toEqual([false, 0, 0]);
    await replay();
    expect([isMade, counters.replayed, counters.forgotten]).toEqual([true, 1, 1]);
    expect(journal.isEmpty).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
