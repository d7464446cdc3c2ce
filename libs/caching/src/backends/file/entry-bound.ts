import { Census } from './census.js';
import type { Place } from './cache-folder.js';
import type { FileIdentity } from './entry-file.js';
import type { EntryStore } from './entry-store.js';
import { inParallel } from './in-parallel.js';

interface Candidate {
  readonly folder: string;
  readonly path: string;
  readonly identity: FileIdentity;
  readonly isExpired: boolean;
}

/** Files that are looked at when there is one new entry too many. */
const SAMPLE = 20;
/** The most live entries that make room at a time; they are the older half of a full sample. */
const MAX_LIVE_VICTIMS = SAMPLE / 2;
/** Room is made in advance for this part of `maxEntries`, so that not every new entry has to. */
const AHEAD = 100;
const READS_AT_ONCE = 4;

/**
 * Holds the cache to `maxEntries`. The work for a new entry is bounded: about {@link SAMPLE} files are looked at. Of
 * these the expired ones go first, then those written longest ago. Several processes find each other's entries by
 * counting the folders in turn, so together they may pass the bound by about 3 %, or 64 entries if that is more, for
 * each further process; the next new entries make up for it.
 */
export class EntryBound {
  private readonly census: Census;
  private culling: Promise<void> = Promise.resolve();

  constructor(
    private readonly maxEntries: number,
    private readonly store: EntryStore,
    private readonly now: () => number,
  ) {
    this.census = new Census(maxEntries);
  }

  /** A new entry was written: makes room if there are too many. */
  async created(place: Place): Promise<void> {
    this.census.changed(place.folder, 1);
    await inParallel(this.census.due(), READS_AT_ONCE, (folder) => this.count(folder));
    if (this.census.total <= this.maxEntries) return;
    const culled = this.culling.then(() => this.cull(place));
    this.culling = culled.catch(() => undefined);
    await culled;
  }

  /** So many files of a folder were removed. */
  removed(folder: string, files: number): void {
    if (files > 0) this.census.changed(folder, -files);
  }

  /** The names of the entries in a folder, taken down by the census. */
  async count(folder: string): Promise<string[]> {
    const names = await this.store.folder.entryNames(folder);
    this.census.counted(folder, names.length);
    return names;
  }

  private async cull(newest: Place): Promise<void> {
    const excess = this.census.total - this.maxEntries;
    if (excess <= 0) return;
    const ahead = Math.min(Math.floor(this.maxEntries / AHEAD), MAX_LIVE_VICTIMS);
    const wanted = Math.min(excess + ahead, MAX_LIVE_VICTIMS);
    const victims = chooseVictims(await this.sample(newest, wanted), wanted);
    const folders = [...new Set(victims.map((victim) => victim.folder))];
    await inParallel(folders, READS_AT_ONCE, async (folder) => {
      const inFolder = victims.filter((victim) => victim.folder === folder);
      this.removed(folder, await this.store.remove(folder, inFolder));
    });
  }

  /** Entries to choose from: of the folder of the new one, then of others, until there are enough. */
  private async sample(newest: Place, wanted: number): Promise<Candidate[]> {
    const candidates = await this.sampleFolder(newest.folder, newest, SAMPLE);
    const others = [...this.census.occupied()].filter((folder) => folder !== newest.folder).slice(0, SAMPLE);
    for (let start = 0; start < others.length; start += READS_AT_ONCE) {
      const missing = SAMPLE - candidates.length;
      const expired = candidates.filter((candidate) => candidate.isExpired).length;
      if (missing <= 0 || expired >= wanted) break;
      const folders = others.slice(start, start + READS_AT_ONCE);
      const share = Math.ceil(missing / READS_AT_ONCE);
      const found = await inParallel(folders, READS_AT_ONCE, (folder) =>
        this.sampleFolder(folder, newest, share),
      );
      candidates.push(...found.flat());
    }
    return candidates;
  }

  private async sampleFolder(folder: string, newest: Place, limit: number): Promise<Candidate[]> {
    const names = (await this.count(folder)).filter(
      (name) => folder !== newest.folder || name !== newest.name,
    );
    const found = await inParallel(runFrom(names, limit), READS_AT_ONCE, (name) => this.look(folder, name));
    return found.filter((candidate) => candidate !== undefined);
  }

  private async look(folder: string, name: string): Promise<Candidate | undefined> {
    const found = await this.store.readListed(folder, name);
    if (found === undefined) return undefined;
    return {
      folder,
      path: this.store.folder.pathOf(folder, name),
      identity: found.identity,
      isExpired: found.damaged || this.now() >= found.expiresAt,
    };
  }
}

function chooseVictims(candidates: readonly Candidate[], wanted: number): Candidate[] {
  const expired = candidates.filter((candidate) => candidate.isExpired);
  const oldestFirst = candidates
    .filter((candidate) => !candidate.isExpired)
    .sort((a, b) => a.identity.modifiedMs - b.identity.modifiedMs);
  return [...expired, ...oldestFirst.slice(0, Math.max(wanted - expired.length, 0))];
}

/** So many items from a random one on. */
function runFrom<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  const start = Math.floor(Math.random() * items.length);
  return Array.from({ length: count }, (_, step) => items[(start + step) % items.length]!);
}
