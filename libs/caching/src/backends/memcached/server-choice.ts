/**
 * Spreads keys over servers by rendezvous hashing: every server bids for a key and the highest bid has it, so that a
 * server which comes or goes moves only its own share. The order of the servers does not matter; their names do, so
 * every process must write them alike.
 */
export class ServerChoice {
  private readonly seeds: readonly number[];

  /** @param names at least one, all different */
  constructor(names: readonly string[]) {
    this.seeds = names.map((name) => mix(hash(name)));
  }

  /** Which of the servers has the key: its place in the list of names. */
  indexOf(key: string): number {
    if (this.seeds.length === 1) return 0;
    const hashed = hash(key);
    let winner = 0;
    let highest = -1;
    for (const [index, seed] of this.seeds.entries()) {
      const bid = mix(hashed ^ seed);
      if (bid > highest) {
        highest = bid;
        winner = index;
      }
    }
    return winner;
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** The finalizer of MurmurHash3: one bit of difference changes half of the result. */
function mix(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
