import { describe, expect, it } from '@jest/globals';
import { BodyCollector } from '../../libs/caching/src/page/capture.js';

describe('what is collected of a body (http.md A1 23, A3 42)', () => {
  it('is whole up to the limit, and nothing beyond it', () => {
    const exact = new BodyCollector(4);
    for (const chunk of ['ab', 'cd']) exact.add(chunk);
    expect(exact.whole()?.toString()).toBe('abcd');
    exact.add('e');
    expect(exact.whole()).toBeUndefined();
    exact.add('');
    expect(exact.whole()).toBeUndefined();
    expect(new BodyCollector(4).whole()).toEqual(Buffer.alloc(0));
  });

  it('counts bytes, not characters', () => {
    const collector = new BodyCollector(3);
    collector.add('éé');
    expect(collector.whole()).toBeUndefined();
  });

  it('is the bytes of a text in its encoding', () => {
    const collector = new BodyCollector(100);
    collector.add('é', 'latin1');
    collector.add('ff', 'hex');
    collector.add('é');
    collector.add('é', () => undefined);
    expect([...(collector.whole() ?? [])]).toEqual([0xe9, 0xff, 0xc3, 0xa9, 0xc3, 0xa9]);
  });

  it('does not change with the chunk that was given', () => {
    const collector = new BodyCollector(100);
    const chunk = Buffer.from('ab');
    collector.add(chunk);
    chunk.fill('x');
    collector.add(new Uint8Array([1]));
    for (const nothing of [undefined, null, () => undefined]) collector.add(nothing);
    expect(collector.whole()?.toString()).toBe('ab\u0001');
  });

  it('is nothing once it was given up', () => {
    const collector = new BodyCollector(100);
    collector.add('ab');
    collector.giveUp();
    collector.add('cd');
    expect(collector.whole()).toBeUndefined();
  });
});
