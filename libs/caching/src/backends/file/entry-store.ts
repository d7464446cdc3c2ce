import type { Payload } from '../cache-backend.js';
import type { CacheFolder, Place } from './cache-folder.js';
import { Draft } from './draft.js';
import {
  isSameFile,
  lstatIfThere,
  readEntry,
  readHead,
  removeFile,
  type DamagedFile,
  type FileIdentity,
  type FoundEntry,
  type FoundHead,
} from './entry-file.js';
import { encodeEntry } from './entry-format.js';
import { failedWith } from './fs-failures.js';
import { Turns } from './turns.js';

/** What a key shall hold from now on. */
export interface NewEntry {
  readonly payload: Payload;
  /** Milliseconds since 1970; infinite if it never expires. */
  readonly expiresAt: number;
}

/** What to do about what a key holds, and what to tell the caller. Without `put` the entry stays as it is. */
export interface Decision<Answer> {
  readonly answer: Answer;
  readonly put?: NewEntry;
}

/** What a change has done. */
export interface Change<Answer> {
  readonly answer: Answer;
  /** Whether there is one file more than before. */
  readonly created: boolean;
}

/** A file that is to go. Without an identity it goes whatever it holds by now. */
export interface Victim {
  readonly path: string;
  readonly identity?: FileIdentity;
}

/** How often a change begins anew after its draft or its folder was removed. */
const ATTEMPTS = 5;
/** Files that are removed in one turn; more would keep others waiting. */
const REMOVALS_PER_TURN = 32;

/**
 * Reads and changes entries on disk. A reader needs no lock: a file is complete when it gets its name, and is never
 * written to again. Every change has its turn in its fan-out folder ({@link Draft}), so that none is lost between another
 * one's look at the entry and its write. Knows nothing of the time.
 */
export class EntryStore {
  private readonly turns = new Turns();

  constructor(
    readonly folder: CacheFolder,
    private readonly checkOpen: () => void,
  ) {}

  async read(place: Place): Promise<FoundEntry | DamagedFile | undefined> {
    if (!(await this.folder.isThere(place.folder))) return undefined;
    return readEntry(place.path, (key) => key === place.key);
  }

  async readHead(place: Place): Promise<FoundHead | DamagedFile | undefined> {
    if (!(await this.folder.isThere(place.folder))) return undefined;
    return readHead(place.path, (key) => key === place.key);
  }

  /** Reads the head of a file that was found in a listing. */
  readListed(folder: string, name: string): Promise<FoundHead | DamagedFile | undefined> {
    return readHead(this.folder.pathOf(folder, name), (key) => {
      const place = this.folder.place(key);
      return place.folder === folder && place.name === name;
    });
  }

  /** Writes an entry, whatever was there. Answers whether there is one file more. */
  put(place: Place, entry: NewEntry): Promise<boolean> {
    return this.withDraft(place.folder, async (draft) => {
      const [existing] = await Promise.all([
        lstatIfThere(place.path),
        draft.write(encodeEntry(place.key, entry.payload, entry.expiresAt)),
      ]);
      await draft.awaitTurn(this.checkOpen);
      await draft.commit(place.path);
      return existing === undefined;
    });
  }

  /**
   * Changes an entry in one step for every process. `decide` gets what the key holds, and is asked once more in its turn
   * if it wants to write.
   */
  async change<Answer>(
    place: Place,
    decide: (found: FoundEntry | undefined) => Decision<Answer>,
  ): Promise<Change<Answer>> {
    const early = decide(whole(await this.read(place)));
    if (early.put === undefined) return { answer: early.answer, created: false };
    return this.withDraft(place.folder, async (draft) => {
      await draft.awaitTurn(this.checkOpen);
      const found = await this.read(place);
      const { answer, put } = decide(whole(found));
      if (put === undefined) return { answer, created: false };
      await draft.write(encodeEntry(place.key, put.payload, put.expiresAt));
      await draft.commit(place.path);
      return { answer, created: found === undefined };
    });
  }

  /** Removes an entry if it is wanted so, in one step for every process. Answers whether it did. */
  async take(place: Place, isWanted: (found: FoundEntry | undefined) => boolean): Promise<boolean> {
    if (!isWanted(whole(await this.read(place)))) return false;
    return this.withDraft(place.folder, async (draft) => {
      await draft.awaitTurn(this.checkOpen);
      if (!isWanted(whole(await this.read(place)))) return false;
      return removeFile(place.path);
    });
  }

  /** Removes files of one folder; answers how many were removed. */
  async remove(folder: string, victims: readonly Victim[]): Promise<number> {
    let removed = 0;
    for (let start = 0; start < victims.length; start += REMOVALS_PER_TURN) {
      const batch = victims.slice(start, start + REMOVALS_PER_TURN);
      removed += await this.withDraft(folder, async (draft) => {
        await draft.awaitTurn(this.checkOpen);
        return removeAll(batch);
      });
    }
    return removed;
  }

  /** {@link remove} for one file, unless another process is writing in that folder. */
  removeIfIdle(folder: string, victim: Victim): Promise<number> {
    return this.withDraft(folder, async (draft) => ((await draft.takeTurn()) ? removeAll([victim]) : 0));
  }

  /**
   * Works with a draft, in the order of the calls in this process. Begins anew where the folder or the draft was removed
   * behind our back.
   */
  private withDraft<T>(folder: string, work: (draft: Draft) => Promise<T>): Promise<T> {
    return this.turns.take(folder, async () => {
      for (let attempt = 1; ; attempt += 1) {
        this.checkOpen();
        try {
          return await this.oneDraft(folder, work);
        } catch (error) {
          if (!failedWith(error, 'ENOENT') || attempt === ATTEMPTS) throw error;
          this.folder.forget(folder);
        }
      }
    });
  }

  private async oneDraft<T>(folder: string, work: (draft: Draft) => Promise<T>): Promise<T> {
    await this.folder.make(folder);
    const draft = await Draft.open(this.folder, folder);
    try {
      return await work(draft);
    } finally {
      await draft.end();
    }
  }
}

async function removeAll(victims: readonly Victim[]): Promise<number> {
  let removed = 0;
  for (const { path, identity } of victims) {
    if (identity !== undefined && !(await isSameFile(path, identity))) continue;
    if (await removeFile(path)) removed += 1;
  }
  return removed;
}

function whole(found: FoundEntry | DamagedFile | undefined): FoundEntry | undefined {
  return found === undefined || found.damaged ? undefined : found;
}
