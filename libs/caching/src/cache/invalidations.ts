import type { Entries } from './entries.js';
import type { FailurePolicy } from './failure-policy.js';
import { changeOf } from './journal.js';

/** What makes many entries absent at once, at constant cost: tags, and the epoch of the whole cache. */
export class Invalidations {
  constructor(
    private readonly entries: Entries,
    private readonly policy: FailurePolicy,
  ) {}

  /** Makes the entries with any of these tags absent, or stale if soft: from now on, for everybody. */
  async invalidateTags(tags: readonly string[], isSoft: boolean): Promise<void> {
    await this.change(tags, isSoft, () => this.raise(tags, isSoft));
  }

  /**
   * As {@link invalidateTags}, for tags that probably no entry has: it costs one round trip where there is no record of any.
   * Only for tags that are known before a load begins. Their records are made beforehand, so a load that a missing record
   * does not tell of has yet to begin; a tag that is learned late may have its record made after this look.
   */
  async invalidateTagsInUse(tags: readonly string[], isSoft: boolean): Promise<void> {
    await this.change(tags, isSoft, async () => {
      const { recordOf } = await this.entries.readTags(tags);
      const inUse = tags.filter((tag) => recordOf(tag) !== undefined);
      if (inUse.length > 0) await this.raise(inUse, isSoft);
    });
  }

  /** Empties the cache. */
  async clear(): Promise<void> {
    const { journal } = this.entries;
    const at = this.entries.now();
    const redo = async () => {
      const { epoch } = await this.entries.stamps.load();
      if (epoch <= at * 1000) await this.entries.clear();
    };
    await this.policy.write(
      'clear',
      () => this.entries.clear(),
      undefined,
      () => journal.remember(changeOf.all, { redo, isRemoval: false, size: 0, at }),
    );
    if (!journal.isEmpty) journal.forget(changeOf.all);
  }

  /** Makes a change to tags; one that fails is remembered. */
  private async change(tags: readonly string[], isSoft: boolean, call: () => Promise<void>): Promise<void> {
    if (tags.length === 0) return;
    const { journal } = this.entries;
    const at = this.entries.now();
    const nameOf = isSoft ? changeOf.softTag : changeOf.tag;
    const missed = (): void => {
      for (const tag of tags) {
        const redo = () => this.raise([tag], isSoft);
        journal.remember(nameOf(tag), { redo, isRemoval: false, size: tag.length, at });
      }
    };
    await this.policy.write('invalidateTags', call, undefined, missed);
    if (journal.isEmpty) return;
    for (const tag of tags) {
      journal.forget(changeOf.softTag(tag));
      if (!isSoft) journal.forget(changeOf.tag(tag));
    }
  }

  private async raise(tags: readonly string[], isSoft: boolean): Promise<void> {
    const { stamps, memo, backend } = this.entries;
    const stamp = await stamps.take();
    await this.entries.tags.raise(tags, stamp, isSoft);
    // A copy of the store that was made before the tags were raised must look older than what everybody has seen. Raising
    // them first instead would let a record that is lost meanwhile be made anew under a stamp that entries already have.
    if (backend.capabilities.shared) await stamps.take();
    memo.forget();
  }
}
