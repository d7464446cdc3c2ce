import { describe, expect, it } from '@jest/globals';
import { FakeClock } from 'nestjs-caching/testing';

describe('FakeClock', () => {
  it('stands still until it is moved', () => {
    const clock = new FakeClock(1_000);
    expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0]);
    clock.advance(5);
    expect([clock.now(), clock.monotonic()]).toEqual([1_005, 5]);
  });

  it('jumps on the wall alone', () => {
    const clock = new FakeClock(1_000);
    let fired = 0;
    clock.after(10, () => (fired += 1));
    clock.jump(60_000);
    clock.jump(-90_000);
    expect([clock.now(), clock.monotonic(), fired]).toEqual([-29_000, 0, 0]);
  });

  it('fires timers in the order in which they are due, each at its moment', () => {
    const clock = new FakeClock(0);
    const fired: string[] = [];
    clock.after(20, () => fired.push(`late at ${clock.monotonic()}`));
    clock.after(10, () => fired.push(`early at ${clock.now()}`));
    clock.after(10, () => fired.push('early, second'));
    clock.after(31, () => fired.push('not yet'));
    clock.advance(30);
    expect(fired).toEqual(['early at 10', 'early, second', 'late at 20']);
    expect([clock.monotonic(), clock.pending]).toEqual([30, 1]);
  });

  it('fires timers that a timer started, if they fall due on the way', () => {
    const clock = new FakeClock(0);
    const fired: number[] = [];
    const tick = () => {
      fired.push(clock.monotonic());
      clock.after(10, tick);
    };
    clock.after(10, tick);
    clock.advance(35);
    expect(fired).toEqual([10, 20, 30]);
  });

  it('does not fire what was cancelled, even by a timer of the same moment', () => {
    const clock = new FakeClock(0);
    let fired = 0;
    const cancels: (() => void)[] = [];
    clock.after(10, () => cancels[0]!());
    cancels.push(clock.after(10, () => (fired += 1)));
    clock.after(10, () => (fired += 10))();
    clock.advance(10);
    expect([fired, clock.pending]).toEqual([0, 0]);
  });

  it('fires a timer of no time only when it is moved', () => {
    const clock = new FakeClock(0);
    let fired = 0;
    clock.after(0, () => (fired += 1));
    expect(fired).toBe(0);
    clock.advance(0);
    expect(fired).toBe(1);
  });

  it('refuses to go back', () => {
    const clock = new FakeClock();
    expect(() => clock.advance(-1)).toThrow(RangeError);
    expect(() => clock.advance(NaN)).toThrow(RangeError);
  });
});
