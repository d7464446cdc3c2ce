import type { EntryCodec, Found } from './entries.js';
import { CodecId, decode, encode } from './codec.js';
import type { Converters } from './converters.js';
import {
  freezeDecoded,
  mutableCopy,
  readerCopy,
  snapshot,
  type Snapshot,
  type SnapshotOptions,
} from './snapshot.js';
import { UnserializableValueError } from '../errors.js';

/** A value as the low-level API keeps it: an immutable snapshot. */
export type KeptValue = Snapshot;

/** Outside production values that come from bytes are frozen too, so that they behave as those from memory. */
const isFrozenWhenDecoded = process.env['NODE_ENV'] !== 'production';

/** How the values of a cache become bytes and come back. */
export function createValueCodec(converters: Converters): EntryCodec<KeptValue> {
  return {
    kind: 'value',
    encode,
    decode(codec, body) {
      let hasConverted = false;
      const value = decode(codec, body, (name, data) => {
        hasConverted = true;
        return converters.converted(name, data);
      });
      // What no converter can read is a miss, and here is the place to find out.
      if (hasConverted) readerCopy(value);
      return {
        value,
        size: body.length,
        isPlainJson: false,
        hasBinary: codec === CodecId.extended || codec === CodecId.bytes,
        hasConverted,
        repeated: undefined,
        ...(isFrozenWhenDecoded && frozen(value)),
      };
    },
  };
}

/**
 * Takes a private copy of what a caller hands over.
 *
 * @throws UnserializableValueError for what cannot be kept without loss, top-level `undefined` included
 */
export function keep(value: unknown, options: SnapshotOptions): KeptValue {
  if (value === undefined) {
    throw new UnserializableValueError(
      'value',
      'undefined',
      'That is what a missing key reads as. Store null to remember that there is nothing.',
    );
  }
  return snapshot(value, options);
}

/** Whether a value is kept as a bare integer, so that `increment` works on it. */
export function isCounter(value: unknown): value is number {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

/** What an entry, or a bare integer, keeps. */
export function keptIn(found: Exclude<Found<KeptValue>, undefined>): KeptValue | number {
  return typeof found === 'number' ? found : found.value;
}

/** What a reader gets: the shared snapshot, or a private copy. */
export function valueOf(kept: KeptValue | number, isCopy: boolean): unknown {
  if (typeof kept === 'number') return kept;
  if (isCopy) return mutableCopy(kept.value);
  return kept.hasBinary || kept.hasConverted ? readerCopy(kept.value) : kept.value;
}

function frozen(value: unknown): { readonly value: unknown } {
  return { value: freezeDecoded(value) };
}
