import type { Awaitable, CacheBackend, HeldObject, Payload } from '../../backends/cache-backend.js';

/** Any backend: one for bytes and integers, or one that holds objects as well. */
export type ComplianceBackend = CacheBackend<Payload | HeldObject>;

/** What one test works on. */
export interface ComplianceSubject {
  readonly backend: ComplianceBackend;
  /** A second instance on the same storage, as another process would have it. Required if the backend is shared. */
  readonly other?: ComplianceBackend;
}

/** The part of a test runner's assertions that the suite uses. Jest's and Vitest's fit. */
export interface ComplianceAssertion {
  toBe(expected: unknown): unknown;
  toEqual(expected: unknown): unknown;
  toBeGreaterThan(expected: number): unknown;
  toBeGreaterThanOrEqual(expected: number): unknown;
  toBeLessThanOrEqual(expected: number): unknown;
}

/** The functions of a test runner. Pass those of `@jest/globals` or `vitest`. */
export interface ComplianceRunner {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>, timeoutMs?: number): unknown;
  expect(actual: unknown): ComplianceAssertion;
  beforeEach(body: () => Promise<void>, timeoutMs?: number): unknown;
  afterEach(body: () => Promise<void>, timeoutMs?: number): unknown;
}

export interface ComplianceOptions {
  /** Makes a subject on empty storage. Called before each test. */
  create(): Awaitable<ComplianceSubject>;
  /** Called after each test, after both backends were closed. */
  destroy?(): Awaitable<void>;
  /**
   * Moves the time on by so many milliseconds: for a backend on a fake clock. By default real time is waited for, in
   * lives of about a tenth of a second.
   */
  passTime?(ms: number): Awaitable<void>;
  readonly runner: ComplianceRunner;
}
