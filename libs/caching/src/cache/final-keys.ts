import { boundedKey, escapeKey, type KeyKind, type KeySpace, MAX_KEY_BYTES } from './keys.js';
import type { Stamps } from './stamps.js';

/** Where an operation goes: the final key, and the full one before it was bounded. */
export interface KeyPair {
  readonly key: string;
  readonly fullKey: string;
}

/** What keys of one kind and version begin with, and those made lately. */
interface Base {
  readonly kind: KeyKind;
  readonly version: number;
  readonly epoch: number;
  readonly base: string;
  readonly bySegments: Map<string, KeyPair>;
  readonly byKey: Map<string, KeyPair>;
}

/** Versions and keys come from callers, so what is remembered of them is bounded, in number and in length. */
const MAX_BASES = 100;
const MAX_PAIRS = 10_000;

/** The final keys of the epoch that was last seen. Escaping, joining and hashing a key costs more than a lookup. */
export class FinalKeys {
  private readonly bases = new Map<string, Base>();
  private last: Base | undefined;

  constructor(
    private readonly keys: KeySpace,
    private readonly stamps: Stamps,
  ) {}

  /** Where the segments of a kind and version are. */
  of(kind: KeyKind, segments: string, version: number): KeyPair {
    const { base, bySegments } = this.base(kind, version);
    return bySegments.get(segments) ?? remembered(bySegments, segments, pairOf(base, segments));
  }

  /** Where a key is of which nothing is escaped yet. */
  ofKey(kind: KeyKind, key: string, version: number): KeyPair {
    const { byKey } = this.base(kind, version);
    return byKey.get(key) ?? remembered(byKey, key, this.of(kind, escapeKey(key), version));
  }

  /** Whether a key is of the epoch that was last seen. */
  isCurrent(fullKey: string): boolean {
    const epoch = this.stamps.current?.epoch;
    return epoch !== undefined && fullKey.startsWith(this.keys.epochPrefix(epoch));
  }

  private base(kind: KeyKind, version: number): Base {
    const { last } = this;
    const epoch = this.stamps.current?.epoch ?? 0;
    if (last?.kind === kind && last.version === version && last.epoch === epoch) return last;
    return (this.last = this.baseOf(kind, version, epoch));
  }

  /** Made once for each epoch. */
  private baseOf(kind: KeyKind, version: number, epoch: number): Base {
    const name = `${kind}${version}`;
    const made = this.bases.get(name);
    if (made?.epoch === epoch) return made;
    if (this.bases.size > MAX_BASES) this.bases.clear();
    const base: Base = {
      kind,
      version,
      epoch,
      base: this.keys.base(epoch, version, kind),
      bySegments: new Map<string, KeyPair>(),
      byKey: new Map<string, KeyPair>(),
    };
    this.bases.set(name, base);
    return base;
  }
}

/** Joined and not added: a sum of strings stays in two parts, which every lookup would have to walk. */
function pairOf(base: string, segments: string): KeyPair {
  const fullKey = [base, segments].join('');
  return { fullKey, key: boundedKey(fullKey) };
}

function remembered(pairs: Map<string, KeyPair>, name: string, pair: KeyPair): KeyPair {
  if (name.length > MAX_KEY_BYTES) return pair;
  if (pairs.size >= MAX_PAIRS) pairs.clear();
  pairs.set(name, pair);
  return pair;
}
