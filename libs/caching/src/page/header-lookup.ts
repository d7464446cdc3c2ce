export type HeaderValue = number | string | readonly string[] | undefined;
export type HeaderValues = Readonly<Record<string, HeaderValue>>;

/** Headers as they were at one moment, by their lower-case names. */
export class HeaderLookup {
  private readonly values: HeaderValues;

  constructor(values: HeaderValues) {
    // Lists are the response's own, and may grow.
    this.values = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : value]),
    );
  }

  /** The value, several lines joined by `, ` (RFC 9110 §5.3). */
  text(name: string): string | undefined {
    const value = this.values[name];
    return value === undefined ? undefined : Array.isArray(value) ? value.join(', ') : String(value);
  }

  /** The lines, for fields in which a quote must not reach from one line into the next. */
  lines(name: string): readonly string[] {
    const value = this.values[name];
    return value === undefined ? [] : Array.isArray(value) ? value.map(String) : [String(value)];
  }

  /** The same without a header. */
  without(name: string): HeaderLookup {
    return new HeaderLookup({ ...this.values, [name]: undefined });
  }

  /** The headers that are not in an earlier look, or were different. */
  since(before: HeaderLookup): (readonly [name: string, value: string | readonly string[]])[] {
    return Object.entries(this.values)
      .filter(([name, value]) => value !== undefined && String(value) !== String(before.values[name]))
      .map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value as string)]);
  }

  /** The names of headers that were in an earlier look and are gone. */
  goneSince(before: HeaderLookup): string[] {
    return Object.keys(before.values).filter(
      (name) => before.values[name] !== undefined && this.values[name] === undefined,
    );
  }
}
