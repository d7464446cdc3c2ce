import type { Ttl } from '../duration.js';
import type { ResolvedCacheOptions } from '../resolve-options.js';
import { lifeOf, type SetOptions } from './cache-service.options.js';
import type { Life } from './entry.js';

/** How what is stored in a cache lives: as the call says, else as the cache says, and a little longer at random. */
export class Lives {
  constructor(
    private readonly options: ResolvedCacheOptions,
    private readonly random: () => number,
  ) {}

  /** @throws InvalidDurationError, InvalidArgumentError */
  of(options: Ttl | SetOptions | undefined): Life {
    const life = lifeOf(options, this.options);
    return this.options.jitterMs === 0 ? life : { ...life, ttlMs: this.jittered(life.ttlMs) };
  }

  jittered(ttlMs: number | null): number | null {
    const { jitterMs } = this.options;
    if (ttlMs === null || ttlMs <= 0 || jitterMs === 0) return ttlMs;
    return ttlMs + Math.round(this.random() * jitterMs);
  }
}
