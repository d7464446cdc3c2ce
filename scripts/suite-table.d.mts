interface SpecResult {
  readonly testResults: readonly { readonly ancestorTitles: readonly string[]; readonly status: string }[];
}

/** Backend × suite of `nestjs-caching/testing`, as lines of a table. */
export function suiteTable(testResults: readonly SpecResult[], skipped?: string): string[];
