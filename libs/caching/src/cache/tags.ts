import type { Awaitable, Payload } from '../backends/cache-backend.js';
import { InvalidArgumentError } from '../errors.js';

/** What is known of a tag: the stamps of its last invalidations. */
export interface TagRecord {
  /** Entries that were stored under another hard stamp are absent. */
  readonly hard: number;
  /** Entries that were stored under another soft stamp are stale. */
  readonly soft: number;
  /** How long the record is kept after its last use, in milliseconds; outlives every entry stored with it. */
  readonly lifeMs: number | null;
}

/** The version of a tag that an entry was stored with. */
export interface TagVersion extends Pick<TagRecord, 'hard' | 'soft'> {
  readonly tag: string;
}

/** How the tags of an entry stand. */
export type TagState = 'current' | 'soft' | 'hard';

/** Looks a record up in what was read. */
export type RecordOf = (tag: string) => TagRecord | undefined;

/** Where the records of tags are: in the backend for everybody, or in this process where nobody else writes. */
export interface TagTable {
  /** The records, in the order of the tags; `undefined` where there is none. */
  read(tags: readonly string[]): Awaitable<readonly (TagRecord | undefined)[]>;
  /** The record of a tag, if it is in this process. */
  readonly peek: RecordOf;
  /** The payload of {@link recordKey}, read together with an entry. */
  decode(payload: Payload | undefined): TagRecord | undefined;
  /** The key of a tag's record; `undefined` if records are not in the backend. */
  recordKey(tag: string): string | undefined;
  /** Makes the records that are missing, under this stamp; answers what is there afterwards. */
  create(tags: readonly string[], stamp: number): Awaitable<readonly TagRecord[]>;
  /** Raises the stamps; never lowers one. Makes records that are missing. */
  raise(tags: readonly string[], stamp: number, isSoft: boolean): Awaitable<void>;
  /** Sees to it that the records outlive an entry. */
  keep(tags: readonly string[], lifeMs: number | null): Awaitable<void>;
}

/** The most tags of one entry. */
export const MAX_TAGS = 1000;
const MAX_TAG_LENGTH = 1000;

/** How the versions that an entry was stored with stand against the records. */
export function judgeTags(versions: readonly TagVersion[], recordOf: RecordOf): TagState {
  let state: TagState = 'current';
  for (const { tag, hard, soft } of versions) {
    const record = recordOf(tag);
    if (record === undefined || record.hard !== hard) return 'hard';
    if (record.soft !== soft) state = 'soft';
  }
  return state;
}

/**
 * The tags that a caller gives, each once.
 *
 * @throws InvalidArgumentError unless they are a list of text, at most {@link MAX_TAGS}, each of 1 to 1,000 characters
 */
export function checkedTags(tags: readonly string[] | undefined): readonly string[] {
  if (tags === undefined) return NO_TAGS;
  const isList =
    Array.isArray(tags) &&
    tags.every((tag) => typeof tag === 'string' && tag !== '' && tag.length <= MAX_TAG_LENGTH);
  const unique = isList ? [...new Set<string>(tags)] : [];
  if (!isList || unique.length > MAX_TAGS) {
    throw new InvalidArgumentError(
      `Tags are a list of at most ${MAX_TAGS} texts of 1 to ${MAX_TAG_LENGTH} characters: ['products', 'product:42'].`,
    );
  }
  return unique;
}

export const NO_TAGS: readonly string[] = [];
export const NO_VERSIONS: readonly TagVersion[] = [];
