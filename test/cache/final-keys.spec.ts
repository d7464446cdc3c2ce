import { describe, expect, it } from '@jest/globals';
import { FinalKeys } from '../../libs/caching/src/cache/final-keys.js';
import { KeySpace } from '../../libs/caching/src/cache/keys.js';
import type { Stamps } from '../../libs/caching/src/cache/stamps.js';

describe('FinalKeys', () => {
  const finalKeys = new FinalKeys(new KeySpace('', 'default'), {
    current: { epoch: 1, stamp: 1 },
  } as Stamps);

  it('remembers keys of ordinary length, and none that clients could fill the memory with', () => {
    const [short, long] = ['user:1', 'x'.repeat(12_000)];
    expect(finalKeys.of('page', short, 1)).toBe(finalKeys.of('page', short, 1));
    expect(finalKeys.of('page', long, 1)).not.toBe(finalKeys.of('page', long, 1));
    expect(finalKeys.of('page', long, 1)).toEqual(finalKeys.of('page', long, 1));
  });

  it('finds a key where its segments are, and never takes one for the other', () => {
    expect(finalKeys.ofKey('value', 'a b', 1)).toBe(finalKeys.of('value', 'a%20b', 1));
    expect(finalKeys.ofKey('value', 'a%20b', 1)).toBe(finalKeys.of('value', 'a%2520b', 1));
    expect(finalKeys.ofKey('value', 'a b', 2).fullKey).not.toBe(finalKeys.ofKey('value', 'a b', 1).fullKey);
    expect(finalKeys.ofKey('fragment', 'a b', 1).fullKey).not.toBe(
      finalKeys.ofKey('value', 'a b', 1).fullKey,
    );
  });
});
