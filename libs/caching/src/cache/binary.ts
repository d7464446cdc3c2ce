import { types } from 'node:util';

/** Everything that holds bytes and can be kept: Buffer, the typed arrays, DataView, ArrayBuffer. */
export type Binary = ArrayBuffer | ArrayBufferView;

type ViewConstructor = {
  new (buffer: ArrayBuffer): ArrayBufferView;
  readonly name: string;
  readonly BYTES_PER_ELEMENT?: number;
  readonly prototype: object;
};

// `Float16Array` is younger than Node 20.
const FLOAT16 = (globalThis as { Float16Array?: ViewConstructor }).Float16Array;

const VIEWS: readonly ViewConstructor[] = [
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  BigUint64Array,
  BigInt64Array,
  Float32Array,
  Float64Array,
  DataView,
  ...(FLOAT16 === undefined ? [] : [FLOAT16]),
];

/** The classes by the name under which they are written to bytes. `Buffer` and `ArrayBuffer` are made by hand. */
const VIEW_BY_NAME: ReadonlyMap<string, ViewConstructor> = new Map(VIEWS.map((view) => [view.name, view]));

/** Reads the brand of a typed array, which neither another realm nor a subclass changes. */
const brandOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get as (this: object) => string | undefined;

/** Whether the value holds bytes. A SharedArrayBuffer does not count: it is made to be shared and cannot be snapshot. */
export function isBinary(value: object): value is Binary {
  return ArrayBuffer.isView(value) || types.isArrayBuffer(value);
}

/** The name of the built-in class that holds the bytes: `Buffer`, `Float64Array`, …; that of the base, for a subclass. */
export function binaryName(value: Binary): string {
  if (Buffer.isBuffer(value)) return 'Buffer';
  if (!ArrayBuffer.isView(value)) return 'ArrayBuffer';
  return brandOf.call(value) ?? 'DataView';
}

/** The bytes of a binary value, without a copy. */
export function bytesOf(value: Binary): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}

/**
 * A binary value of the named class with its own copy of the bytes, which shares memory with nothing: a small Buffer in
 * the pool of Node would keep 8 KiB alive.
 *
 * @returns `undefined` if there is no such class, or the bytes are no whole number of its elements
 */
export function binaryFrom(name: string, bytes: Uint8Array): Binary | undefined {
  if (name === 'Buffer') {
    const copy = Buffer.allocUnsafeSlow(bytes.byteLength);
    copy.set(bytes);
    return copy;
  }
  const View = VIEW_BY_NAME.get(name);
  if (View === undefined && name !== 'ArrayBuffer') return undefined;
  if (bytes.byteLength % (View?.BYTES_PER_ELEMENT ?? 1) !== 0) return undefined;
  const buffer = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(buffer).set(bytes);
  return View === undefined ? buffer : new View(buffer);
}

/** A private copy of the same class. */
export function copyBinary(value: Binary): Binary {
  const copy = binaryFrom(binaryName(value), bytesOf(value));
  if (copy === undefined) throw new TypeError(`${binaryName(value)} is not known to this version of Node.`);
  return copy;
}
