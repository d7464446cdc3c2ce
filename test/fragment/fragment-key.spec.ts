import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fragmentKey, type FragmentVary } from 'nestjs-caching';

describe('fragmentKey', () => {
  it.each<[string, FragmentVary[], string]>([
    ['foo', [], 'foo:'],
    ['foo', ['abc'], 'foo:s3:abc'],
    ['foo', ['abc:def%'], 'foo:s10:abc:def%25'],
    ['foo', [123, 456], 'foo:n3:123,n3:456'],
    ['foo', ['123'], 'foo:s3:123'],
    ['foo', ['🙂 ü'], 'foo:s21:%F0%9F%99%82%20%C3%BC'],
    ['foo', [null, true, 10n, new Date(5)], 'foo:z0:,b4:true,i2:10,d1:5'],
    ['a:b c', [''], 'a%3Ab%20c:s0:'],
    ['foo', ['x'.repeat(10_000)], `foo:s10000:${'x'.repeat(10_000)}`],
  ])('of %j with %j is %j', (name, varyOn, key) => {
    expect(fragmentKey(name, varyOn)).toBe(key);
  });

  it('differs for every two names and lists that differ', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('a:', ':b', 'a', 'b', ',', 's1:a', '%3A'),
      fc.integer(),
      fc.bigInt(),
      fc.boolean(),
      fc.constant(null),
    );
    const parts = fc.tuple(fc.string({ minLength: 1, unit: 'binary' }), fc.array(value, { maxLength: 4 }));
    const told = ([name, list]: [string, unknown[]]) =>
      JSON.stringify([name, list.map((each) => [typeof each, String(each)])]);
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const isSame = told(one) === told(other);
        expect(fragmentKey(...one) === fragmentKey(...other)).toBe(isSame);
      }),
      { numRuns: 2000 },
    );
    for (const [one, other] of [
      [[1], ['1']],
      [
        ['a:', 'b'],
        ['a', ':b'],
      ],
      [[''], []],
      [[null], ['null']],
    ] as FragmentVary[][][])
      expect(fragmentKey('f', one)).not.toBe(fragmentKey('f', other));
  });

  it.each([
    ['undefined', [undefined], 'value 1 is undefined'],
    ['an object', [1, {}], 'value 2 is of type object'],
    ['a list in the list', [['a']], 'value 1 is of type object'],
    ['a function', [() => 1], 'value 1 is of type function'],
    ['a date that is none', [new Date(NaN)], 'value 1 is of type object'],
  ])('refuses %s', (_what, varyOn, message) => {
    expect(() => fragmentKey('side', varyOn as never)).toThrow(message);
  });

  it.each(['', undefined, 5])('refuses the name %j', (name) => {
    expect(() => fragmentKey(name as never)).toThrow('needs a name');
  });
});
