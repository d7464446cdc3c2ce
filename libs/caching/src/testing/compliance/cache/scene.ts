import type { CacheBackend } from '../../../backends/cache-backend.js';
import type { CacheService } from '../../../cache/cache.service.js';
import type { CacheOptions } from '../../../caching.options.js';
import { openCache } from '../../open-cache.js';
import type { Need } from '../needs.js';
import type { Suite } from '../suite.js';
import { LONG_MS, TEST_TIMEOUT_MS, type Trial } from '../trial.js';

/** What the body of a test on a cache works with. */
export interface CacheScene {
  readonly cache: CacheService;
  /** The same cache as another process has it. There if the test needs `'shared'`. */
  readonly elsewhere: CacheService;
  /** The same cache with version 2 by default, in another process. There if the test needs `'shared'`. */
  readonly second: CacheService;
  readonly trial: Trial;
}

export type CacheTest = (
  promise: string,
  needs: readonly Need[],
  body: (scene: CacheScene) => Promise<void>,
) => void;

/** Declares a test on a `CacheService` above the backend. */
export function cacheTestOf({ test }: Suite): CacheTest {
  return (promise, needs, body) =>
    test(promise, needs, async (trial) => {
      const cache = await open(trial.backend);
      if (!trial.backend.capabilities.shared) return body({ cache, trial } as CacheScene);
      const [elsewhere, second] = [await open(trial.other), await open(trial.other, { version: 2 })];
      return body({ cache, elsewhere, second, trial });
    });
}

function open(backend: Trial['backend'], more: CacheOptions = {}): Promise<CacheService> {
  return openCache({
    backend: backend as CacheBackend,
    keyPrefix: 'suite',
    ttl: LONG_MS,
    // No outage is tested here, so that a busy machine must not look like one.
    readDeadline: TEST_TIMEOUT_MS,
    writeDeadline: TEST_TIMEOUT_MS,
    ...more,
  });
}

/** Asserts that each of these fails with this code. */
export async function expectCodes(
  { trial }: CacheScene,
  code: string,
  actions: readonly (() => unknown)[],
): Promise<void> {
  const codes = await Promise.all(
    actions.map(async (action) => ((await trial.failureOf(action)) as { code?: unknown }).code),
  );
  trial.expect(codes).toEqual(actions.map(() => code));
}
