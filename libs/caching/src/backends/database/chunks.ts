import { setImmediate as pause } from 'node:timers/promises';

import type { BackendWrite } from '../cache-backend.js';
import { ALWAYS_FITS } from './payload-limit.js';

// SQLite answers within the call, so a loop of statements alone would not let anybody else run: hence the pauses.

/** Keys in one statement. */
const KEYS = 500;

/** Rows in one statement: with four values each, within the 999 that an old SQLite binds. */
const ROWS = 200;

/** The keys without repetition, in parts for one statement each, sorted so that all statements take locks in one order. */
export async function* chunksOfKeys(keys: readonly string[]): AsyncIterable<string[]> {
  const distinct = [...new Set(keys)].sort();
  for (let start = 0; start < distinct.length; start += KEYS) {
    if (start > 0) await pause();
    yield distinct.slice(start, start + KEYS);
  }
}

/** The last write of every key, in parts for one statement each, sorted likewise; a large payload is alone. */
export async function* chunksOfWrites(writes: readonly BackendWrite[]): AsyncIterable<BackendWrite[]> {
  const last = new Map(writes.map((write) => [write.key, write]));
  let chunk: BackendWrite[] = [];
  let bytes = 0;
  for (const key of [...last.keys()].sort()) {
    const write = last.get(key)!;
    const size = typeof write.payload === 'number' ? 8 : write.payload.byteLength;
    if (chunk.length === ROWS || (chunk.length > 0 && bytes + size > ALWAYS_FITS)) {
      yield chunk;
      await pause();
      chunk = [];
      bytes = 0;
    }
    chunk.push(write);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}
