import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { describeBackend } from 'nestjs-caching/testing';
import { NullBackend } from '../../libs/caching/src/backends/null.backend.js';

describeBackend('null', {
  create: () => ({ backend: new NullBackend() }),
  runner: { describe, it, expect, beforeEach, afterEach },
});

describe('the null backend', () => {
  it('answers at once, without promises', () => {
    const backend = new NullBackend();
    expect(backend.add('key', 1, null)).toBe(true);
    expect(backend.get('key')).toBeUndefined();
    expect(backend.getMany(['a', 'b'])).toEqual([undefined, undefined]);
  });

  it('takes held objects and keeps none', () => {
    const backend = new NullBackend();
    backend.set('key', { size: 10 }, 60_000);
    expect(backend.get('key')).toBeUndefined();
  });

  it('goes on after close, as there is nothing to close', () => {
    const backend = new NullBackend();
    backend.close();
    backend.set('key', 1, null);
    expect(backend.get('key')).toBeUndefined();
  });
});
