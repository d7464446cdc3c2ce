import { createHash, randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import fs from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InvalidOptionsError } from '../../errors.js';
import { lstatIfThere } from './entry-file.js';
import { failedWith } from './fs-failures.js';

/** Where the entry of a key lies. */
export interface Place {
  readonly key: string;
  /** The name of its fan-out folder: two hexadecimal digits. */
  readonly folder: string;
  /** The name of its file there. */
  readonly name: string;
  /** The whole path of the file. */
  readonly path: string;
}

/** The fan-out folders: as many as two hexadecimal digits can name, as in a git repository. */
export const FOLDER_NAMES: readonly string[] = Array.from({ length: 256 }, (_, index) =>
  index.toString(16).padStart(2, '0'),
);

const ENTRY_NAME = /^[0-9a-f]{62}\.nestcache$/;
const DRAFT_NAME = /^[0-9a-f]{24}\.nesttmp$/;
const PRIVATE_FOLDER = 0o700;
const WRITABLE_BY_ALL = 0o002;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * The tree on disk: `<directory>/<2 hex digits>/<62 hex digits>.nestcache`, both from the SHA-256 of the key. Nothing
 * else that lies there is ours, and nothing else is touched.
 */
export class CacheFolder {
  /** Folders that were found to be ours; the empty name is the directory itself. */
  private readonly trusted = new Set<string>();

  constructor(readonly directory: string) {}

  place(key: string): Place {
    const digest = createHash('sha256').update(key).digest('hex');
    const folder = digest.slice(0, 2);
    const name = `${digest.slice(2)}.nestcache`;
    return { key, folder, name, path: this.pathOf(folder, name) };
  }

  pathOf(folder: string, name: string): string {
    return join(this.directory, folder, name);
  }

  /** A name that nobody can guess; it belongs to one attempt to write. */
  newToken(): string {
    return randomBytes(12).toString('hex');
  }

  /** The folder in which one draft is made. */
  draftPath(folder: string, token: string): string {
    return this.pathOf(folder, `${token}.nesttmp`);
  }

  /** The folder that holds the draft whose turn it is. */
  lockPath(folder: string): string {
    return this.pathOf(folder, 'nestlock');
  }

  /** The names of the entries in a fan-out folder; none if it is not there. */
  entryNames(folder: string): Promise<string[]> {
    return this.names(folder, ENTRY_NAME);
  }

  /** The names of the folders of drafts, which include those that a killed process left. */
  draftNames(folder: string): Promise<string[]> {
    return this.names(folder, DRAFT_NAME);
  }

  /**
   * Whether a fan-out folder is there.
   *
   * @throws InvalidOptionsError if it or the directory is open to others
   */
  async isThere(folder: string): Promise<boolean> {
    if (this.trusted.has(folder)) return true;
    return (await this.trustDirectory()) && (await this.trustFolder(folder));
  }

  /** Makes a fan-out folder and all above it, for our eyes only, whatever the umask of the process. */
  async make(folder: string): Promise<void> {
    if (await this.isThere(folder)) return;
    await makePrivate(this.directory);
    await makePrivate(join(this.directory, folder));
    await this.isThere(folder);
  }

  /** To be called when a folder turns out to have been removed. */
  forget(folder: string): void {
    this.trusted.delete(folder);
    this.trusted.delete('');
  }

  private async names(folder: string, pattern: RegExp): Promise<string[]> {
    if (!(await this.isThere(folder))) return [];
    try {
      return (await fs.readdir(join(this.directory, folder))).filter((name) => pattern.test(name));
    } catch (error) {
      if (!failedWith(error, 'ENOENT')) throw error;
      this.forget(folder);
      return [];
    }
  }

  /** The directory itself may be a link that the operator made; nothing below it may be one. */
  private async trustDirectory(): Promise<boolean> {
    if (this.trusted.has('')) return true;
    let stats: Stats;
    try {
      stats = await fs.stat(this.directory);
    } catch (error) {
      if (failedWith(error, 'ENOENT')) return false;
      throw error;
    }
    if (!stats.isDirectory())
      throw refusal(`${this.directory} is not a folder. Name a folder, or a path where one can be made.`);
    if (!isOwn(stats) && (stats.mode & WRITABLE_BY_ALL) !== 0) {
      throw refusal(
        `${this.directory} belongs to another user and everybody may write to it, so anybody could plant entries. ` +
          'Name a folder below it, which is then made with mode 0700.',
      );
    }
    this.trusted.add('');
    return true;
  }

  private async trustFolder(folder: string): Promise<boolean> {
    const path = join(this.directory, folder);
    const stats = await lstatIfThere(path);
    if (stats === undefined) return false;
    if (!stats.isDirectory())
      throw refusal(`${path} is a link or a file, not a folder of this cache. Remove it.`);
    const ownedByOther = !isOwn(stats) && stats.uid !== 0;
    if (ownedByOther || (stats.mode & WRITABLE_BY_OTHERS) !== 0) {
      throw refusal(
        `${path} belongs to another user, or other users may write to it. Run every process that shares the cache as ` +
          'one user, or remove the folder.',
      );
    }
    this.trusted.add(folder);
    return true;
  }
}

/** Makes a folder and all that is missing above it. What is there already keeps its mode. */
async function makePrivate(path: string): Promise<void> {
  if (await makeOne(path)) return;
  await makePrivate(dirname(path));
  await makeOne(path);
}

/** Answers whether it could: not if the folder above is missing. */
async function makeOne(path: string): Promise<boolean> {
  try {
    await fs.mkdir(path, PRIVATE_FOLDER);
  } catch (error) {
    if (failedWith(error, 'EEXIST')) return true;
    if (failedWith(error, 'ENOENT') && dirname(path) !== path) return false;
    throw error;
  }
  await fs.chmod(path, PRIVATE_FOLDER);
  return true;
}

function isOwn(stats: Stats): boolean {
  const user = process.geteuid?.();
  return user === undefined || stats.uid === user;
}

function refusal(message: string): InvalidOptionsError {
  return new InvalidOptionsError([{ path: 'directory', message }]);
}
