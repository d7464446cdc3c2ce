import type { Entries } from './entries.js';
import type { TagVersion } from './tags.js';
import { isWithheld } from './withheld-tags.js';

/** The tags that a result depends on, and whether it may be stored. */
export interface TagVerdict {
  readonly versions: readonly TagVersion[];
  /**
   * If an invalidation came during the load: the stamp from which on callers must not have the result. Records tell the
   * last invalidation and not the first, so that is the first stamp after the load began.
   */
  readonly outdatedFrom: number | undefined;
}

/**
 * What one load depends on. Tags that are known beforehand keep the versions that they had before the load began. A tag
 * that is learned late, from the result, is accepted only if it was not invalidated since: if its version is not above
 * the cache's stamp at the beginning of the load.
 */
export class TagDependencies {
  private readonly learned = new Set<string>();
  private readonly inherited = new Map<string, TagVersion>();

  constructor(
    private readonly entries: Entries,
    private readonly stamp: number,
    readonly known: readonly TagVersion[],
  ) {}

  /** The first stamp of which the load cannot know. */
  get doubtFrom(): number {
    return this.stamp + 1;
  }

  /** All of them by name. */
  get names(): readonly string[] {
    return [...new Set([...this.known.map(({ tag }) => tag), ...this.inherited.keys(), ...this.learned])];
  }

  learn(tags: readonly string[]): void {
    for (const tag of tags) this.learned.add(tag);
  }

  /** Takes over the versions of something inside; of two versions the older one counts. */
  inherit(versions: readonly TagVersion[]): void {
    for (const version of versions) {
      const other = this.inherited.get(version.tag);
      if (other === undefined || version.hard < other.hard || version.soft < other.soft)
        this.inherited.set(version.tag, version);
    }
  }

  /** Compares with the records as they are now. */
  async settle(): Promise<TagVerdict> {
    const fixed = new Map(this.inherited);
    for (const version of this.known) if (!fixed.has(version.tag)) fixed.set(version.tag, version);
    const late = [...this.learned].filter((tag) => !fixed.has(tag));
    if (fixed.size === 0 && late.length === 0) return { versions: [], outdatedFrom: undefined };

    const { stamp, recordOf } = await this.entries.readTags([...fixed.keys(), ...late]);
    const versions = [...fixed.values()];
    let isOutdated = versions.some(({ tag, hard, soft }) => {
      const record = recordOf(tag);
      return record?.hard !== hard || record.soft !== soft || isWithheld(tag);
    });
    const missing = late.filter((tag) => recordOf(tag) === undefined);
    const created = missing.length === 0 ? [] : await this.entries.tags.create(missing, stamp);
    for (const tag of late) {
      const record = recordOf(tag) ?? created[missing.indexOf(tag)];
      if (record === undefined) continue;
      const { hard, soft } = record;
      isOutdated ||= Math.max(hard, soft) > this.stamp || isWithheld(tag);
      versions.push({ tag, hard, soft });
    }
    return { versions, outdatedFrom: isOutdated ? this.doubtFrom : undefined };
  }
}
