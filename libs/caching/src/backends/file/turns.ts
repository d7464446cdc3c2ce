/** One task at a time per name, in the order in which they were asked for. */
export class Turns {
  private readonly last = new Map<string, Promise<void>>();

  take<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(name);
    const result = before === undefined ? work() : before.then(work);
    const ended = result.then(noop, noop).then(() => {
      if (this.last.get(name) === ended) this.last.delete(name);
    });
    this.last.set(name, ended);
    return result;
  }
}

function noop(): void {}
