/** Text for a message: the kind of thing, and its value only where that is harmless and short. */
export function describe(value: unknown): string {
  if (typeof value === 'number' || value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  return `A value of type ${typeof value}`;
}
