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

/** A change of the cache: from its beginning to its end, if it has been acknowledged. */
interface Change {
  readonly keys: readonly string[];
  endedAt: number;
}

/** One run of a factory. */
interface Run {
  /** When the call began that needed it. */
  readonly askedAt: number;
  readonly startedAt: number;
  endedAt: number;
}

/** What happened, as an observer outside of all nodes saw it; checks the promises (C-K) against it. */
export class History {
  readonly violations: string[] = [];
  private readonly invalidations: Invalidation[] = [];
  private readonly writes: Write[] = [];
  private readonly changes: Change[] = [];
  private readonly runs = new Map<string, Run[]>();
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

  begunChange(keys: readonly string[]): Change {
    const change = { keys, endedAt: Infinity };
    this.changes.push(change);
    return change;
  }

  /**
   * One flight: in all nodes at most one run of a key's factory at a time, unless something has changed the key since one of
   * them was asked for: then a lease is worth nothing, or lies in another epoch. For histories in which nothing fails.
   */
  begunRun(key: string, askedAt: number, now: number, timeout: number): Run {
    const others = this.runs.get(key) ?? [];
    for (const { askedAt: since, startedAt, endedAt } of others) {
      const isRunning = endedAt >= now && now - startedAt < timeout;
      const isChanged = this.changes.some(
        (change) => change.keys.includes(key) && change.endedAt >= Math.min(since, askedAt),
      );
      if (isRunning && !isChanged)
        this.violations.push(`a second run of ${key} at ${now}, beside the one from ${startedAt}`);
    }
    const run = { askedAt, startedAt: now, endedAt: Infinity };
    this.runs.set(key, [...others, run]);
    return run;
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
