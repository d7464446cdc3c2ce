import { describeAtomic } from './compliance/atomic.js';
import { describeBasics } from './compliance/basics.js';
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
 * backend: what one declares is exercised, what it does not declare is asserted to be absent.
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
    describeNothingKept(suite);
    describeClosing(suite);
  });
}
