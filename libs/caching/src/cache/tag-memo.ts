import type { Clock } from '../clock.js';
import type { TagRecord } from './tags.js';

/** The most tags that are remembered. */
const MAX_TAGS = 10_000;

/** What a process last knew of tags and of the control record, for as long as the application lets it go by that. */
export class TagMemo {
  private readonly records = new Map<
    string,
    { readonly record: TagRecord | undefined; readonly at: number }
  >();
  private controlAt = -Infinity;

  constructor(
    private readonly memoMs: number,
    private readonly clock: Clock,
  ) {}

  /** Whether the control record need not be read. */
  get knowsControl(): boolean {
    return this.memoMs > 0 && this.clock.monotonic() - this.controlAt < this.memoMs;
  }

  sawControl(): void {
    if (this.memoMs > 0) this.controlAt = this.clock.monotonic();
  }

  /** The record, if it was read a moment ago; `undefined` says nothing. */
  find(tag: string): { readonly record: TagRecord | undefined } | undefined {
    if (this.memoMs === 0) return undefined;
    const known = this.records.get(tag);
    return known !== undefined && this.clock.monotonic() - known.at < this.memoMs ? known : undefined;
  }

  saw(tag: string, record: TagRecord | undefined): void {
    if (this.memoMs === 0) return;
    if (this.records.size >= MAX_TAGS) this.records.clear();
    this.records.set(tag, { record, at: this.clock.monotonic() });
  }

  /** Forgets everything: this process has changed something itself. */
  forget(): void {
    this.records.clear();
    this.controlAt = -Infinity;
  }
}
