import { beforeEach, describe, expect, it } from '@jest/globals';
import { BackendError, CircuitOpenError } from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { Counters } from '../../libs/caching/src/cache/counters.js';
import { FailurePolicy } from '../../libs/caching/src/cache/failure-policy.js';
import { linesOf } from '../../libs/caching/src/testing/log.js';

const PAUSE = 1000;

describe('the failure policy', () => {
  let clock: FakeClock;
  let policy: FailurePolicy;
  beforeEach(() => {
    clock = new FakeClock();
    policy = new FailurePolicy(
      'default',
      {
        readDeadline: 5000,
        writeDeadline: 5000,
        onError: 'throw',
        breaker: { failures: 1, pauseMs: PAUSE },
      },
      clock,
      new Counters(),
    );
  });
  const fail = (): never => {
    throw new Error('away');
  };

  it('leaves the turn to try to a read, if the writes have to wait longer', async () => {
    let refuse!: (error: Error) => void;
    const writing = policy.write(
      'set',
      () => new Promise<void>((_resolve, reject) => (refuse = reject)),
      undefined,
    );
    clock.advance(100);
    expect(policy.read('get', fail, 'absent')).toBe('absent');
    clock.advance(500);
    refuse(new Error('full'));
    await expect(writing).rejects.toThrow(BackendError);
    // The reads may try again, the writes not yet.
    clock.advance(PAUSE - 500);
    expect(() => policy.write('set', () => undefined, undefined)).toThrow(CircuitOpenError);
    expect(policy.read('get', () => 'present', 'absent')).toBe('present');
    expect(policy.read('get', () => 'present', 'absent')).toBe('present');
  });

  it('lets removals go on while writes are refused, and the other way round', () => {
    expect(() => policy.write('set', fail, undefined)).toThrow(BackendError);
    expect(policy.remove('delete', () => true, false)).toBe(true);
    expect(policy.demand('replay', () => true, true)).toBe(true);
    expect(() => policy.demand('increment', () => 1)).toThrow(CircuitOpenError);
    clock.advance(PAUSE);
    expect(() => policy.remove('delete', fail, false)).toThrow(BackendError);
    expect(policy.write('set', () => 'stored', 'not')).toBe('stored');
    expect(() => policy.remove('delete', () => true, false)).toThrow(CircuitOpenError);
  });

  it('says in the log once what failed and what becomes of it', async () => {
    const lines = await linesOf(async () => void policy.read('get', fail, 'absent'));
    expect(lines).toEqual([
      'The backend of cache "default" failed in get. Carrying on without it; more such failures within a minute are not logged.',
    ]);
  });

  it('lets one call try, and nobody else until its time is over', () => {
    expect(policy.read('get', fail, 'absent')).toBe('absent');
    clock.advance(PAUSE);
    const trying = policy.read('get', () => new Promise<string>(() => undefined), 'absent');
    expect(trying).toBeInstanceOf(Promise);
    clock.advance(4999);
    expect(policy.read('get', () => 'present', 'absent')).toBe('absent');
  });
});
