export { describeBackend } from './backend-compliance.js';
export type {
  ComplianceAssertion,
  ComplianceBackend,
  ComplianceOptions,
  ComplianceRunner,
  ComplianceSubject,
} from './compliance/subject.js';
export { FakeClock } from './fake-clock.js';
export { MemoryBackend } from '../backends/memory.backend.js';
export type { MemoryBackendOptions } from '../backends/memory.backend.js';
export { FailingBackend } from './failing-backend.js';
export type { FailingOperation, FailureOptions, FaultOptions } from './failing-backend.js';
export { describeOutage } from './outage.js';
export type { OutageOptions, OutageServer } from './outage/subject.js';
export { TcpProxy } from './tcp-proxy.js';
export type { ServerAddress } from './tcp-proxy.js';
export { describeHostileContent } from './hostile-content.js';
export type { HostileContentOptions, HostileStorage } from './hostile/subject.js';
