/** What a cached value says of itself. */
export interface Observed {
  readonly key: string;
  /** The version of the source that the load has read. */
  readonly version: number;
  /** When it read it. */
  readonly readAt: number;
}

/** A change of the source that was followed by an acknowledged change of the cache. */
interface Invalidation {
  readonly what: string;
  readonly startedAt: number;
  readonly endedAt: number;
  /** The versions of the source when it began: what was read before them must not be seen afterwards. */
  readonly versions: ReadonlyMap<string, number>;
}

interface Write {
  readonly key: string;
  readonly version: number;
  readonly startedAt: number;
  endedAt: number;
}

/** What happened, as an observer outside of all nodes saw it; checks the promises (C-K) against it. */
export class History {
  readonly violations: string[] = [];
  private readonly invalidations: Invalidation[] = [];
  private readonly writes: Write[] = [];
  /** From when on resurrection is checked: a store that went back is noticed by the next look of a node that knows better. */
  private checkedFrom = 0;

  acknowledged(
    what: string,
    startedAt: number,
    endedAt: number,
    versions: ReadonlyMap<string, number>,
  ): void {
    this.invalidations.push({ what, startedAt, endedAt, versions });
  }

  /** A write of a caller's. While it is under way, or if it fails, it may take effect at any time. */
  begunWrite(key: string, version: number, startedAt: number): Write {
    const write = { key, version, startedAt, endedAt: Infinity };
    this.writes.push(write);
    return write;
  }

  restored(at: number): void {
    this.checkedFrom = at;
  }

  /** No resurrection, no crossing of keys, bounded age. */
  observed(
    how: string,
    key: string,
    startedAt: number,
    value: Observed | undefined,
    maxAge: number,
    now: number,
  ): void {
    if (value === undefined) return;
    if (value.key !== key) this.violations.push(`${how} of ${key} answered a value of ${value.key}`);
    if (now - value.readAt > maxAge)
      this.violations.push(
        `${how} of ${key} answered a value ${now - value.readAt} ms old, allowed ${maxAge}`,
      );
    for (const { what, startedAt: began, endedAt, versions } of this.invalidations) {
      const least = versions.get(key);
      if (least === undefined || endedAt >= startedAt || began < this.checkedFrom || value.version >= least)
        continue;
      const isConcurrentWrite = this.writes.some(
        (write) => write.key === key && write.version === value.version && write.endedAt >= began,
      );
      if (!isConcurrentWrite)
        this.violations.push(
          `${how} of ${key}, begun at ${startedAt}, answered version ${value.version} although ${what}, acknowledged at ${endedAt}, allows no less than ${least}`,
        );
    }
  }
}
