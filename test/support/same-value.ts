import assert from 'node:assert/strict';

/**
 * Asserts that two values are the same in everything that a cache keeps: types and prototypes, −0 and NaN, the order of
 * properties and entries, holes, the time of Dates (an invalid one is no difference), bytes.
 */
export function assertSameValue(actual: unknown, expected: unknown, path = 'value'): void {
  if (typeof expected !== 'object' || expected === null) {
    assert.ok(Object.is(actual, expected), `${path} differs`);
    return;
  }
  assert.ok(typeof actual === 'object' && actual !== null, `${path} is no object`);
  assert.equal(
    Object.getPrototypeOf(actual),
    Object.getPrototypeOf(expected),
    `${path} has another prototype`,
  );
  assert.deepEqual(ownKeysOf(actual), ownKeysOf(expected), `${path} has other properties`);
  const items = itemsOf(actual);
  const expectedItems = itemsOf(expected);
  assert.equal(items.length, expectedItems.length, `${path} has another size`);
  for (const [index, item] of items.entries())
    assertSameValue(item, expectedItems[index], `${path}.${index}`);
}

function ownKeysOf(value: object): readonly string[] {
  return ArrayBuffer.isView(value) ? [] : Object.keys(value);
}

function itemsOf(value: object): readonly unknown[] {
  if (value instanceof Date) return [value.getTime()];
  if (value instanceof Map) return [...value].flat(1);
  if (value instanceof Set) return [...value];
  if (value instanceof ArrayBuffer) return [Buffer.from(value).toString('hex')];
  if (ArrayBuffer.isView(value)) {
    return [Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')];
  }
  return Array.isArray(value) ? [value.length, ...Object.values(value)] : Object.values(value);
}
