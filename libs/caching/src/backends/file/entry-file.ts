import { constants, type Stats } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import type { Payload } from '../cache-backend.js';
import { decodeHead, decodePayload, HEAD_AND_KEY_BYTES, type EntryHead } from './entry-format.js';
import { failedWith } from './fs-failures.js';

/** Tells a file from another one that took its name. */
export interface FileIdentity {
  readonly inode: number;
  readonly modifiedMs: number;
  readonly bytes: number;
}

/** A file that bears the name of an entry and is none: torn, cut off, altered, of another version, or a link. */
export interface DamagedFile {
  readonly damaged: true;
  readonly identity: FileIdentity;
}

/** What an entry's file says without its payload. */
export interface FoundHead {
  readonly damaged: false;
  readonly key: string;
  readonly expiresAt: number;
  readonly identity: FileIdentity;
}

/** A whole entry. */
export interface FoundEntry extends FoundHead {
  readonly payload: Payload;
}

/** Links are not followed; on a pipe that somebody planted, opening does not wait. */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** Files up to this size are read in one go, larger ones only once their head has been found good. */
const ONE_GO_BYTES = 65_536;

/**
 * A whole entry, or `undefined` if there is none.
 *
 * @param belongs whether the key in the file is one that the file's name stands for
 */
export function readEntry(
  path: string,
  belongs: (key: string) => boolean,
): Promise<FoundEntry | DamagedFile | undefined> {
  return inspect(path, async (handle, identity) => {
    const startBytes = identity.bytes <= ONE_GO_BYTES ? identity.bytes : HEAD_AND_KEY_BYTES;
    const start = await readBytes(handle, startBytes);
    const head = acceptHead(start, identity, belongs);
    if (head === undefined) return { damaged: true, identity };
    const file = startBytes === identity.bytes ? start : await readBytes(handle, identity.bytes);
    const payload = decodePayload(file, head);
    if (payload === undefined) return { damaged: true, identity };
    return { damaged: false, key: head.key, expiresAt: head.expiresAt, identity, payload };
  });
}

/** {@link readEntry} without the payload, whose bytes may be damaged unnoticed; its length is checked. */
export function readHead(
  path: string,
  belongs: (key: string) => boolean,
): Promise<FoundHead | DamagedFile | undefined> {
  return inspect(path, async (handle, identity) => {
    const start = await readBytes(handle, Math.min(identity.bytes, HEAD_AND_KEY_BYTES));
    const head = acceptHead(start, identity, belongs);
    if (head === undefined) return { damaged: true, identity };
    return { damaged: false, key: head.key, expiresAt: head.expiresAt, identity };
  });
}

/** Whether the name still stands for the same file. */
export async function isSameFile(path: string, identity: FileIdentity): Promise<boolean> {
  const stats = await lstatIfThere(path);
  if (stats === undefined) return false;
  return (
    stats.ino === identity.inode && stats.mtimeMs === identity.modifiedMs && stats.size === identity.bytes
  );
}

/** What lies under a name, links not followed; `undefined` if nothing does. */
export async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await fs.lstat(path);
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Removes a file; answers whether it was there. */
export async function removeFile(path: string): Promise<boolean> {
  try {
    await fs.unlink(path);
    return true;
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return false;
    throw error;
  }
}

async function inspect<T>(
  path: string,
  read: (handle: FileHandle, identity: FileIdentity) => Promise<T>,
): Promise<T | DamagedFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await fs.open(path, READ);
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined;
    if (!failedWith(error, 'ELOOP')) throw error;
    const link = await lstatIfThere(path);
    return link === undefined ? undefined : { damaged: true, identity: identityOf(link) };
  }
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) return undefined;
    return stats.isFile()
      ? await read(handle, identityOf(stats))
      : { damaged: true, identity: identityOf(stats) };
  } finally {
    await handle.close();
  }
}

function acceptHead(
  start: Buffer,
  identity: FileIdentity,
  belongs: (key: string) => boolean,
): EntryHead | undefined {
  const head = decodeHead(start, identity.bytes);
  return head !== undefined && belongs(head.key) ? head : undefined;
}

/** Memory of its own, not of the shared pool: the payload handed out is a view of it. */
async function readBytes(handle: FileHandle, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await handle.read(buffer, filled, bytes - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

function identityOf(stats: Stats): FileIdentity {
  return { inode: stats.ino, modifiedMs: stats.mtimeMs, bytes: stats.size };
}
