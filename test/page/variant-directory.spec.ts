import { describe, expect, it } from '@jest/globals';
import {
  digestFor,
  directoryLife,
  type Variant,
  type VariantDirectory,
  variantDigest,
  withVariant,
} from '../../libs/caching/src/page/variant-directory.js';

const NOW = 1_000_000;
/** The variant of a request with these headers whose response varies by these names. */
const variant = (
  names: readonly string[],
  headers: Record<string, string>,
  keptUntil: number | null = NOW + 1000,
): Variant => ({ names, digest: variantDigest(headers, names), createdAt: NOW, keptUntil });
const listOf = (...variants: readonly Variant[]): VariantDirectory => ({ variants });

describe('the variants of a page (http.md A4)', () => {
  const [a, both] = [variant(['x-a'], { 'x-a': '1' }), variant(['x-a', 'x-b'], { 'x-a': '1', 'x-b': '2' })];

  it('62: each is matched by its own names, the newest of those that match first', () => {
    expect(digestFor(listOf(both, a), { 'x-a': '1', 'x-b': '2' })).toBe(both.digest);
    expect(digestFor(listOf(a, both), { 'x-a': '1', 'x-b': '2' })).toBe(a.digest);
    expect(digestFor(listOf(both, a), { 'x-a': '1', 'x-b': '9' })).toBe(a.digest);
  });

  it('62: what matches none is looked for as the newest varies', () => {
    const headers = { 'x-a': '9', 'x-b': '9' };
    expect(digestFor(listOf(both, a), headers)).toBe(variantDigest(headers, ['x-a', 'x-b']));
    expect(digestFor(listOf(a, both), headers)).toBe(variantDigest(headers, ['x-a']));
    expect(digestFor(listOf(), headers)).toBeUndefined();
  });

  it('60: the digest tells absent from empty, and one name from another', () => {
    const digests = [
      variantDigest({}, ['x-a']),
      variantDigest({ 'x-a': '' }, ['x-a']),
      variantDigest({}, ['x-b']),
      variantDigest({}, ['x-a', 'x-b']),
    ];
    expect(new Set(digests).size).toBe(4);
  });

  it('57: a new one stands in front, once, and pushes the oldest out; those that have ended go', () => {
    const [one, two, three] = ['1', '2', '3'].map((value) => variant(['x-a'], { 'x-a': value })) as [
      Variant,
      Variant,
      Variant,
    ];
    expect(withVariant(undefined, one, 2, NOW)).toEqual({ directory: listOf(one), dropped: [] });
    expect(withVariant(listOf(two, one), three, 2, NOW)).toEqual({
      directory: listOf(three, two),
      dropped: [one],
    });
    expect(withVariant(listOf(two, one), one, 2, NOW)).toEqual({ directory: listOf(one, two), dropped: [] });
    expect(withVariant(listOf(two, one), three, 9, NOW + 1000).directory).toEqual(listOf(three));
    const lasting = variant(['x-a'], { 'x-a': '4' }, null);
    expect(withVariant(listOf(lasting), three, 9, NOW + 1e9).directory).toEqual(listOf(three, lasting));
  });

  it('is kept as long as the longest of them', () => {
    const [short, long] = [variant(['x-a'], {}, NOW + 10), variant(['x-b'], {}, NOW + 500)];
    expect([directoryLife(listOf(short, long), NOW), directoryLife(listOf(long, short), NOW)]).toEqual([
      500, 500,
    ]);
    expect(directoryLife(listOf(short, variant(['x-c'], {}, null)), NOW)).toBeNull();
    expect(directoryLife(listOf(short), NOW + 20)).toBe(1);
  });
});
