import type { EntryTable } from './entry-table.js';

/** Slots looked at in one go, a millisecond or two. */
const SLICE = 4_000;

interface Clear {
  readonly prefix: string;
  /** Entries written under a lower number are meant. */
  readonly number: number;
}

/** Removes prefixes in slices. What is meant by a clear counts as absent from its first moment on. */
export class Clearing {
  /** How many clears have begun. */
  begun = 0;
  private readonly underWay: Clear[] = [];

  constructor(private readonly table: EntryTable) {}

  /** Whether any entry may be there that counts as absent. */
  get active(): boolean {
    return this.underWay.length !== 0;
  }

  /** Whether a slot that is taken awaits its removal. */
  covers(slot: number): boolean {
    const key = this.table.keyAt(slot)!;
    const written = this.table.writtenAt(slot);
    return this.underWay.some(({ prefix, number }) => written < number && key.startsWith(prefix));
  }

  /** Answers at once if a single slice is enough. */
  clear(prefix: string): void | Promise<void> {
    const clear: Clear = { prefix, number: ++this.begun };
    if (this.table.end <= SLICE) this.removeFrom(1, clear);
    else return this.removeInSlices(clear);
  }

  /** Forgets what is under way: nothing is left to be removed. */
  stop(): void {
    this.underWay.length = 0;
  }

  private async removeInSlices(clear: Clear): Promise<void> {
    this.underWay.push(clear);
    // What is written later carries this clear's number, so the slots there are now are all that matter.
    const { end } = this.table;
    for (let slot = 1; slot < end; slot += SLICE) {
      if (slot > 1) await new Promise((resolve) => void setImmediate(resolve));
      if (!this.underWay.includes(clear)) return;
      this.removeFrom(slot, clear);
    }
    this.underWay.splice(this.underWay.indexOf(clear), 1);
  }

  private removeFrom(begin: number, { prefix, number }: Clear): void {
    const { table } = this;
    const end = Math.min(begin + SLICE, table.end);
    for (let slot = begin; slot < end; slot += 1) {
      const key = table.keyAt(slot);
      if (key !== undefined && table.writtenAt(slot) < number && key.startsWith(prefix)) table.drop(slot);
    }
  }
}
