/** Own mutators on a Date, Map or Set: not enumerable, not writable, so that nothing but a write ever meets them. */
type Shadows = readonly (readonly [name: string, descriptor: PropertyDescriptor])[];

const DATE_SHADOWS = shadows(
  Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set')),
);
const MAP_SHADOWS = shadows(
  ['set', 'delete', 'clear', 'getOrInsert', 'getOrInsertComputed'].filter((name) => name in Map.prototype),
);
const SET_SHADOWS = shadows(['add', 'delete', 'clear']);

/**
 * Makes the setters of a Date throw and keeps properties from being added. `Date.prototype.setTime.call(date, …)` still
 * gets through: nothing can stop it short of another class.
 */
export function freezeDate(date: Date): Date {
  return shadow(date, DATE_SHADOWS);
}

/** {@link freezeDate}, for the writes of a Map. Its keys and values are left as they are. */
export function freezeMap<K, V>(map: Map<K, V>): Map<K, V> {
  return shadow(map, MAP_SHADOWS);
}

/** {@link freezeDate}, for the writes of a Set. Its members are left as they are. */
export function freezeSet<T>(set: Set<T>): Set<T> {
  return shadow(set, SET_SHADOWS);
}

/**
 * Freezes what a codec has just decoded, in place and to the bottom; nobody else may have it yet. Binary stays as it
 * is: JavaScript cannot freeze it.
 */
export function freezeDecoded<T>(value: T): T {
  if (typeof value === 'object' && value !== null) freezeTree(value);
  return value;
}

function freezeTree(value: object): void {
  // Frozen already: met before under another path.
  if (Object.isFrozen(value) || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return;
  if (value instanceof Date) {
    freezeDate(value);
  } else if (value instanceof Map) {
    freezeMap(value);
    for (const [key, item] of value) {
      freezeDecoded(key);
      freezeDecoded(item);
    }
  } else if (value instanceof Set) {
    freezeSet(value);
    for (const item of value) freezeDecoded(item);
  } else {
    Object.freeze(value);
    for (const item of Object.values(value)) freezeDecoded(item);
  }
}

function shadow<T extends object>(value: T, mutators: Shadows): T {
  for (const [name, descriptor] of mutators) Object.defineProperty(value, name, descriptor);
  return Object.preventExtensions(value);
}

function shadows(names: readonly string[]): Shadows {
  return names.map((name) => [name, { value: refuse }]);
}

function refuse(): never {
  throw new TypeError('This value comes from the cache and is shared. Use { copy: true } to get your own.');
}
