import { expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { RedisBackend } from '../../libs/caching/src/backends/redis.backend.js';
import { FailingBackend } from 'nestjs-caching/testing';
import { openCache } from '../support/caches.js';
import { until } from '../support/scenarios.js';
import { describeService } from '../support/services.js';

describeService('redis', (redis) => {
  it('a soft invalidation leaves a hard one to be made up for that an outage has kept from the backend', async () => {
    const backend = new FailingBackend(
      new RedisBackend({ url: redis().url, connectTimeoutMs: 2000, socketTimeoutMs: 5000 }),
    );
    const keyPrefix = randomUUID();
    const cache = await openCache({ backend, keyPrefix });
    const other = await openCache({ url: redis().url, keyPrefix });
    await cache.set('k', 'old', { ttl: '1h', tags: ['t'], staleIfError: '1h' });
    backend.fail('compareAndSet', { times: 1 });
    await expect(cache.invalidateTags(['t'])).rejects.toThrow();
    await cache.invalidateTags(['t'], { soft: true });
    await until(() => cache.statistics.replayed === 1);
    const failing = () => other.getOrSet('k', () => Promise.reject(new Error('no load')), { errorTtl: 0 });
    await expect(failing()).rejects.toThrow('no load');
    await cache.close();
    await other.close();
  });
});
