import { describeBackendOutages } from './outage/backend-outages.js';
import { describeCacheOutages } from './outage/cache-outages.js';
import { createOutageSuite } from './outage/scene.js';
import type { OutageOptions } from './outage/subject.js';

/**
 * Declares the tests of what happens while the server of a networked backend is down, refuses, is killed in
 * mid-operation, frozen, slow or out of reach, and after that: every operation settles with the documented result, the
 * same instance recovers, nothing is left unhandled or open, the log is not flooded, and `close()` ends. They run on the
 * backend itself and on a `CacheService` above it.
 *
 * ```ts
 * describeOutage('my backend', {
 *   server: () => ({ host, port, kill, start, freeze, thaw }),
 *   open: ({ host, port }, limitMs) => new MyBackend({ host, port, timeoutMs: limitMs }),
 *   runner: { describe, it, expect, beforeEach, afterEach },
 * });
 * ```
 */
export function describeOutage(name: string, options: OutageOptions): void {
  options.runner.describe(`${name}: outages`, () => {
    const suite = createOutageSuite(options);
    suite.describe('the backend', () => describeBackendOutages(suite));
    suite.describe('a cache above it', () => describeCacheOutages(suite));
  });
}
