import type { Converters } from './converters.js';
import { MAX_DEPTH, Walk } from './snapshot-walk.js';

export { MAX_DEPTH };
export { freezeDecoded } from './frozen.js';
export { mutableCopy, readerCopy } from './value-copies.js';

export interface SnapshotOptions {
  /**
   * What to do with instances of classes: `'refuse'` (the default of a cache), or `'plain'`: keep their own enumerable
   * fields. The prototype is lost then, private fields with it, and what a class serializer would have hidden is kept. A
   * subclass of Array, Map, Set, Date or of binary data is kept as what it extends.
   */
  readonly classInstances: 'refuse' | 'plain';
  /** The classes whose instances are converted, whatever `classInstances` says. Default: none. */
  readonly converters?: Converters | undefined;
}

/** A private, frozen copy of a value, and what the one walk over it has found out. */
export interface Snapshot {
  /** Frozen to the bottom and shared with nobody; only binary data in it can be changed, see {@link readerCopy}. */
  readonly value: unknown;
  /** Estimated bytes in memory, for the byte bound of the memory backend. What occurs twice counts once, except strings. */
  readonly size: number;
  /** Whether `JSON.parse(JSON.stringify(value))` gives exactly the value. */
  readonly isPlainJson: boolean;
  /** Whether there is a Buffer, typed array, ArrayBuffer or DataView in it. */
  readonly hasBinary: boolean;
  /** Whether there is a {@link Converted} in it, which readers get as an instance of their own. */
  readonly hasConverted: boolean;
  /** The objects in `value` that occur more than once (Dates aside): the codec writes them once. `undefined` if none. */
  readonly repeated: ReadonlySet<object> | undefined;
}

/**
 * Copies a value to the bottom and freezes the copy. The caller's value is only read, each getter once. Objects that
 * occur several times are copied once. Properties that are not enumerable are left out.
 *
 * @throws UnserializableValueError for functions, symbols, cycles, named properties of arrays, values nested deeper than
 * {@link MAX_DEPTH}, class instances (see {@link SnapshotOptions}) and everything that holds its data out of reach
 */
export function snapshot(value: unknown, options: SnapshotOptions): Snapshot {
  const walk = new Walk(options.classInstances === 'plain', options.converters);
  const copy = walk.copy(value, 0);
  return {
    value: copy,
    size: walk.size,
    isPlainJson: walk.isPlainJson,
    hasBinary: walk.hasBinary,
    hasConverted: walk.hasConverted,
    repeated: walk.repeated,
  };
}
