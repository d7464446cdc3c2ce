import type { Payload } from '../backends/cache-backend.js';
import type { Guard } from './entry.js';
import type { Found } from './payloads.js';
import type { TagMemo } from './tag-memo.js';
import { NO_VERSIONS, type RecordOf, type TagRecord, type TagTable, type TagVersion } from './tags.js';

/** Finds the records that a look needs. */
export class TagReader {
  constructor(
    private readonly tags: TagTable,
    private readonly memo: TagMemo,
  ) {}

  /** The records of tags whose payloads were read, and of those that the entries name besides: read now, all at once. */
  async of<T>(
    held: readonly Found<T>[],
    tags: readonly string[],
    payloads: readonly (Payload | undefined)[],
  ): Promise<RecordOf> {
    const known = new Map<string, TagRecord | undefined>();
    const learn = (tag: string, record: TagRecord | undefined): void => {
      known.set(tag, record);
      this.memo.saw(tag, record);
    };
    tags.forEach((tag, index) => learn(tag, this.tags.decode(payloads[index])));
    const named = held.flatMap((entry) => (typeof entry === 'object' ? tagsOf(entry.guard) : []));
    const missing = [...new Set(named.map(({ tag }) => tag))].filter(
      (tag) => !known.has(tag) && this.memo.find(tag) === undefined,
    );
    if (missing.length > 0) {
      const read = await this.tags.read(missing);
      missing.forEach((tag, index) => learn(tag, read[index]));
    }
    return (tag) => (known.has(tag) ? known.get(tag) : this.memo.find(tag)?.record);
  }
}

function tagsOf(guard: Guard | undefined): readonly TagVersion[] {
  if (guard === undefined) return NO_VERSIONS;
  return guard.lease === undefined ? guard.tags : [...guard.tags, ...guard.lease.tags];
}
