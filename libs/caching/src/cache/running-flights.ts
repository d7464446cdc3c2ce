import type { Clock } from '../clock.js';
import type { Flight } from './flight.js';

/** The loads of one cache that are running: those that callers may join, and those that the cache only waits for. */
export class RunningFlights {
  private readonly joinable = new Map<string, Flight<unknown>>();
  private readonly all = new Set<Flight<unknown>>();
  /** How many flights each load has. */
  private readonly loads = new Map<object, number>();

  /** Whether there are so many loads, joinable or not, that another one is too many. A batch is one load. */
  isFull(maxLoads: number, load: object | undefined): boolean {
    return this.loads.size >= maxLoads && (load === undefined || !this.loads.has(load));
  }

  /** The flight of a key that callers may join. */
  of(id: string): Flight<unknown> | undefined {
    return this.joinable.get(id);
  }

  /** Callers join this one from now on. */
  add(flight: Flight<unknown>): void {
    this.joinable.set(flight.id, flight);
    this.all.add(flight);
    this.loads.set(flight.load, (this.loads.get(flight.load) ?? 0) + 1);
  }

  /** Lets nobody join the flight of a key any more. */
  detach(id: string): void {
    if (this.joinable.size > 0) this.joinable.delete(id);
  }

  /** The flight is over. */
  remove(flight: Flight<unknown>): void {
    if (this.joinable.get(flight.id) === flight) this.joinable.delete(flight.id);
    if (!this.all.delete(flight)) return;
    const left = (this.loads.get(flight.load) ?? 0) - 1;
    if (left > 0) this.loads.set(flight.load, left);
    else this.loads.delete(flight.load);
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
