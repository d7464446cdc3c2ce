import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { match } from 'path-to-regexp';
import { foldPath } from '../../libs/caching/src/page/page-tags.js';
import { PathPattern } from '../../libs/caching/src/page/path-pattern.js';

describe('a pattern with parameters', () => {
  it.each([
    ['/products/:id', { id: 42 }, '/products/42'],
    ['/products/:id', { id: 'a/b ü' }, '/products/a%2Fb%20%C3%BC'],
    ['/products/:id', { id: '..' }, '/products/..'],
    ['/products/:id', {}, undefined],
    ['/products{/:id}', {}, '/products'],
    ['/products{/:id}', { id: 'x' }, '/products/x'],
    ['/:from-:to', { from: 1, to: 2 }, '/1-2'],
    ['/files/*path', { path: 'a/b' }, '/files/a/b'],
    ['/files/*path', { path: ['a', 'b/c'] }, '/files/a/b%2Fc'],
    ['/files/*path', {}, undefined],
    ['/products/:id', { id: ['a', 'b'] }, undefined],
    ['/products/:toString', {}, undefined],
    ['/fixed', {}, '/fixed'],
    ['/users/:id(\\d+)', { id: 1 }, undefined],
  ])('%s with %j is %s', (text, params, path) => {
    expect(new PathPattern(text).pathWith(params)).toBe(path);
  });

  it('says which it has', () => {
    expect(new PathPattern('/:a{/:b}/*c').names).toEqual(['a', 'b', 'c']);
    expect(new PathPattern('/users/:id(\\d+)').isUnderstood).toBe(false);
  });
});

describe('a prefix', () => {
  it.each([
    ['/products', '/products', true],
    ['/products/:id', '/products', true],
    ['/products/:id', '/PRODUCTS/', true],
    ['/Products/:id', '/products', true],
    ['/products/:id', '/products/7', true],
    ['/products/:id/reviews', '/products/7/reviews', true],
    ['/products/:id/reviews', '/products/7/prices', false],
    ['/products/:id', '/products/7/reviews', false],
    ['/products', '/prod', false],
    ['/productsold', '/products', false],
    ['/products', '/products/7', false],
    ['/products{/:id}', '/products/7', true],
    ['/products{/:id}', '/products', true],
    ['/products{/:id}', '/other', false],
    ['/products{s}', '/productss', true],
    ['/files/*path', '/files/a/b/c', true],
    ['/files/*path', '/other', false],
    ['/:from-:to/x', '/1-2/x', true],
    ['/caf%C3%A9', '/café', true],
    ['/anything/:id', '/', true],
    ['/users/:id(\\d+)', '/users/1', true],
    ['/users/:id(\\d+)', '/others', false],
    ['/', '/', true],
    ['/', '/x', false],
  ])('%s and %s: %s', (text, prefix, isUnder) => {
    expect(new PathPattern(text).mayBeUnder(prefix)).toBe(isUnder);
  });

  it('never misses a path that the pattern matches', () => {
    const segment = fc.constantFrom('a', 'b', 'A', 'é');
    const piece = fc.constantFrom('/a', '/b', '/:x', '/a-:x', '{/:x}', '{/a}', '/*x');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 4 }),
        fc.array(segment, { maxLength: 5 }),
        fc.nat(5),
        (pieces, path, cut) => {
          const text = pieces.map((each, index) => each.replaceAll('x', `x${index}`)).join('') || '/';
          const whole = `/${path.map(encodeURIComponent).join('/')}`;
          fc.pre(match(text)(whole) !== false);
          const prefix = `/${path.slice(0, cut).join('/')}`;
          expect([text, prefix, new PathPattern(text).mayBeUnder(prefix)]).toEqual([text, prefix, true]);
        },
      ),
    );
  });

  it('folds made paths as requests are folded', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (id) => {
        // A lone surrogate has no UTF-8.
        fc.pre(!/\p{Surrogate}/u.test(id));
        const path = new PathPattern('/products/:id').pathWith({ id });
        expect(foldPath(path!)).toBe(foldPath(`/Products/${encodeURIComponent(id).toLowerCase()}/?q=1`));
      }),
    );
  });
});
