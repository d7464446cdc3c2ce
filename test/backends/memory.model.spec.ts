import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FakeClock } from 'nestjs-caching/testing';
import { MemoryBackend } from '../../libs/caching/src/backends/memory.backend.js';

const MAX_ENTRIES = 6;
const KEYS = [...'abcdefghij'];

interface ModelEntry {
  payload: number;
  /** `Infinity` never expires. */
  expiresAt: number;
}

/** The memory backend as plainly as it can be said; a Map keeps the order of use. */
class Model {
  readonly entries = new Map<string, ModelEntry>();

  constructor(private readonly clock: FakeClock) {}

  find(key: string): ModelEntry | undefined {
    const entry = this.entries.get(key);
    if (entry !== undefined && entry.expiresAt > this.clock.monotonic()) return entry;
    this.entries.delete(key);
    return undefined;
  }

  use(key: string, entry: ModelEntry): void {
    this.entries.delete(key);
    this.entries.set(key, entry);
  }

  get(key: string): number | undefined {
    const entry = this.find(key);
    if (entry !== undefined) this.use(key, entry);
    return entry?.payload;
  }

  set(key: string, payload: number, ttlMs: number | null): void {
    if (!this.entries.has(key) && this.entries.size === MAX_ENTRIES) this.evict();
    this.use(key, { payload, expiresAt: this.momentAfter(ttlMs) });
  }

  touch(key: string, ttlMs: number | null): boolean {
    const entry = this.find(key);
    if (entry !== undefined) entry.expiresAt = this.momentAfter(ttlMs);
    return entry !== undefined;
  }

  delete(key: string): boolean {
    const present = this.find(key) !== undefined;
    this.entries.delete(key);
    return present;
  }

  private evict(): void {
    const expired = [...this.entries].filter(([, { expiresAt }]) => expiresAt <= this.clock.monotonic());
    // Which of the expired ones goes cannot be seen from outside.
    const first = expired.sort(([, a], [, b]) => a.expiresAt - b.expiresAt)[0]?.[0];
    this.entries.delete(first ?? this.entries.keys().next().value!);
  }

  private momentAfter(ttlMs: number | null): number {
    return ttlMs === null ? Infinity : this.clock.monotonic() + ttlMs;
  }
}

const key = fc.constantFrom(...KEYS);
const ttl = fc.option(fc.integer({ min: 1, max: 20 }));
const step = fc.oneof(
  fc.tuple(fc.constant('set' as const), key, fc.integer(), ttl),
  fc.tuple(fc.constant('get' as const), key),
  fc.tuple(fc.constant('touch' as const), key, ttl),
  fc.tuple(fc.constant('delete' as const), key),
  fc.tuple(fc.constant('pass' as const), fc.integer({ min: 0, max: 10 })),
);

describe('the memory backend beside a model of it', () => {
  it('holds the same after any sequence of operations', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), fc.boolean(), (steps, sweeps) => {
        const clock = new FakeClock();
        const options = { maxEntries: MAX_ENTRIES, maxBytes: 2 ** 20, sweepInterval: sweeps ? 7 : 0 };
        const backend = new MemoryBackend(options, clock);
        const model = new Model(clock);
        for (const [operation, ...args] of steps) {
          if (operation === 'pass') clock.advance(args[0] as number);
          else expect(apply(backend, operation, args)).toEqual(apply(model, operation, args));
        }
        const held = KEYS.map((each) => [backend.ttl(each) !== undefined, backend.get(each)]);
        const expected = KEYS.map((each) => [model.find(each) !== undefined, model.get(each)]);
        backend.close();
        expect(held).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });
});

function apply(
  target: MemoryBackend | Model,
  operation: 'set' | 'get' | 'touch' | 'delete',
  args: unknown[],
): unknown {
  return (target[operation] as (...args: unknown[]) => unknown).apply(target, args);
}
