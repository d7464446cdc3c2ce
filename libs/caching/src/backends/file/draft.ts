import { constants } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import type { CacheFolder } from './cache-folder.js';
import { lstatIfThere, removeFile } from './entry-file.js';
import { failedWith } from './fs-failures.js';

/** How long a turn is respected, in milliseconds; it lasts for a few calls to the file system. */
const LEASE_MS = 1000;
/** How long a writer waits for its turn, in milliseconds. */
const PATIENCE_MS = 10_000;
/** The longest pause between two tries, in milliseconds. */
const MAX_PAUSE_MS = 12;

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0);
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/**
 * A file in the making, and the right to change entries of its fan-out folder, which one writer at a time has, in all
 * processes on the machine.
 *
 * The draft is made in a folder of its own. Its turn has come when that folder could be renamed to `nestlock`, which the
 * system does only if nothing of that name is there, or an empty folder. It ends when the draft leaves `nestlock`:
 * by becoming the entry, which writes and ends the turn in one step, or by being removed.
 *
 * A process that was killed leaves its draft in `nestlock`. Who has seen the same draft there for {@link LEASE_MS}
 * removes it, whether its writer is dead or only slow: a slow one finds it gone when it wants to commit, and begins anew.
 * A draft's name is never used twice, so neither can end the turn of a third. All this goes by real time whatever clock
 * the cache has, because the other processes do.
 */
export class Draft {
  private hasTurn = false;
  private isOver = false;

  private constructor(
    private readonly lock: string,
    private readonly token: string,
    private readonly home: string,
    private readonly handle: FileHandle,
  ) {}

  /** Makes an empty draft in a folder that is there. */
  static async open(folder: CacheFolder, name: string): Promise<Draft> {
    const token = folder.newToken();
    const home = folder.draftPath(name, token);
    await fs.mkdir(home, PRIVATE_FOLDER);
    const handle = await fs.open(join(home, token), CREATE, PRIVATE_FILE);
    return new Draft(folder.lockPath(name), token, home, handle);
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) await this.handle.writeFile(piece);
  }

  /**
   * Waits for the turn.
   *
   * @param checkOpen throws when waiting has become pointless
   * @throws Error with the code `EBUSY` when other writers have had it for 10 s
   */
  async awaitTurn(checkOpen: () => void): Promise<void> {
    const begun = performance.now();
    let seen: string | undefined;
    let seenAt = begun;
    for (let tries = 1; !(await this.takeTurn()); tries += 1) {
      const other = await this.holder();
      if (other === undefined) continue;
      const now = performance.now();
      if (other !== seen) [seen, seenAt] = [other, now];
      if (now - seenAt >= LEASE_MS || (await this.isAbandoned())) await removeFile(join(this.lock, other));
      else if (now - begun < PATIENCE_MS) await delay(1 + Math.random() * Math.min(tries, MAX_PAUSE_MS));
      else throw busy(this.lock);
      checkOpen();
    }
  }

  /** Takes the turn if nobody has it; answers whether it did. */
  async takeTurn(): Promise<boolean> {
    try {
      await fs.rename(this.home, this.lock);
    } catch (error) {
      if (failedWith(error, 'ENOTEMPTY', 'EEXIST')) return false;
      throw error;
    }
    this.hasTurn = true;
    return true;
  }

  /**
   * Makes the draft the entry and ends the turn.
   *
   * @throws Error with the code `ENOENT` if the turn was taken away; nothing has happened then
   */
  async commit(path: string): Promise<void> {
    await fs.rename(join(this.lock, this.token), path);
    this.isOver = true;
  }

  /** Must be called in the end; ends the turn and removes the draft if it was not committed. */
  async end(): Promise<void> {
    await this.handle.close();
    if (this.isOver) return;
    this.isOver = true;
    if (this.hasTurn) await removeFile(join(this.lock, this.token));
    else await removeDraft(this.home);
  }

  private async holder(): Promise<string | undefined> {
    try {
      return (await fs.readdir(this.lock))[0];
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  /** What a process left that was killed a while ago is removed at once. */
  private async isAbandoned(): Promise<boolean> {
    const stats = await lstatIfThere(this.lock);
    return stats !== undefined && Date.now() - stats.ctimeMs >= LEASE_MS;
  }
}

/** Removes a draft that nobody will commit, with its folder. */
export function removeDraft(home: string): Promise<void> {
  return fs.rm(home, { recursive: true, force: true });
}

function busy(path: string): Error {
  const message = `Other writers have held ${path} for ${PATIENCE_MS} ms. Is the disk overloaded?`;
  return Object.assign(new Error(message), { code: 'EBUSY' });
}
