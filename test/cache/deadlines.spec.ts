import { beforeEach, describe, expect, it } from '@jest/globals';
import { Deadlines } from '../../libs/caching/src/cache/deadlines.js';
import { FakeClock } from '../../libs/caching/src/testing/fake-clock.js';

const NEVER = new Promise<string>(() => undefined);

describe('Deadlines', () => {
  let clock: FakeClock;
  let deadlines: Deadlines;

  beforeEach(() => {
    clock = new FakeClock();
    deadlines = new Deadlines(clock);
  });

  const bound = (promise: Promise<string>, ms: number, late = () => 'late') =>
    deadlines.bound(
      promise,
      ms,
      () => new Error('too long'),
      (value) => `got ${value}`,
      late,
    );

  it('answers what the promise answers, and what its failure is turned into', async () => {
    expect(await bound(Promise.resolve('it'), 100)).toBe('got it');
    expect(await bound(Promise.reject(new Error('no')), 100)).toBe('late');
  });

  it('expires each call at its own deadline, also after others have left', async () => {
    const ended: string[] = [];
    const follow = (name: string, promise: Promise<string>) => void promise.then(() => ended.push(name));
    follow('first', bound(NEVER, 100));
    clock.advance(40);
    await bound(Promise.resolve('it'), 100);
    follow('second', bound(NEVER, 100));
    for (const [ms, expected] of [
      [59, []],
      [1, ['first']],
      [39, ['first']],
      [1, ['first', 'second']],
    ] as const) {
      clock.advance(ms);
      await Promise.resolve();
      expect(ended).toEqual(expected);
    }
  });

  it('bounds a call that begins while another is told that it took too long', async () => {
    let inner: Promise<string> | undefined;
    const outer = bound(NEVER, 100, () => {
      inner = bound(NEVER, 100);
      return 'late';
    });
    clock.advance(100);
    expect(await outer).toBe('late');
    clock.advance(100);
    expect(await inner).toBe('late');
  });

  it('makes nothing of an answer after the deadline, not even for the call that waits in its place', async () => {
    let answer: (value: string) => void = () => undefined;
    const first = bound(new Promise<string>((resolve) => (answer = resolve)), 100);
    clock.advance(50);
    // One that stays, so that the places do.
    void bound(NEVER, 100);
    clock.advance(50);
    expect(await first).toBe('late');
    const second = bound(NEVER, 100);
    answer('it');
    await Promise.resolve();
    clock.advance(100);
    expect(await second).toBe('late');
  });

  it('reads answers that came while the process was held up before it expires anything', async () => {
    let answer: (value: string) => void = () => undefined;
    const timers: (() => void)[] = [];
    let now = 0;
    const held = new Deadlines({
      now: () => now,
      monotonic: () => now,
      after: (_ms, callback) => {
        timers.push(callback);
        return () => undefined;
      },
    });
    const [answered, silent] = [new Promise<string>((resolve) => (answer = resolve)), NEVER].map((promise) =>
      held.bound(
        promise,
        100,
        () => new Error('too long'),
        (value) => `got ${value}`,
        () => 'late',
      ),
    );
    now = 400;
    timers.shift()?.();
    answer('it');
    expect(await answered).toBe('got it');
    timers.shift()?.();
    expect(await silent).toBe('late');
  });
});
