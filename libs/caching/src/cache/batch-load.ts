import type { RunContext } from './load-plan.js';
import { currentTagScope, TagScope } from './tag-scope.js';

interface Joined<T> {
  readonly context: RunContext;
  readonly answer: (result: Promise<ReadonlyMap<string, T>>) => void;
}

/**
 * One run of a factory for many keys: each flight that gets its lease joins, the others stand back, and when the last has
 * done either, the factory runs for those that have joined. Whoever comes later runs it alone.
 */
export class BatchLoad<T> {
  private readonly joined = new Map<string, Joined<T>>();
  /** Those that have joined or stood back, or one after the other. */
  private readonly settled = new Set<string>();
  /** What the run reads counts for each of its keys. */
  private readonly scope = new TagScope();
  private expected: number | undefined;
  private hasRun = false;

  constructor(
    private readonly factory: (
      keys: readonly string[],
      contexts: ReadonlyMap<string, RunContext>,
    ) => Promise<ReadonlyMap<string, T>>,
  ) {}

  /** How many will join or stand back. */
  expect(count: number): void {
    this.expected = count;
    this.runIfComplete();
  }

  /** The value of a key that this flight may load. */
  async join(key: string, context: RunContext): Promise<T | undefined> {
    if (this.hasRun) return (await this.factory([key], new Map([[key, context]]))).get(key);
    const result = new Promise<ReadonlyMap<string, T>>((answer) => this.joined.set(key, { context, answer }));
    this.settled.add(key);
    this.runIfComplete();
    const values = await result;
    currentTagScope()?.absorb(this.scope);
    return values.get(key);
  }

  standBack(key: string): void {
    this.settled.add(key);
    this.runIfComplete();
  }

  private runIfComplete(): void {
    if (this.hasRun || this.settled.size < (this.expected ?? Infinity)) return;
    this.hasRun = true;
    if (this.joined.size === 0) return;
    const run = this.run();
    for (const { answer } of this.joined.values()) answer(run);
  }

  private run(): Promise<ReadonlyMap<string, T>> {
    const keys = [...this.joined.keys()].sort();
    const contexts = new Map([...this.joined].map(([key, { context }]) => [key, context]));
    return this.scope.run(async () => this.factory(keys, contexts));
  }
}
