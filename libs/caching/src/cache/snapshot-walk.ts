import { types } from 'node:util';
import { Converted, type Converters, type ValueConverter } from './converters.js';
import { binaryName, bytesOf, binaryFrom, isBinary, type Binary } from './binary.js';
import { freezeDate, freezeMap, freezeSet } from './frozen.js';
import { holes, shallowCopy, shallowNullPrototypeCopy } from './plain-data.js';
import { builtInName, isExactly, isForeignObjectPrototype } from './classes.js';
import {
  cycleRefusal,
  instanceRefusal,
  namedPropertyRefusal,
  refusal,
  refusalOf,
  type Position,
} from './refusal.js';
import {
  arrayBytes,
  BINARY_BYTES,
  bigintBytes,
  CONVERTED_BYTES,
  DATE_BYTES,
  nullPrototypeBytes,
  numberBytes,
  objectBytes,
  stringBytes,
  tableBytes,
} from './value-size.js';

/** How deep a value may be nested: objects in arrays in objects … A value this deep is a linked list. */
export const MAX_DEPTH = 500;

/** The step from an instance to its data, in the path of an error. */
const TO_DATA = 'toData()';

/** One walk over a value: copies it to the bottom, freezes the copy, and finds out what a snapshot says of it. */
export class Walk {
  size = 0;
  isPlainJson = true;
  hasBinary = false;
  hasConverted = false;
  repeated: Set<object> | undefined;

  /** What was copied already, by original. */
  private readonly copies = new Map<object, object>();
  /** The objects that are being copied, outermost first, and the step taken in each; valid up to the current depth. */
  private readonly containers: object[] = [];
  private readonly steps: (string | number | symbol)[] = [];

  constructor(
    private readonly instancesArePlain: boolean,
    private readonly converters: Converters | undefined,
  ) {}

  /** @param depth how many steps led to the value */
  copy(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        this.size += stringBytes(value);
        return value;
      case 'number':
        this.size += numberBytes(value);
        if (value - value !== 0 || Object.is(value, -0)) this.isPlainJson = false;
        return value;
      case 'boolean':
        return value;
      case 'object':
        return value === null ? null : this.copyObject(value, depth);
      case 'undefined':
        this.isPlainJson = false;
        return undefined;
      case 'bigint':
        this.isPlainJson = false;
        this.size += bigintBytes(value);
        return value;
      default:
        throw refusalOf(this.position(depth), value);
    }
  }

  private copyObject(value: object, depth: number): object {
    const known = this.copies.get(value);
    if (known !== undefined) return this.repeat(value, known, depth);
    if (depth > MAX_DEPTH) {
      throw refusal(
        this.position(depth),
        `nested deeper than ${MAX_DEPTH} levels`,
        'Store lists as arrays, and trees by id.',
      );
    }
    this.containers[depth] = value;
    const converter = this.converters?.of(Object.getPrototypeOf(value));
    if (converter !== undefined) return this.convert(value, converter, depth);
    if (Array.isArray(value))
      return this.copyArray(this.checked(value, 'Array', Array.prototype, depth), depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype) return this.copyPlain(value, depth);
    if (prototype === null) return this.copyNullPrototype(value, depth);
    return this.copyOther(value, prototype as object, depth);
  }

  private convert(value: object, converter: ValueConverter, depth: number): object {
    const data = converter.toData(value);
    this.steps[depth] = TO_DATA;
    const copy = new Converted(converter, this.copy(data, depth + 1));
    this.copies.set(value, copy);
    this.isPlainJson = false;
    this.hasConverted = true;
    this.size += CONVERTED_BYTES;
    return copy;
  }

  private copyOther(value: object, prototype: object, depth: number): object {
    if (types.isDate(value)) return this.copyDate(this.checked(value, 'Date', Date.prototype, depth));
    if (types.isMap(value)) return this.copyMap(this.checked(value, 'Map', Map.prototype, depth), depth);
    if (types.isSet(value)) return this.copySet(this.checked(value, 'Set', Set.prototype, depth), depth);
    if (isBinary(value)) return this.copyBinary(value, depth);
    if (isForeignObjectPrototype(prototype) || (this.instancesArePlain && builtInName(value) === undefined)) {
      return this.copyPlain(value, depth);
    }
    throw refusalOf(this.position(depth), value);
  }

  /** @param copy has the same properties, and still the values of the caller; each is read from there */
  private copyFields(value: object, copy: Record<string, unknown>, depth: number): object {
    this.copies.set(value, copy);
    const keys = Object.keys(copy);
    this.size += Object.getPrototypeOf(copy) === null ? nullPrototypeBytes(keys) : objectBytes(keys);
    for (const key of keys) {
      const field = copy[key];
      this.steps[depth] = key;
      const kept = this.copy(field, depth + 1);
      if (kept !== field) copy[key] = kept;
    }
    return Object.freeze(copy);
  }

  private copyPlain(value: object, depth: number): object {
    this.refuseSymbols(value, depth);
    return this.copyFields(value, shallowCopy(value), depth);
  }

  private copyNullPrototype(value: object, depth: number): object {
    this.refuseSymbols(value, depth);
    this.isPlainJson = false;
    return this.copyFields(value, shallowNullPrototypeCopy(value), depth);
  }

  private copyArray(value: readonly unknown[], depth: number): readonly unknown[] {
    const keys = Object.keys(value);
    const isDense =
      keys.length === value.length && (keys.length === 0 || keys.at(-1) === String(keys.length - 1));
    if (!isDense) return this.copySparseArray(value, keys, depth);
    this.refuseSymbols(value, depth);
    this.size += arrayBytes(keys.length, false);
    const copy = new Array<unknown>(keys.length);
    this.copies.set(value, copy);
    for (let index = 0; index < keys.length; index++) {
      this.steps[depth] = index;
      copy[index] = this.copy(value[index], depth + 1);
    }
    return Object.freeze(copy);
  }

  private copySparseArray(
    value: readonly unknown[],
    keys: readonly string[],
    depth: number,
  ): readonly unknown[] {
    this.isPlainJson = false;
    this.refuseSymbols(value, depth);
    const copy = holes(value.length);
    this.copies.set(value, copy);
    this.size += arrayBytes(keys.length, true);
    for (const key of keys) {
      const index = Number(key) >>> 0;
      this.steps[depth] = String(index) === key ? index : key;
      if (String(index) !== key || index >= value.length)
        throw namedPropertyRefusal(this.position(depth + 1));
      copy[index] = this.copy(value[index], depth + 1);
    }
    return Object.freeze(copy);
  }

  private copyDate(value: Date): Date {
    this.isPlainJson = false;
    this.size += DATE_BYTES;
    const copy = freezeDate(new Date(Date.prototype.getTime.call(value)));
    this.copies.set(value, copy);
    return copy;
  }

  private copyMap(value: Map<unknown, unknown>, depth: number): Map<unknown, unknown> {
    this.isPlainJson = false;
    const copy = new Map<unknown, unknown>();
    this.copies.set(value, copy);
    let position = 0;
    for (const [key, item] of Map.prototype.entries.call(value)) {
      this.steps[depth] = position++;
      const keptKey = this.copy(key, depth + 1);
      this.steps[depth] = position++;
      copy.set(keptKey, this.copy(item, depth + 1));
    }
    this.size += tableBytes(copy);
    return freezeMap(copy);
  }

  private copySet(value: Set<unknown>, depth: number): Set<unknown> {
    this.isPlainJson = false;
    const copy = new Set<unknown>();
    this.copies.set(value, copy);
    let position = 0;
    for (const item of Set.prototype.values.call(value)) {
      this.steps[depth] = position++;
      copy.add(this.copy(item, depth + 1));
    }
    this.size += tableBytes(copy);
    return freezeSet(copy);
  }

  private copyBinary(value: Binary, depth: number): Binary {
    const name = binaryName(value);
    const isExact =
      name === 'Buffer' ? Object.getPrototypeOf(value) === Buffer.prototype : isExactly(value, name);
    const bytes = bytesOf(value);
    const copy = isExact || this.instancesArePlain ? binaryFrom(name, bytes) : undefined;
    if (copy === undefined) throw instanceRefusal(this.position(depth), value);
    this.isPlainJson = false;
    this.hasBinary = true;
    this.size += BINARY_BYTES + bytes.byteLength;
    this.copies.set(value, copy);
    return copy;
  }

  /** An object that was met before: inside itself, or elsewhere in the value. */
  private repeat(value: object, copy: object, depth: number): object {
    const ancestor = this.containers.indexOf(value);
    if (ancestor !== -1 && ancestor < depth) throw cycleRefusal(this.position(depth), ancestor);
    // Written out each time, nested repetition grows exponentially. A Date holds nothing and is short.
    this.isPlainJson = false;
    if (!(copy instanceof Date)) (this.repeated ??= new Set()).add(copy);
    return copy;
  }

  /** The value, if it is of a built-in class itself or subclasses count as what they extend, and has no own properties. */
  private checked<T extends object>(value: T, name: string, prototype: object, depth: number): T {
    const isExact = Object.getPrototypeOf(value) === prototype || isExactly(value, name);
    if (!isExact && !this.instancesArePlain) throw instanceRefusal(this.position(depth), value);
    if (name !== 'Array') this.refuseNamed(value, depth);
    return value;
  }

  private refuseNamed(value: object, depth: number): void {
    const [key] = Object.keys(value);
    if (key !== undefined) {
      this.steps[depth] = key;
      throw namedPropertyRefusal(this.position(depth + 1));
    }
    this.refuseSymbols(value, depth);
  }

  private refuseSymbols(value: object, depth: number): void {
    const symbols = Object.getOwnPropertySymbols(value);
    if (symbols.length === 0) return;
    const symbol = symbols.find((key) => Object.prototype.propertyIsEnumerable.call(value, key));
    if (symbol === undefined) return;
    this.steps[depth] = symbol;
    throw refusal(
      this.position(depth + 1),
      'a property under a symbol',
      'Use a name, or make it not enumerable.',
    );
  }

  private position(depth: number): Position {
    return { containers: this.containers.slice(0, depth), steps: this.steps.slice(0, depth) };
  }
}
