/** The loads that are running, one for each key: whoever asks for a key meanwhile shares its result and its error. */
export class Flights<T> {
  private readonly running = new Map<string, Promise<T>>();

  /** How many loads are running. */
  get size(): number {
    return this.running.size;
  }

  /** The flight of the key, if there is one. */
  find(key: string): Promise<T> | undefined {
    return this.running.get(key);
  }

  /** Joins the flight of the key, or starts one. */
  join(key: string, load: () => Promise<T>): Promise<T> {
    const running = this.running.get(key);
    if (running !== undefined) return running;
    const flight = load().finally(() => {
      if (this.running.get(key) === flight) this.running.delete(key);
    });
    this.running.set(key, flight);
    return flight;
  }
}
