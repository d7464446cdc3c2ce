import { describe, expect, it } from '@jest/globals';
import { BatchLoad } from '../../libs/caching/src/cache/batch-load.js';
import type { RunContext } from '../../libs/caching/src/cache/load-plan.js';

describe('BatchLoad', () => {
  it('waits until each key has joined or stood back, and counts one that has done both once', async () => {
    const runs: (readonly string[])[] = [];
    const batch = new BatchLoad<string>(async (keys) => {
      runs.push(keys);
      return new Map(keys.map((key) => [key, `value of ${key}`]));
    });
    const context = {} as RunContext;
    batch.expect(3);
    batch.standBack('a');
    batch.standBack('a');
    const a = batch.join('a', context);
    batch.standBack('b');
    expect(runs).toEqual([]);
    const c = batch.join('c', context);
    expect(await Promise.all([a, c])).toEqual(['value of a', 'value of c']);
    expect(await batch.join('b', context)).toBe('value of b');
    expect(runs).toEqual([['a', 'c'], ['b']]);
  });
});
