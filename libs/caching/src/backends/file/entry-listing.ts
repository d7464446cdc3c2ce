import { FOLDER_NAMES } from './cache-folder.js';
import { removeDraft } from './draft.js';
import type { EntryBound } from './entry-bound.js';
import { lstatIfThere, type DamagedFile, type FoundHead } from './entry-file.js';
import type { EntryStore, Victim } from './entry-store.js';
import { inParallel } from './in-parallel.js';

interface ListedFile {
  readonly path: string;
  readonly found: FoundHead | DamagedFile;
}

const READS_AT_ONCE = 4;
/** What a killed process left is removed after this time, in milliseconds. */
const LEFTOVER_MS = 3_600_000;

/**
 * What has to look at every entry: listing, clearing, sweeping. It goes folder by folder and yields to the event loop with
 * every file, so it never holds the process up.
 */
export class EntryListing {
  constructor(
    private readonly store: EntryStore,
    private readonly bound: EntryBound,
    private readonly now: () => number,
    /** Throws when there is no sense in going on; asked once per folder. */
    private readonly checkOpen: () => void,
  ) {}

  /** The keys of live entries that begin with the prefix. */
  async *keys(prefix: string): AsyncGenerator<string> {
    for await (const { files } of this.folders()) {
      for (const { found } of files) {
        if (!found.damaged && this.now() < found.expiresAt && found.key.startsWith(prefix)) yield found.key;
      }
    }
  }

  /** Removes the entries whose keys begin with the prefix, and damaged ones, whose keys nobody knows. */
  async clear(prefix: string): Promise<void> {
    for await (const { folder, files } of this.folders()) {
      const victims = files.flatMap(({ path, found }): Victim[] => {
        if (found.damaged) return [{ path, identity: found.identity }];
        // Whatever it holds by now: an increment in between must not save a counter from the clear.
        return found.key.startsWith(prefix) ? [{ path }] : [];
      });
      await this.remove(folder, victims);
    }
  }

  /** Removes what is expired or damaged, and what killed processes left; answers how many entries went. */
  async prune(): Promise<number> {
    let removed = 0;
    for await (const { folder, files } of this.folders()) {
      const victims = files
        .filter(({ found }) => found.damaged || this.now() >= found.expiresAt)
        .map(({ path, found }) => ({ path, identity: found.identity }));
      removed += await this.remove(folder, victims);
      await this.removeLeftovers(folder);
    }
    return removed;
  }

  private async *folders(): AsyncGenerator<{ folder: string; files: ListedFile[] }> {
    for (const folder of FOLDER_NAMES) {
      this.checkOpen();
      const names = await this.bound.count(folder);
      const files = await inParallel(names, READS_AT_ONCE, async (name) => {
        const found = await this.store.readListed(folder, name);
        return found === undefined ? undefined : { path: this.store.folder.pathOf(folder, name), found };
      });
      yield { folder, files: files.filter((file) => file !== undefined) };
    }
  }

  private async remove(folder: string, victims: readonly Victim[]): Promise<number> {
    const removed = await this.store.remove(folder, victims);
    this.bound.removed(folder, removed);
    return removed;
  }

  private async removeLeftovers(folder: string): Promise<void> {
    for (const name of await this.store.folder.draftNames(folder)) {
      const path = this.store.folder.pathOf(folder, name);
      const stats = await lstatIfThere(path);
      if (stats !== undefined && this.now() - stats.mtimeMs > LEFTOVER_MS) await removeDraft(path);
    }
  }
}
