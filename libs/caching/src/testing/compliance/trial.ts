import type { CacheBackend, CompleteBackend, HeldObject, Payload } from '../../backends/cache-backend.js';
import type { ComplianceAssertion, ComplianceOptions, ComplianceSubject } from './subject.js';

/** Generous: a slow machine must not fail a right backend. */
export const TEST_TIMEOUT_MS = 60_000;

/** How long an entry may outlast its life on a server that looks at the time now and then. */
const LATENESS_MS = 5_000;

/** A short life: long enough to be written, short enough to be waited for. */
export const SHORT_MS = 100;
/** A life that does not end within a test. */
export const LONG_MS = 600_000;

/** A backend with everything there. A test gets one typed so, and names what it really needs. */
export type FullBackend = CompleteBackend<Payload | HeldObject> &
  Required<Pick<CacheBackend<Payload | HeldObject>, 'keys' | 'prune'>>;

/** What the body of a test works with. */
export interface Trial {
  readonly backend: FullBackend;
  /** The second instance on the same storage. There if the test needs `'shared'`. */
  readonly other: FullBackend;
  expect(actual: unknown): ComplianceAssertion;
  /** Asserts what a key holds, `undefined` for nothing. */
  expectHeld(key: string, expected: Payload | undefined): Promise<void>;
  /** Asserts a remaining life that began with so many milliseconds. */
  expectLife(key: string, lifeMs: number | null | undefined): Promise<void>;
  /** Waits until everything that was written before with a life of at most `ms` must have expired. */
  outlive(ms: number): Promise<void>;
  /** Lets time pass. */
  passTime(ms: number): Promise<void>;
  /** The error that the action rejects with or throws. */
  failureOf(action: () => unknown): Promise<unknown>;
}

export function createTrial(subject: ComplianceSubject, options: ComplianceOptions): Trial {
  const { expect } = options.runner;
  const backend = subject.backend as FullBackend;
  const passTime = async (ms: number) => (options.passTime ?? pause)(ms);
  return {
    backend,
    get other() {
      return otherOf(subject);
    },
    expect: (actual) => expect(actual),
    async expectHeld(key, expected) {
      expect(show(await backend.get(key))).toBe(show(expected));
    },
    async expectLife(key, lifeMs) {
      const rest = await backend.ttl(key);
      if (typeof lifeMs !== 'number' || typeof rest !== 'number') {
        expect(rest).toBe(lifeMs);
        return;
      }
      expect(Number.isInteger(rest)).toBe(true);
      expect(rest).toBeLessThanOrEqual(lifeMs);
      expect(rest).toBeGreaterThan(Math.max(0, lifeMs - TEST_TIMEOUT_MS));
    },
    outlive: (ms) => (options.passTime === undefined ? outlive(backend, ms) : passTime(ms)),
    passTime,
    failureOf,
  };
}

function otherOf({ other }: ComplianceSubject): FullBackend {
  if (other === undefined) {
    throw new Error(
      'The backend declares `shared`, so create() must give `other`: a second instance on its storage.',
    );
  }
  return other as FullBackend;
}

/** Real time: waits for an entry that was written last, so that everything before it has expired unseen. */
async function outlive(backend: FullBackend, ms: number): Promise<void> {
  const last = 'zz:outlived';
  await backend.set(last, 1, ms);
  await pause(ms);
  for (const end = performance.now() + LATENESS_MS; (await backend.get(last)) !== undefined;) {
    if (performance.now() > end)
      throw new Error(`A life of ${ms} ms has not ended after ${LATENESS_MS} ms more.`);
    await pause(5);
  }
}

async function failureOf(action: () => unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  throw new Error('This should have failed and did not.');
}

/** A payload as text, so that a failing assertion says what was there: large ones by length and checksum. */
export function show(payload: unknown): string {
  if (payload === undefined) return 'nothing';
  if (typeof payload === 'number') return `the integer ${Object.is(payload, -0) ? '-0' : payload}`;
  if (!(payload instanceof Uint8Array)) return `a value of type ${typeof payload}`;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (bytes.length <= 256) return `the bytes <${bytes.toString('hex')}>`;
  return `${bytes.length} bytes with checksum ${checksum(bytes)}`;
}

/** FNV-1a: tells a damaged payload from a whole one. */
function checksum(bytes: Uint8Array): number {
  let sum = 0x811c9dc5;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x01000193);
  return sum >>> 0;
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** `begin`, `begin + 1`, … so many of them. */
export function range(length: number, begin = 0): number[] {
  return Array.from({ length }, (_, index) => begin + index);
}

/** Runs the action so many times at once. */
export function atOnce<T>(times: number, action: (index: number) => PromiseLike<T> | T): Promise<T[]> {
  return Promise.all(range(times).map(async (index) => action(index)));
}

/** The stable code of an error of this library. */
export function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | undefined)?.code;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
