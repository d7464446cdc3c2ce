/**
 * A new object with the own enumerable properties. Written like this, it keeps V8's fast form when it is frozen; `{ ...value }`
 * or property by property, it would become a dictionary: four times the memory, and slower to read for ever. An own `__proto__` stays a property,
 * and can be assigned to from then on.
 */
export function shallowCopy(value: object): Record<string, unknown> {
  return { __proto__: Object.prototype, ...value };
}

/** {@link shallowCopy}, without a prototype. */
export function shallowNullPrototypeCopy(value: object): Record<string, unknown> {
  return { __proto__: null, ...value };
}

/**
 * An array of holes whose memory does not go by its length: V8 gives an array that once had the highest index a
 * dictionary instead of slots.
 *
 * @param length 0 to 2^32 − 1
 */
export function holes(length: number): unknown[] {
  const array: unknown[] = [];
  array[2 ** 32 - 2] = undefined;
  // eslint-disable-next-line @typescript-eslint/no-array-delete -- a hole is what is wanted
  delete array[2 ** 32 - 2];
  array.length = length;
  return array;
}

/** Whether an array has holes. Stops at the first one. */
export function isSparse(array: readonly unknown[]): boolean {
  for (let index = 0; index < array.length; index++) {
    if (array[index] === undefined && !Object.hasOwn(array, index)) return true;
  }
  return false;
}
