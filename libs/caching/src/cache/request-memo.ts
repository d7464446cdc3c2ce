import { AsyncLocalStorage } from 'node:async_hooks';

/** The most reads that are remembered of one request. */
const MAX_READS = 1000;

/** What one request has read so far, of each cache that asks for it. */
type Memo = Map<object, Map<string, unknown>>;

const current = new AsyncLocalStorage<Memo>();

/**
 * Runs something as one request: caches with `requestMemo` ask their backend once for a key that is read twice meanwhile.
 * The module does so for every HTTP request; call it yourself around a message or a job.
 */
export function withRequestMemo<R>(run: () => R): R {
  return current.run(new Map(), run);
}

/** The reads of one cache that the request under way has made. */
export class RequestMemo {
  /** What was read before in this request, or what the read answers now. */
  read<T>(name: string, read: () => T): T {
    const reads = this.reads();
    if (reads === undefined) return read();
    if (reads.has(name)) return reads.get(name) as T;
    const answer = read();
    remember(reads, name, answer);
    return answer;
  }

  /** The same for many: what was not read before is read at once, by index. */
  async readMany<T>(
    names: readonly string[],
    read: (indexes: readonly number[]) => Promise<readonly T[]>,
  ): Promise<T[]> {
    const reads = this.reads();
    const missing = [...names.keys()].filter((index) => reads?.has(names[index] ?? '') !== true);
    const answers = missing.length === 0 ? [] : await read(missing);
    const found = new Map(missing.map((index, at) => [index, answers[at] as T]));
    // What the request has changed meanwhile has ended these reads, and begun others.
    if (reads !== undefined) for (const [index, answer] of found) remember(reads, names[index] ?? '', answer);
    const known = names.map((name, index) => (found.has(index) ? found.get(index) : reads?.get(name)) as T);
    return Promise.all(known);
  }

  /** Forgets what was read, and what is being read: the request changes something itself. */
  forget(): void {
    current.getStore()?.delete(this);
  }

  private reads(): Map<string, unknown> | undefined {
    const memo = current.getStore();
    if (memo === undefined) return undefined;
    let reads = memo.get(this);
    if (reads === undefined) memo.set(this, (reads = new Map<string, unknown>()));
    return reads;
  }
}

function remember(reads: Map<string, unknown>, name: string, answer: unknown): void {
  if (reads.size < MAX_READS) reads.set(name, answer);
}
