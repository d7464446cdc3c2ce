/** The larger array with the contents of the smaller one at its beginning. */
export function regrow<T extends Uint32Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
