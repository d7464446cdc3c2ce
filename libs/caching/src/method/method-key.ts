import { types } from 'node:util';
import { binaryName, bytesOf, isBinary } from '../cache/binary.js';
import { scalarText } from '../cache/scalar-text.js';
import { builtInName, classNameOf, isExactly, isForeignObjectPrototype } from '../cache/classes.js';
import { InvalidArgumentError, UnencodableArgumentError } from '../errors.js';

/** How deep an argument may be nested. */
const MAX_DEPTH = 100;
/** Where the name ends, so no name may hold it. */
const ARGUMENTS_BEGIN = '(';

/**
 * The key that a name and a list of arguments have: `product(42,"de")`. Distinct lists give distinct keys, as `1` and
 * `"1"`, `[]` and `undefined`; the order of an object's properties, and of the entries of a Map or a Set, does not matter.
 * Decorated methods make their keys by it, so that `CacheService` can read and delete what they have stored.
 *
 * @param name the decorator's `name`, or `Class.method` where it has none
 * @throws InvalidArgumentError for an empty name and one with `(`
 * @throws UnencodableArgumentError for functions, symbols, class instances, cycles and all else that is no plain data
 */
export function cacheKey(name: string, ...args: readonly unknown[]): string {
  assertKeyName(name);
  return keyOf(name, args);
}

/** @throws InvalidArgumentError unless a key may begin with it */
export function assertKeyName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name !== '' && !name.includes(ARGUMENTS_BEGIN)) return;
  throw new InvalidArgumentError(`The name of a cached method is a text that is not empty and has no "(".`);
}

/** {@link cacheKey} for a name that was checked. */
export function keyOf(name: string, args: readonly unknown[]): string {
  let list = '';
  for (let index = 0; index < args.length; index += 1) {
    if (index > 0) list += ',';
    // Most arguments are scalars, and every hit pays for them.
    list += scalarText(args[index]) ?? encode(args[index], [index], []);
  }
  return `${name}${ARGUMENTS_BEGIN}${list})`;
}

/** Where an argument stands: its index, then properties and indexes in it. */
type Path = readonly (string | number)[];

/** Each form is quoted, in brackets, or free of what stands between forms, so that what is put together stays distinct. */
function encode(value: unknown, path: Path, ancestors: readonly object[]): string {
  const scalar = scalarText(value);
  if (scalar !== undefined) return scalar;
  if (typeof value === 'object' && value !== null) return encodeObject(value, path, ancestors);
  throw refused(path, `a ${typeof value}`);
}

function encodeObject(value: object, path: Path, ancestors: readonly object[]): string {
  if (ancestors.includes(value)) throw refused(path, 'a reference back to what it is in (a cycle)');
  if (ancestors.length >= MAX_DEPTH) throw refused(path, `nested deeper than ${MAX_DEPTH} levels`);
  if (isBinary(value)) return encodeBinary(value, path);
  const inner = (each: unknown, step: string | number) =>
    encode(each, [...path, step], [...ancestors, value]);
  const encoded = encodeBuiltIn(value, path, inner);
  if (encoded !== undefined) return encoded;
  const prototype = Object.getPrototypeOf(value) as object | null;
  const isPlain = prototype === null || prototype === Object.prototype || isForeignObjectPrototype(prototype);
  if (!isPlain || builtInName(value) !== undefined) throw refused(path, nameOf(value));
  assertNothingHidden(value, path);
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([field, each]) => `${JSON.stringify(field)}:${inner(each, field)}`).join(',')}}`;
}

/** Arrays, Maps, Sets and Dates that are exactly that: a subclass may hold more. */
function encodeBuiltIn(
  value: object,
  path: Path,
  inner: (value: unknown, step: string | number) => string,
): string | undefined {
  if (Array.isArray(value) && isExactly(value, 'Array')) {
    if (Object.keys(value).length !== value.length) throw refused(path, 'an array with holes or properties');
    return `[${value.map(inner).join(',')}]`;
  }
  if (types.isDate(value) && isExactly(value, 'Date')) {
    assertNoFields(value, path);
    return `Date<${value.getTime()}>`;
  }
  if (types.isSet(value) && isExactly(value, 'Set')) {
    assertNoFields(value, path);
    return `Set[${[...value].map(inner).sort().join(',')}]`;
  }
  if (types.isMap(value) && isExactly(value, 'Map')) {
    assertNoFields(value, path);
    const pairs = [...value].map(([key, each], index) => `${inner(key, index)}:${inner(each, index)}`);
    return `Map{${pairs.sort().join(',')}}`;
  }
  return undefined;
}

function encodeBinary(value: ArrayBuffer | ArrayBufferView, path: Path): string {
  const name = binaryName(value);
  const isSubclass =
    name === 'Buffer' ? Object.getPrototypeOf(value) !== Buffer.prototype : !isExactly(value, name);
  if (isSubclass) throw refused(path, nameOf(value));
  return `${name}<${Buffer.from(bytesOf(value)).toString('base64')}>`;
}

/** A property on a Date, a Map or a Set would make no difference to the key. */
function assertNoFields(value: object, path: Path): void {
  if (Object.keys(value).length > 0) throw refused(path, `${nameOf(value)} with a property of its own`);
  assertNothingHidden(value, path);
}

function assertNothingHidden(value: object, path: Path): void {
  if (Object.getOwnPropertySymbols(value).length > 0) throw refused(path, 'an object with a symbol property');
}

function nameOf(value: object): string {
  if (types.isPromise(value)) return 'a Promise (was an await forgotten?)';
  const name = builtInName(value) ?? classNameOf(value);
  return name === undefined ? 'an object with a prototype of its own' : `an instance of ${name}`;
}

function refused(path: Path, found: string): UnencodableArgumentError {
  const [index, ...steps] = path;
  const inside = steps.map((step) => `[${JSON.stringify(step)}]`).join('');
  return new UnencodableArgumentError(`arguments[${index ?? 0}]${inside}`, found);
}
