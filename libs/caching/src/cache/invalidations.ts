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
    if (tags.length === 0) return;
    const { journal } = this.entries;
    const at = this.entries.now();
    const missed = (): void => {
      for (const tag of tags) {
        const redo = async () => {
          await this.policy.demand('replay', () => this.raise([tag], isSoft));
        };
        journal.remember(changeOf.tag(tag), { redo, size: tag.length, at });
      }
    };
    const raise = () => this.raise(tags, isSoft);
    await this.policy.write('invalidateTags', raise, undefined, missed);
    if (!journal.isEmpty) for (const tag of tags) journal.forget(changeOf.tag(tag));
  }

  /** Empties the cache. */
  async clear(): Promise<void> {
    const { journal } = this.entries;
    const at = this.entries.now();
    const redo = async () => {
      await this.policy.demand('replay', async () => {
        const { epoch } = await this.entries.stamps.load();
        if (epoch <= at * 1000) await this.entries.clear();
      });
    };
    await this.policy.write(
      'clear',
      () => this.entries.clear(),
      undefined,
      () => journal.remember(changeOf.all, { redo, size: 0, at }),
    );
    if (!journal.isEmpty) journal.forget(changeOf.all);
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
