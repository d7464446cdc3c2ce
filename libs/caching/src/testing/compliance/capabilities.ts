import { isMet } from './needs.js';
import type { Suite } from './suite.js';

const ATOMIC = ['add', 'increment', 'touch', 'compareAndSet', 'compareAndDelete'] as const;
const BULK = ['getMany', 'setMany', 'deleteMany'] as const;

/** What a backend says about itself. */
export function describeCapabilities({ describe, test }: Suite): void {
  describe('capabilities', () => {
    test('names itself', [], async ({ backend, expect }) => {
      expect(typeof backend.name).toBe('string');
      expect(backend.name.length).toBeGreaterThan(0);
    });

    test('declares each capability', [], async ({ backend, expect }) => {
      const { atomicity, shared, lists, holdsObjects, stores } = backend.capabilities;
      expect(['shared', 'process'].includes(atomicity)).toBe(true);
      expect([shared, lists, holdsObjects, stores].map((flag) => typeof flag)).toEqual(
        Array(4).fill('boolean'),
      );
    });

    test('has keys() exactly if it lists', [], async ({ backend, expect }) => {
      expect(typeof backend.keys === 'function').toBe(backend.capabilities.lists);
    });

    test('leaves out an operation by leaving it undefined', [], async ({ backend, expect }) => {
      for (const method of [...ATOMIC, ...BULK, 'keys', 'prune'] as const) {
        expect(typeof backend[method]).toBe(isMet(method, backend) ? 'function' : 'undefined');
      }
    });

    test('has every atomic operation if others share its atomicity', ['shared atomicity'], async (trial) => {
      const { backend, expect } = trial;
      expect(backend.capabilities.shared).toBe(true);
      expect(ATOMIC.filter((method) => !isMet(method, backend))).toEqual([]);
    });
  });
}
