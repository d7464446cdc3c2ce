export { describeBackend } from './backend-compliance.js';
export type {
  ComplianceAssertion,
  ComplianceBackend,
  ComplianceOptions,
  ComplianceRunner,
  ComplianceSubject,
} from './compliance/subject.js';
export { FakeClock } from './fake-clock.js';
export { FailingBackend } from './failing-backend.js';
export type { FailingOperation, FailureOptions, FaultOptions } from './failing-backend.js';
