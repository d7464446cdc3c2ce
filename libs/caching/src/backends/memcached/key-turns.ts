/**
 * Lets the compare-and-swap loops of this process take turns on a key, so that they compete only with other processes.
 */
export class KeyTurns {
  private readonly last = new Map<string, Promise<unknown>>();

  /**
   * Runs after everything that was given for this key before. If the server fails one (`isOutage`), those that wait
   * behind it fail with the same error: each of them waiting for a dead server in its turn would take for ever.
   */
  run<T>(key: string, loop: () => Promise<T>, isOutage: (error: unknown) => boolean): Promise<T> {
    const before = this.last.get(key);
    const turn = before === undefined ? loop() : before.then(loop);
    const outcome = turn.catch((error: unknown) => {
      if (isOutage(error)) throw error;
    });
    const settled = outcome.finally(() => {
      if (this.last.get(key) === settled) this.last.delete(key);
    });
    settled.catch(() => undefined);
    this.last.set(key, settled);
    return turn;
  }
}
