import { boundedKey, type KeyKind, type KeySpace, MAX_KEY_BYTES } from './keys.js';
import type { Stamps } from './stamps.js';

/** Where an operation goes: the final key, and the full one before it was bounded. */
export interface KeyPair {
  readonly key: string;
  readonly fullKey: string;
}

/** What keys of one kind and version begin with, and those made lately. */
interface Base {
  readonly epoch: number;
  readonly base: string;
  readonly pairs: Map<string, KeyPair>;
}

/** Versions and keys come from callers, so what is remembered of them is bounded, in number and in length. */
const MAX_BASES = 100;
const MAX_PAIRS = 10_000;

/** The final keys of the epoch that was last seen. Joining strings and hashing the result costs more than a lookup. */
export class FinalKeys {
  private readonly bases = new Map<string, Base>();

  constructor(
    private readonly keys: KeySpace,
    private readonly stamps: Stamps,
  ) {}

  /** Where the segments of a kind and version are. */
  of(kind: KeyKind, segments: string, version: number): KeyPair {
    const { base, pairs } = this.base(kind, version);
    const known = pairs.get(segments);
    if (known !== undefined) return known;
    const fullKey = base + segments;
    const pair = { fullKey, key: boundedKey(fullKey) };
    if (segments.length > MAX_KEY_BYTES) return pair;
    if (pairs.size >= MAX_PAIRS) pairs.clear();
    pairs.set(segments, pair);
    return pair;
  }

  /** Whether a key is of the epoch that was last seen. */
  isCurrent(fullKey: string): boolean {
    const epoch = this.stamps.current?.epoch;
    return epoch !== undefined && fullKey.startsWith(this.keys.epochPrefix(epoch));
  }

  /** Made once for each epoch. */
  private base(kind: KeyKind, version: number): Base {
    const epoch = this.stamps.current?.epoch ?? 0;
    const name = version === 1 ? kind : `${kind}${version}`;
    const made = this.bases.get(name);
    if (made?.epoch === epoch) return made;
    if (this.bases.size > MAX_BASES) this.bases.clear();
    const base = { epoch, base: this.keys.base(epoch, version, kind), pairs: new Map<string, KeyPair>() };
    this.bases.set(name, base);
    return base;
  }
}
