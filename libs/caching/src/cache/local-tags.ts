import type { TagRecord, TagTable } from './tags.js';

/** The most tags of which a process remembers records. One that is forgotten makes its entries absent. */
const MAX_RECORDS = 100_000;

/** The records of tags where nobody else writes to the store: in this process, the least recently changed go first. */
export class LocalTags implements TagTable {
  private readonly records = new Map<string, TagRecord>();

  readonly peek = (tag: string): TagRecord | undefined => this.records.get(tag);

  read(tags: readonly string[]): readonly (TagRecord | undefined)[] {
    return tags.map((tag) => this.records.get(tag));
  }

  decode(): undefined {
    return undefined;
  }

  recordKey(): undefined {
    return undefined;
  }

  create(tags: readonly string[], stamp: number): readonly TagRecord[] {
    return tags.map(
      (tag) => this.records.get(tag) ?? this.put(tag, { hard: stamp, soft: stamp, lifeMs: null }),
    );
  }

  raise(tags: readonly string[], stamp: number, isSoft: boolean): void {
    for (const tag of tags) {
      const record = this.records.get(tag) ?? { hard: stamp, soft: stamp, lifeMs: null };
      this.put(tag, isSoft ? { ...record, soft: stamp } : { ...record, hard: stamp });
    }
  }

  keep(): void {
    // Records of this process have no life.
  }

  private put(tag: string, record: TagRecord): TagRecord {
    this.records.delete(tag);
    this.records.set(tag, record);
    if (this.records.size > MAX_RECORDS) {
      const [oldest] = this.records.keys();
      if (oldest !== undefined) this.records.delete(oldest);
    }
    return record;
  }
}
