import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { describeBackend } from '../../libs/caching/src/testing/index.js';
import { createBackend, describeDatabases } from './database-subjects.js';

const runner = { describe, it, expect, beforeEach, afterEach };

describeDatabases((url) => {
  describeBackend('database', {
    create: async () => {
      const backend = createBackend({ url: url() });
      await backend.clear('');
      return { backend, other: createBackend({ url: url() }) };
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
