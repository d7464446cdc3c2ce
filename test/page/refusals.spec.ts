import { describe, expect, it } from '@jest/globals';
import { Refusals } from '../../libs/caching/src/page/refusals.js';
import { FakeClock } from 'nestjs-caching/testing';

describe('refusals', () => {
  it('are remembered for ten seconds after the last of them', () => {
    const clock = new FakeClock();
    const refusals = new Refusals(clock);
    expect(refusals.has('page')).toBe(false);
    refusals.note('page', 'it sets a cookie');
    clock.advance(9_999);
    expect([refusals.has('page'), refusals.has('other')]).toEqual([true, false]);
    refusals.note('page', 'it sets a cookie');
    clock.advance(9_999);
    expect(refusals.has('page')).toBe(true);
    clock.advance(1);
    expect(refusals.has('page')).toBe(false);
  });

  it('end with a page that could be stored', () => {
    const refusals = new Refusals(new FakeClock());
    refusals.note('page', 'it sets a cookie');
    refusals.note('other', 'it sets a cookie');
    refusals.forget('page');
    expect([refusals.has('page'), refusals.has('other')]).toEqual([false, true]);
  });

  it('are ten thousand at most, and the oldest goes', () => {
    const refusals = new Refusals(new FakeClock());
    for (let page = 0; page < 10_000; page += 1) refusals.note(`page ${page}`, 'it sets a cookie');
    refusals.note('page 0', 'it sets a cookie');
    refusals.note('one more', 'it sets a cookie');
    expect(['page 0', 'page 1', 'page 2', 'one more'].map((page) => refusals.has(page))).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });
});
