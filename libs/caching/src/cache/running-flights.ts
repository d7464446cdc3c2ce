import type { Clock } from '../clock.js';
import type { Flight } from './flight.js';

/** The loads of one cache that are running: those that callers may join, and those that the cache only waits for. */
export class RunningFlights {
  private readonly joinable = new Map<string, Flight<unknown>>();
  private readonly all = new Set<Flight<unknown>>();

  /** How many there are, joinable or not. */
  get size(): number {
    return this.all.size;
  }

  /** The flight of a key that callers may join. */
  of(id: string): Flight<unknown> | undefined {
    return this.joinable.get(id);
  }

  /** Callers join this one from now on. */
  add(flight: Flight<unknown>): void {
    this.joinable.set(flight.id, flight);
    this.all.add(flight);
  }

  /** Lets nobody join the flight of a key any more. */
  detach(id: string): void {
    if (this.joinable.size > 0) this.joinable.delete(id);
  }

  /** The flight is over. */
  remove(flight: Flight<unknown>): void {
    this.all.delete(flight);
    if (this.joinable.get(flight.id) === flight) this.joinable.delete(flight.id);
  }

  /** Ends a flight whose factory does not: its late result is refused, and the key can be loaded again. */
  giveUp(flight: Flight<unknown>, why: () => Error): void {
    if (flight.isOver) return;
    const error = why();
    this.remove(flight);
    flight.fail(error);
    flight.controller.abort(error);
  }

  /** Waits for all of them as long as it may, and gives the rest up. */
  async drain(limitMs: number, clock: Clock, why: () => Error): Promise<void> {
    const running = [...this.all];
    if (running.length === 0) return;
    let cancel = (): void => undefined;
    const limit = new Promise<void>((resolve) => (cancel = clock.after(limitMs, resolve)));
    await Promise.race([Promise.allSettled(running.map(({ promise }) => promise)), limit]);
    cancel();
    for (const flight of running) this.giveUp(flight, why);
  }
}
