import type { CompleteBackend } from '../backends/cache-backend.js';
import type { KeySpace } from './keys.js';

/** So many keys are removed in one round trip. */
const PAGE = 1000;

/**
 * Frees in the background what ended epochs have left, where the backend can list. That may mean to look at all that the server
 * holds, so there is one walk at a time, and what ends meanwhile is left to one more for all of it. Nobody waits for a walk:
 * however long it takes, it says nothing about the backend, and what a failed one has left expires or is evicted.
 */
export class Cleaning {
  /** What the keys of epochs begin with that have ended since the last walk began. */
  private prefixes = new Set<string>();
  private isWalking = false;
  private isClosed = false;

  constructor(
    private readonly backend: CompleteBackend,
    private readonly keys: KeySpace,
  ) {}

  /** Frees the keys of an epoch that has ended. */
  begin(endedEpoch: number): void {
    if (!this.backend.capabilities.lists || this.isClosed) return;
    this.prefixes.add(this.keys.epochPrefix(endedEpoch));
    if (!this.isWalking) void this.run();
  }

  close(): void {
    this.isClosed = true;
    this.prefixes.clear();
  }

  private async run(): Promise<void> {
    this.isWalking = true;
    while (this.prefixes.size > 0) {
      const { prefixes } = this;
      this.prefixes = new Set();
      try {
        await this.walk([...prefixes]);
      } catch {
        // Those that have ended since are walked for all the same.
      }
    }
    this.isWalking = false;
  }

  private async walk(prefixes: readonly string[]): Promise<void> {
    const [prefix = '', ...others] = prefixes;
    if (others.length === 0) return this.backend.clear(prefix);
    const ended = new Set(prefixes);
    let page: string[] = [];
    for await (const key of this.backend.keys?.(this.keys.root) ?? []) {
      if (this.isClosed) return;
      if (!ended.has(this.keys.epochPrefixOf(key)) || page.push(key) < PAGE) continue;
      await this.backend.deleteMany(page);
      page = [];
    }
    if (page.length > 0) await this.backend.deleteMany(page);
  }
}
