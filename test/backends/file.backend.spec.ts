import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { describeBackend, FakeClock } from 'nestjs-caching/testing';
import { FileBackend } from '../../libs/caching/src/backends/file.backend.js';

let clock: FakeClock;
let directory: string;

describeBackend('file', {
  create: async () => {
    clock = new FakeClock();
    directory = await mkdtemp(join(tmpdir(), 'nestjs-caching-file-'));
    const options = { directory, maxEntries: 10_000, sweepIntervalMs: 300_000, clock };
    return { backend: new FileBackend(options), other: new FileBackend(options) };
  },
  destroy: () => rm(directory, { recursive: true, force: true }),
  passTime: (ms) => clock.advance(ms),
  runner: { describe, it, expect, beforeEach, afterEach },
});
