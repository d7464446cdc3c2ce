import { randomUUID } from 'node:crypto';
import { describe } from '@jest/globals';
import type { CachingOptions } from 'nestjs-caching';
import { describeService } from './services.js';
import { type Platform, PLATFORMS } from './test-app.js';

/** Options of a cache of its own for each call, in this process and on a server, on each platform. */
export function describePages(body: (platform: Platform, options: () => CachingOptions) => void): void {
  const onEach = (options: () => CachingOptions): void => {
    describe.each(PLATFORMS)('on %s', (platform) => body(platform, options));
  };
  describe('in memory', () => onEach(() => ({})));
  describeService('redis', (service) => {
    onEach(() => ({ url: service().url, keyPrefix: `pages-${randomUUID().slice(0, 8)}` }));
  });
}
