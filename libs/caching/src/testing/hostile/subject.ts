import type { Awaitable } from '../../backends/cache-backend.js';
import type { ComplianceBackend, ComplianceRunner } from '../compliance/subject.js';

/** What lies in the storage itself, below the backend. */
export interface HostileStorage {
  /** The bytes under a final key, with whatever the backend puts around a payload. */
  read(key: string): Awaitable<Uint8Array>;
  write(key: string, bytes: Uint8Array): Awaitable<void>;
}

export interface HostileContentOptions {
  /** Makes a backend on empty storage. Called before each test. */
  create(): Awaitable<ComplianceBackend>;
  /** Called after each test, after the backend was closed. */
  destroy?(): Awaitable<void>;
  /** The way past the backend that was made last, if other programs reach its storage. */
  storage?(): HostileStorage;
  readonly runner: ComplianceRunner;
}
