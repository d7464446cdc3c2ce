import { copyBinary, isBinary } from './binary.js';
import { Converted } from './converters.js';
import { freezeMap, freezeSet } from './frozen.js';
import { holes, isSparse, shallowCopy, shallowNullPrototypeCopy } from './plain-data.js';

/** A private copy of the value of a snapshot that may be changed at will. What occurs several times still is one object. */
export function mutableCopy(value: unknown): unknown {
  return copyTree(value, new Map());
}

/**
 * The value of a snapshot for a reader: binary data is copied, since it cannot be frozen, and with it the objects on the
 * way to it, which are frozen again; what was converted is made anew. Everything else is the snapshot's own. Needed only if
 * the snapshot `hasBinary` or `hasConverted`.
 */
export function readerCopy(snapshotValue: unknown): unknown {
  return copyTowardsBinary(snapshotValue, new Map());
}

type Copies = Map<object, object>;

function copyTree(value: unknown, copies: Copies): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  if (value instanceof Converted) return revived(value, copies);
  const copy = containerLike(value);
  copies.set(value, copy);
  fill(copy, value, (item) => copyTree(item, copies));
  return copy;
}

function copyTowardsBinary(value: unknown, copies: Copies): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  if (value instanceof Converted) return revived(value, copies);
  const copy = isBinary(value) ? copyBinary(value) : copyIfChanged(value, copies);
  copies.set(value, copy);
  return copy;
}

/** An instance of the reader's own, of data that it may keep. */
function revived(converted: Converted, copies: Copies): object {
  const instance = converted.revive(copyTree(converted.data, new Map()));
  copies.set(converted, instance);
  return instance;
}

/** The container itself if none of its items is copied. */
function copyIfChanged(value: object, copies: Copies): object {
  let isChanged = false;
  for (const item of itemsOf(value)) {
    if (copyTowardsBinary(item, copies) !== item) isChanged = true;
  }
  if (!isChanged) return value;
  const copy = containerLike(value);
  fill(copy, value, (item) => copyTowardsBinary(item, copies));
  if (copy instanceof Map) return freezeMap(copy);
  return copy instanceof Set ? freezeSet(copy) : Object.freeze(copy);
}

function itemsOf(value: object): Iterable<unknown> {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].flat<unknown[][], 1>(1);
  return value instanceof Set ? value : Object.values(value);
}

/** A new container of the same class: an object with the same items, the others without; for a Date and for binary all of it. */
function containerLike(value: object): object {
  if (Array.isArray(value)) return isSparse(value) ? holes(value.length) : new Array<unknown>(value.length);
  if (value instanceof Map) return new Map();
  if (value instanceof Set) return new Set();
  if (value instanceof Date) return new Date(value.getTime());
  if (isBinary(value)) return copyBinary(value);
  return Object.getPrototypeOf(value) === null ? shallowNullPrototypeCopy(value) : shallowCopy(value);
}

function fill(copy: object, value: object, copyItem: (item: unknown) => unknown): void {
  if (copy instanceof Map) {
    for (const [key, item] of value as Map<unknown, unknown>) copy.set(copyItem(key), copyItem(item));
  } else if (copy instanceof Set) {
    for (const item of value as Set<unknown>) copy.add(copyItem(item));
  } else if (Array.isArray(copy)) {
    for (const key of Object.keys(value)) copy[Number(key)] = copyItem((value as unknown[])[Number(key)]);
  } else if (!isBinary(copy)) {
    const fields = copy as Record<string, unknown>;
    for (const key of Object.keys(fields)) {
      const item = fields[key];
      const copied = copyItem(item);
      if (copied !== item) fields[key] = copied;
    }
  }
}
