/** How many characters a parser looks at, one by one, while it runs: a measure that no slow machine changes. */
export function stepsOf(run: () => unknown): number {
  const original = String.prototype.charCodeAt;
  let steps = 0;
  String.prototype.charCodeAt = function (this: string, index: number) {
    steps += 1;
    return Reflect.apply(original, this, [index]);
  };
  try {
    run();
  } finally {
    String.prototype.charCodeAt = original;
  }
  return steps;
}
