import { boundedKey, type KeyKind, type KeySpace } from './keys.js';
import type { Stamps } from './stamps.js';

/** Where an operation goes: the final key, and the full one before it was bounded. */
export interface KeyPair {
  readonly key: string;
  readonly fullKey: string;
}

/** Versions come from callers, so what is remembered of them is bounded. */
const MAX_BASES = 100;

/** The final keys of the epoch that was last seen. */
export class FinalKeys {
  private readonly bases = new Map<string, { readonly epoch: number; readonly base: string }>();

  constructor(
    private readonly keys: KeySpace,
    private readonly stamps: Stamps,
  ) {}

  /** Where the segments of a kind and version are. */
  of(kind: KeyKind, segments: string, version: number): KeyPair {
    const fullKey = this.base(kind, version) + segments;
    return { fullKey, key: boundedKey(fullKey) };
  }

  /** Whether a key is of the epoch that was last seen. */
  isCurrent(fullKey: string): boolean {
    const epoch = this.stamps.current?.epoch;
    return epoch !== undefined && fullKey.startsWith(this.keys.epochPrefix(epoch));
  }

  /** What the keys of a kind and version begin with, made once for each epoch. */
  private base(kind: KeyKind, version: number): string {
    const epoch = this.stamps.current?.epoch ?? 0;
    const name = version === 1 ? kind : `${kind}${version}`;
    const made = this.bases.get(name);
    if (made?.epoch === epoch) return made.base;
    if (this.bases.size > MAX_BASES) this.bases.clear();
    const base = this.keys.base(epoch, version, kind);
    this.bases.set(name, { epoch, base });
    return base;
  }
}
