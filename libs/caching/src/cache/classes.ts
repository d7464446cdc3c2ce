import { types } from 'node:util';

/** Whether the class of a value is the named built-in one, possibly of another realm, and not a subclass. */
export function isExactly(value: object, name: string): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || !Object.hasOwn(prototype, 'constructor')) return false;
  const constructor: unknown = Reflect.get(prototype, 'constructor');
  return isNativeClass(constructor) && constructor.name === name;
}

/** Whether a prototype is `Object.prototype` of another realm: Jest and vm contexts have their own. */
export function isForeignObjectPrototype(prototype: object): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

/**
 * The name of the platform's own class that a value belongs to, `undefined` if it is a class of the application. What
 * such a value holds is not in its properties, so that it is refused even with `classInstances: 'plain'`.
 */
export function builtInName(value: object): string | undefined {
  if (Array.isArray(value)) return 'Array';
  if (types.isDate(value)) return 'Date';
  if (types.isMap(value)) return 'Map';
  if (types.isSet(value)) return 'Set';
  if (types.isRegExp(value)) return 'RegExp';
  if (types.isNativeError(value)) return 'Error';
  if (types.isBoxedPrimitive(value)) return `${Object.prototype.toString.call(value).slice(8, -1)} object`;
  // URL, WeakMap, Headers, streams of the web, generators and iterators, what Intl makes, …
  const tag: unknown = Reflect.get(value, Symbol.toStringTag);
  if (typeof tag === 'string' && tag !== '') return tag;
  const constructor: unknown = Reflect.get(value, 'constructor');
  return isNativeClass(constructor) && constructor.name !== 'Object' ? constructor.name : undefined;
}

/** Whether a function is a class of the JavaScript engine, of whichever realm. */
export function isNativeClass(constructor: unknown): constructor is { readonly name: string } {
  return (
    typeof constructor === 'function' &&
    Function.prototype.toString.call(constructor).endsWith('{ [native code] }')
  );
}

/** The name of the class of a value; `undefined` if it has none, or only a prototype without a class. */
export function classNameOf(value: object): string | undefined {
  const constructor: unknown = Reflect.get(value, 'constructor');
  if (typeof constructor !== 'function' || constructor.name === '' || constructor.name === 'Object')
    return undefined;
  return constructor.name;
}
