import { describe, expect, it } from '@jest/globals';
import { foldPath, pathTag, routeTag } from '../../libs/caching/src/page/page-tags.js';

describe('foldPath', () => {
  it.each([
    ['/who', '/who'],
    ['/WHO/', '/who'],
    ['/who?x=1', '/who'],
    ['/who#y', '/who'],
    ['/w%68o', '/who'],
    ['http://host:80/Who/?q', '/who'],
    ['/p/%C3%A9', '/p/é'],
    ['/p/%c3%a9', '/p/é'],
    ['/', '/'],
    ['', '/'],
    ['http://host', '/'],
    ['/p/%E0%A4%A', '/p/%e0%a4%a'],
    ['//p///1//', '/p/1'],
    ['/p%2F%2F1', '/p/1'],
    ['/p/1;x=2?q', '/p/1'],
  ])('makes %j %j', (target, folded) => expect(foldPath(target)).toBe(folded));

  it('takes linear time', () => {
    expect(foldPath(`/${'/'.repeat(100_000)}x`)).toBe('/x');
    expect(foldPath(`/${'%41'.repeat(100_000)}`)).toHaveLength(900);
  });
});

describe('the tags of pages', () => {
  it('tell routes from paths', () => expect(routeTag('/x')).not.toBe(pathTag('/x')));
});
