import { assertUnmet, isMet, type Need } from './needs.js';
import type { ComplianceOptions, ComplianceSubject } from './subject.js';
import { createTrial, TEST_TIMEOUT_MS, type Trial } from './trial.js';

export interface Suite {
  describe(subject: string, body: () => void): void;
  /** Declares a test; on a backend that lacks one of the needs, the test asserts its absence instead. */
  test(promise: string, needs: readonly Need[], body: (trial: Trial) => Promise<void>): void;
}

export function createSuite(options: ComplianceOptions): Suite {
  const { runner } = options;
  let subject: ComplianceSubject | undefined;
  runner.beforeEach(async () => {
    subject = await options.create();
  }, TEST_TIMEOUT_MS);
  runner.afterEach(async () => {
    const { backend, other } = subject ?? {};
    subject = undefined;
    try {
      await backend?.close();
      await other?.close();
    } finally {
      await options.destroy?.();
    }
  }, TEST_TIMEOUT_MS);

  return {
    describe: (name, body) => void runner.describe(name, body),
    test(promise, needs, body) {
      runner.it(
        promise,
        async () => {
          if (subject === undefined) throw new Error('create() gave no subject');
          const unmet = needs.find((need) => !isMet(need, subject!.backend));
          if (unmet === undefined) await body(createTrial(subject, options));
          else await assertUnmet(unmet, subject, runner.expect);
        },
        TEST_TIMEOUT_MS,
      );
    },
  };
}
