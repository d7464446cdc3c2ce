import type { CompleteBackend, Payload } from '../backends/cache-backend.js';
import type { Clock } from '../clock.js';
import type { KeySpace } from './keys.js';
import type { TagRecord, TagTable } from './tags.js';

const RECORD_BYTES = 24;
/** How long a record is kept after its last use if no entry needs it longer. */
const RECORD_LIFE_MS = 30 * 86_400_000;
/** So long after a record's life was prolonged it is not prolonged again. */
const KEEP_INTERVAL_MS = 3_600_000;
/** The most tags of which is remembered when that was. */
const MAX_REMEMBERED = 10_000;
/** So often a change is tried again when others were faster. */
const MAX_ATTEMPTS = 100;

/** The records of tags in the backend, seen by every process. A lost record makes its entries absent, never current. */
export class SharedTags implements TagTable {
  private readonly kept = new Map<string, { readonly at: number; readonly lifeMs: number | null }>();

  constructor(
    private readonly backend: CompleteBackend,
    private readonly keys: KeySpace,
    private readonly clock: Clock,
  ) {}

  readonly peek = (): undefined => undefined;

  async read(tags: readonly string[]): Promise<readonly (TagRecord | undefined)[]> {
    if (tags.length === 0) return [];
    return (await this.backend.getMany(tags.map((tag) => this.keys.tagKey(tag)))).map(decodeRecord);
  }

  decode(payload: Payload | undefined): TagRecord | undefined {
    return decodeRecord(payload);
  }

  recordKey(tag: string): string {
    return this.keys.tagKey(tag);
  }

  create(tags: readonly string[], stamp: number): Promise<readonly TagRecord[]> {
    return Promise.all(tags.map((tag) => this.change(tag, (record) => record ?? fresh(stamp))));
  }

  async raise(tags: readonly string[], stamp: number, isSoft: boolean): Promise<void> {
    const raised = (record: TagRecord = fresh(stamp)): TagRecord =>
      isSoft
        ? { ...record, soft: Math.max(record.soft, stamp) }
        : { ...record, hard: Math.max(record.hard, stamp) };
    await Promise.all(tags.map((tag) => this.change(tag, raised)));
  }

  async keep(tags: readonly string[], lifeMs: number | null): Promise<void> {
    const at = this.clock.monotonic();
    const due = tags.filter((tag) => {
      const kept = this.kept.get(tag);
      return kept === undefined || at - kept.at > KEEP_INTERVAL_MS || !isEnough(kept.lifeMs, lifeMs);
    });
    await Promise.all(
      due.map(async (tag) => {
        const record = await this.change(
          tag,
          (held) => held && { ...held, lifeMs: longer(held.lifeMs, lifeMs) },
        );
        if (this.kept.size >= MAX_REMEMBERED) this.kept.clear();
        if (record !== undefined) this.kept.set(tag, { at, lifeMs: record.lifeMs });
      }),
    );
  }

  /** Changes a record by compare-and-set; a change to the same record only prolongs its life. */
  private async change<T extends TagRecord | undefined>(
    tag: string,
    change: (record: TagRecord | undefined) => T,
  ): Promise<T> {
    const key = this.keys.tagKey(tag);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const payload = await this.backend.get(key);
      const record = change(decodeRecord(payload));
      if (record === undefined) return record;
      const changed = encodeRecord(record);
      const isDone = await (payload === undefined
        ? this.backend.add(key, changed, record.lifeMs)
        : this.backend.compareAndSet(key, payload, changed, record.lifeMs));
      if (isDone || !this.backend.capabilities.stores) return record;
    }
    throw new Error('The record of a tag changed too often to be changed.');
  }
}

function fresh(stamp: number): TagRecord {
  return { hard: stamp, soft: stamp, lifeMs: RECORD_LIFE_MS };
}

/** A life that outlasts an entry's by as much again. */
function longer(lifeMs: number | null, entryLifeMs: number | null): number | null {
  if (lifeMs === null || entryLifeMs === null) return null;
  return Math.max(lifeMs, 2 * entryLifeMs);
}

function isEnough(lifeMs: number | null, entryLifeMs: number | null): boolean {
  return lifeMs === null || (entryLifeMs !== null && lifeMs >= 2 * entryLifeMs);
}

function encodeRecord({ hard, soft, lifeMs }: TagRecord): Uint8Array {
  const bytes = Buffer.allocUnsafe(RECORD_BYTES);
  bytes.writeDoubleBE(hard, 0);
  bytes.writeDoubleBE(soft, 8);
  bytes.writeDoubleBE(lifeMs ?? 0, 16);
  return bytes;
}

function decodeRecord(payload: Payload | undefined): TagRecord | undefined {
  if (!(payload instanceof Uint8Array) || payload.length !== RECORD_BYTES) return undefined;
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, RECORD_BYTES);
  const [hard, soft, lifeMs] = [bytes.readDoubleBE(0), bytes.readDoubleBE(8), bytes.readDoubleBE(16)];
  const isRecord = [hard, soft, lifeMs].every((part) => Number.isSafeInteger(part) && part >= 0);
  return isRecord ? { hard, soft, lifeMs: lifeMs === 0 ? null : lifeMs } : undefined;
}
