import { LoadCycleError } from '../errors.js';
import type { Landing } from './landing.js';
import type { EntryCodec } from './payloads.js';
import { TransientStorage } from './transient-storage.js';

/** So much of a key appears in messages. */
const SHOWN_KEY_LENGTH = 40;

/** What names a flight, whatever it carries. */
export interface FlightAddress {
  readonly codec: Pick<EntryCodec<unknown>, 'kind'>;
  readonly segments: string;
  readonly version: number;
}

export function flightId({ codec, segments, version }: FlightAddress): string {
  return `${version}:${codec.kind}:${segments}`;
}

/** One running load of a key, and all who wait for it. */
export class Flight<T> {
  /** The token of its lease, once it has one. */
  token: string | undefined;
  /** When the factory began, in the loader's order of looks; `undefined` before. */
  loadingSince: number | undefined;
  isOver = false;
  /** Those who still want the result. */
  waiting = 0;
  readonly controller = new AbortController();
  readonly promise: Promise<Landing<T>>;
  /** The flights that its factory waits for. */
  private readonly waitsFor = new Set<Flight<unknown>>();
  private settle!: { land(landing: Landing<T>): void; fail(error: unknown): void };

  constructor(
    readonly id: string,
    private readonly shownKey: string,
    /** What loads it: itself, or a batch that loads others as well. */
    readonly load: object = {},
  ) {
    this.promise = new Promise((land, fail) => (this.settle = { land, fail }));
    // Everybody may have left.
    this.promise.catch(() => undefined);
  }

  land(landing: Landing<T>): void {
    this.isOver = true;
    this.settle.land(landing);
  }

  fail(error: unknown): void {
    this.isOver = true;
    this.settle.fail(error);
  }

  /** The keys from this flight to the one that it waits for in the end, itself included; `undefined` if it does not. */
  pathTo(target: Flight<unknown>, seen = new Set<Flight<unknown>>()): string[] | undefined {
    const name = this.shownKey.slice(0, SHOWN_KEY_LENGTH);
    if (this === target) return [name];
    seen.add(this);
    for (const next of this.waitsFor) {
      const path = seen.has(next) ? undefined : next.pathTo(target, seen);
      if (path !== undefined) return [name, ...path];
    }
    return undefined;
  }

  addWait(other: Flight<unknown>): void {
    this.waitsFor.add(other);
    const remove = () => void this.waitsFor.delete(other);
    other.promise.then(remove, remove);
  }
}

/** The flight whose factory is running here. One for all caches, since a ring may go through several. */
const running = new TransientStorage<Flight<unknown>>();

/** Runs a factory as part of a flight. */
export function runAsPartOf<R>(flight: Flight<unknown>, factory: () => Promise<R>): Promise<R> {
  return running.run(flight, factory);
}

/**
 * Notes that the factory that is running here, if any, waits for this flight.
 *
 * @throws LoadCycleError if that flight waits for the factory
 */
export function waitFor(flight: Flight<unknown>): void {
  const parent = running.getStore();
  if (parent === undefined || parent.isOver) return;
  const path = flight.pathTo(parent);
  if (path !== undefined) throw new LoadCycleError([...path, path[0] ?? '']);
  parent.addWait(flight);
}
