/** What a cache has counted since it was opened. */
export interface CacheStatistics {
  /** Reads that found a fresh value. */
  readonly hits: number;
  /** Reads that found none. */
  readonly misses: number;
  /** Stale values served. */
  readonly stale: number;
  /** Factories run. */
  readonly loads: number;
  /** Factories that failed or passed their time. */
  readonly loadErrors: number;
  /** Callers that shared the load of another. */
  readonly coalesced: number;
  /** Results that were not stored, because an invalidation came after their load had begun. */
  readonly fenced: number;
  /** Loads that ran without a lease, because the backend could not give one. Their results are not stored. */
  readonly unleased: number;
  /** Payloads that did not parse, or lay under a foreign key. */
  readonly corrupt: number;
  /** Results that were too large to be stored. */
  readonly tooLarge: number;
  /** Calls that the backend failed or did not answer in time. */
  readonly backendErrors: number;
  /** Calls that were not made, because the circuit was open. */
  readonly shortCircuited: number;
  /** Changes that failed in an outage and were made up for afterwards. */
  readonly replayed: number;
  /** Changes that failed in an outage and could not be remembered, or not be made up for. */
  readonly forgotten: number;
  /** Times that the backend was found to have gone back to an older state. */
  readonly rewound: number;
}

/** The counters of one cache. Plain numbers: a hit pays one addition. */
export class Counters implements CacheStatistics {
  hits = 0;
  misses = 0;
  stale = 0;
  loads = 0;
  loadErrors = 0;
  coalesced = 0;
  fenced = 0;
  unleased = 0;
  corrupt = 0;
  tooLarge = 0;
  backendErrors = 0;
  shortCircuited = 0;
  replayed = 0;
  forgotten = 0;
  rewound = 0;

  /** The numbers as they are now. */
  snapshot(): CacheStatistics {
    return { ...this };
  }
}
