import { describe, expect, it } from '@jest/globals';
import { namedLocations } from '../../libs/caching/src/page/named-locations.js';

describe('the locations that a response names', () => {
  const named = (location: unknown, contentLocation?: unknown): readonly string[] =>
    namedLocations({ scheme: 'https', host: 'shop.example:8443', target: '/a/b?q=1' }, (name) =>
      name === 'location' ? location : contentLocation,
    );

  it.each([
    ['/products/1?new=1#top', ['/products/1']],
    ['c', ['/a/c']],
    ['../c', ['/c']],
    ['https://shop.example:8443/x', ['/x']],
    ['HTTPS://SHOP.example:8443/x', ['/x']],
    ['//shop.example:8443/x', ['/x']],
    ['', []],
    [undefined, []],
    [['/x'], []],
    ['https://shop.example/x', []],
    ['http://shop.example:8443/x', []],
    ['https://other.example:8443/x', []],
    ['//other.example/x', []],
    ['/\\other.example/x', []],
    ['javascript:alert(1)', []],
    ['https://[', []],
    [`/${'x'.repeat(9000)}`, []],
  ])('%s: %j', (location, paths) => {
    expect(named(location)).toEqual(paths);
    expect(named(undefined, location)).toEqual(paths);
  });

  it('are none where the host is no host', () => {
    for (const host of ['', '[', 'a b', '/']) {
      expect(namedLocations({ scheme: 'http', host, target: '/' }, () => '/x')).toEqual([]);
    }
  });
});
