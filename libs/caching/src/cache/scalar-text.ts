/**
 * A scalar as part of a key; `undefined` for what is none. Distinct scalars have distinct texts, as `1`, `"1"` and `1n`, and
 * text is quoted, so that lists of them stay distinct too.
 */
export function scalarText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'boolean':
    case 'undefined':
      return String(value);
    default:
      return value === null ? 'null' : undefined;
  }
}
