import type { Sight } from './entries.js';
import type { Dependencies } from './tag-scope.js';
import { NO_TAGS, NO_VERSIONS } from './tags.js';

/** What a load has come to. */
export interface Landing<T> extends Dependencies {
  /** What was loaded; `undefined` when the factory had nothing. */
  readonly content: T | number | undefined;
  readonly createdAt: number;
  /** From this stamp on, callers must not be given it: an invalidation came during the load. */
  readonly outdatedFrom: number | undefined;
  /**
   * When it was last compared with what lies in the store, in the loader's order: it says nothing to callers who looked
   * later.
   */
  readonly seenAt: number;
  /** Milliseconds that it stays fresh, `null` for ever; 0 for what is not stored. */
  readonly ttlMs: number | null;
}

/** That of a load which has made and stored nothing. */
export const NOTHING: Landing<never> = {
  content: undefined,
  createdAt: 0,
  outdatedFrom: undefined,
  seenAt: Infinity,
  tags: NO_VERSIONS,
  names: NO_TAGS,
  ttlMs: 0,
};

/** That of a load which another process has made meanwhile. */
export function landingOf<T>({ held }: Sight<T>, seenAt: number): Landing<T> {
  if (typeof held !== 'object') return { ...NOTHING, content: held, seenAt };
  const tags = held.guard?.tags ?? NO_VERSIONS;
  return { ...NOTHING, content: held.value, createdAt: held.createdAt, tags, seenAt };
}
