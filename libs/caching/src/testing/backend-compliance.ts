import { describeAtomic } from './compliance/atomic.js';
import { describeBasics } from './compliance/basics.js';
import { describeCacheBasics } from './compliance/cache/basics.js';
import { describeCacheKeys } from './compliance/cache/keys.js';
import { describeCacheLives } from './compliance/cache/lives.js';
import { describeCacheLoads } from './compliance/cache/loads.js';
import { describeCacheKeepingNothing } from './compliance/cache/nothing-kept.js';
import { describeCacheVersions } from './compliance/cache/versions.js';
import { describeBulk } from './compliance/bulk.js';
import { describeCapabilities } from './compliance/capabilities.js';
import { describeClosing } from './compliance/closing.js';
import { describeCounters } from './compliance/counters.js';
import { describeKeys } from './compliance/keys.js';
import { describeListing } from './compliance/listing.js';
import { describeLives } from './compliance/lives.js';
import { describeNothingKept } from './compliance/nothing-kept.js';
import { describePayloads } from './compliance/payloads.js';
import { describePrefixes } from './compliance/prefixes.js';
import { describeRaces } from './compliance/races.js';
import type { ComplianceOptions } from './compliance/subject.js';
import { createSuite } from './compliance/suite.js';

/**
 * Declares the tests that hold a backend to the contract in `backends/cache-backend.ts`. The list is the same for every
 * backend: what one declares is exercised, what it does not declare is asserted to be absent. Most of them work on the
 * backend itself, the others on a `CacheService` above it, which must behave alike on all backends.
 *
 * ```ts
 * describeBackend('my backend', {
 *   create: async () => ({ backend: new MyBackend(url), other: new MyBackend(url) }),
 *   runner: { describe, it, expect, beforeEach, afterEach },
 * });
 * ```
 */
export function describeBackend(name: string, options: ComplianceOptions): void {
  options.runner.describe(`${name}: backend compliance`, () => {
    const suite = createSuite(options);
    describeCapabilities(suite);
    describeBasics(suite);
    describePayloads(suite);
    describeKeys(suite);
    describeLives(suite);
    describeCounters(suite);
    describeAtomic(suite);
    describeRaces(suite);
    describeBulk(suite);
    describeListing(suite);
    describePrefixes(suite);
    describeCacheBasics(suite);
    describeCacheLives(suite);
    describeCacheVersions(suite);
    describeCacheKeys(suite);
    describeCacheLoads(suite);
    describeCacheKeepingNothing(suite);
    describeNothingKept(suite);
    describeClosing(suite);
  });
}
