import type { AtomicOperations, BulkOperations, CacheBackend } from '../../backends/cache-backend.js';
import type { ComplianceBackend, ComplianceRunner, ComplianceSubject } from './subject.js';

/** Methods that a backend may leave out. */
type OptionalMethod =
  keyof AtomicOperations | keyof BulkOperations | keyof Pick<CacheBackend, 'keys' | 'prune'>;

/** What a test takes for granted: a declared capability, its opposite, or a method. */
export type Need =
  | 'stores'
  | 'stores nothing'
  | 'shared'
  | 'shared atomicity'
  | 'lists'
  | 'does not list'
  | 'holds objects'
  | OptionalMethod;

export function isMet(need: Need, backend: ComplianceBackend): boolean {
  const { capabilities } = backend;
  switch (need) {
    case 'stores':
      return capabilities.stores;
    case 'stores nothing':
      return !capabilities.stores;
    case 'shared':
      return capabilities.shared;
    case 'shared atomicity':
      return capabilities.atomicity === 'shared';
    case 'lists':
      return capabilities.lists;
    case 'does not list':
      return !capabilities.lists;
    case 'holds objects':
      return capabilities.holdsObjects;
    default:
      return backend[need] !== undefined;
  }
}

/** Asserts that what is not declared is not there either. */
export async function assertUnmet(
  need: Need,
  { backend, other }: ComplianceSubject,
  expect: ComplianceRunner['expect'],
): Promise<void> {
  const { capabilities } = backend;
  switch (need) {
    case 'stores':
      await backend.set('unmet:key', 1, null);
      expect(await backend.get('unmet:key')).toBe(undefined);
      return;
    case 'stores nothing':
      await backend.set('unmet:key', 1, null);
      expect(await backend.get('unmet:key')).toBe(1);
      return;
    case 'shared':
      expect(other).toBe(undefined);
      return;
    case 'shared atomicity':
      expect(capabilities.atomicity).toBe('process');
      return;
    case 'lists':
      expect(backend.keys).toBe(undefined);
      return;
    case 'does not list':
      expect(typeof backend.keys).toBe('function');
      return;
    case 'holds objects':
      expect(capabilities.holdsObjects).toBe(false);
      return;
    default:
      expect(backend[need]).toBe(undefined);
  }
}
