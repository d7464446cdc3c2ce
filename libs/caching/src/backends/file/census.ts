import { FOLDER_NAMES } from './cache-folder.js';

/** A full round of counts takes this part of `maxEntries` in new entries. */
const ROUNDS_PER_FILLING = 32;
/** The most folders that are counted for one new entry; more would cost more than a small bound is worth. */
const MAX_PER_ENTRY = 4;
/** The same in the first round, when nothing is known yet. */
const FIRST_PER_ENTRY = 16;

/**
 * How many entries there are, without a listing of them all: the counts of the fan-out folders as last seen, corrected
 * by what this process has done since. With each new entry a part of a folder's turn to be counted anew comes up, which
 * shows what other processes have done; on average 32 names at most are listed per new entry, however many there are.
 */
export class Census {
  private readonly counts = new Map<string, number>();
  private sum = 0;
  private readonly first = Math.floor(Math.random() * FOLDER_NAMES.length);
  private next = this.first;
  private credit = 0;
  private readonly perEntry: number;

  constructor(maxEntries: number) {
    this.perEntry = Math.min((FOLDER_NAMES.length * ROUNDS_PER_FILLING) / maxEntries, MAX_PER_ENTRY);
  }

  /** The estimate. */
  get total(): number {
    return this.sum;
  }

  /** Corrects the count of a folder by what was added or removed. */
  changed(folder: string, by: number): void {
    this.counted(folder, Math.max((this.counts.get(folder) ?? 0) + by, 0));
  }

  /** Takes down what a listing has shown. */
  counted(folder: string, entries: number): void {
    this.sum += entries - (this.counts.get(folder) ?? 0);
    this.counts.set(folder, entries);
  }

  /** The folders whose turn to be counted has come with one new entry. */
  due(): string[] {
    const isFirstRound = this.next - this.first < FOLDER_NAMES.length;
    this.credit += isFirstRound ? FIRST_PER_ENTRY : this.perEntry;
    const folders: string[] = [];
    for (; this.credit >= 1; this.credit -= 1) folders.push(this.advance());
    return folders;
  }

  /** Folders that held something when last seen, from a random one on. */
  *occupied(): Generator<string> {
    const start = Math.floor(Math.random() * FOLDER_NAMES.length);
    for (let step = 0; step < FOLDER_NAMES.length; step += 1) {
      const folder = folderAt(start + step);
      if ((this.counts.get(folder) ?? 0) > 0) yield folder;
    }
  }

  private advance(): string {
    const folder = folderAt(this.next);
    this.next += 1;
    return folder;
  }
}

function folderAt(index: number): string {
  return FOLDER_NAMES[index % FOLDER_NAMES.length]!;
}
