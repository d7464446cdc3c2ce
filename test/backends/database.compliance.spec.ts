import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { describeBackend } from '../../libs/caching/src/testing/index.js';
import { createBackend, describeDatabases } from './database-subjects.js';

const runner = { describe, it, expect, beforeEach, afterEach };

/** No outage is tested here: a hundred writes of one key wait for one another, on a busy machine for seconds. */
const PATIENT = { connectTimeoutMs: 60_000, queryTimeoutMs: 60_000 };

describeDatabases((url) => {
  describeBackend('database', {
    create: async () => {
      const backend = createBackend({ url: url(), ...PATIENT });
      await backend.clear('');
      return { backend, other: createBackend({ url: url(), ...PATIENT }) };
    },
    runner,
  });
});

describe('in memory', () => {
  describeBackend('database in memory', {
    create: () => ({ backend: createBackend({ url: 'sqlite::memory:' }) }),
    runner,
  });
});
