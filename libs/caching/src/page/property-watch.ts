/** Answers a read of a property; `value` gives what it would have been. */
export type Reader = (value: () => unknown) => unknown;

interface Watched {
  readonly object: object;
  readonly name: string | symbol;
  readonly getter: () => unknown;
  /** What belongs on the object when the watch is over. */
  own: PropertyDescriptor | undefined;
}

interface Replaced {
  readonly object: object;
  readonly name: string;
  readonly value: unknown;
  readonly by: unknown;
}

/** Accessors and stand-ins in the place of an object's own properties, and what it takes to put those back. */
export class PropertyWatch {
  private readonly watched: Watched[] = [];
  private readonly replaced: Replaced[] = [];

  /**
   * Lets `reader` answer the reads of an own property, or of one that is absent. Writes take effect and stay. `false` if
   * the property cannot be replaced.
   */
  add(object: object, name: string | symbol, reader: Reader): boolean {
    const own = Reflect.getOwnPropertyDescriptor(object, name);
    let found = own;
    const value = (): unknown =>
      found?.get === undefined ? (found?.value as unknown) : (found.get.call(object) as unknown);
    const watched: Watched = { object, name, own, getter: () => reader(value) };
    const write = (next: unknown): void => {
      if (found?.set !== undefined) found.set.call(object, next);
      else {
        found = { value: next, writable: true, enumerable: own?.enumerable ?? true, configurable: true };
        watched.own = found;
      }
    };
    const isReadOnly = own !== undefined && own.set === undefined && own.writable !== true;
    const shape = { get: watched.getter, enumerable: own?.enumerable ?? false, configurable: true };
    // Without a setter the engine answers a write as it would have.
    if (!Reflect.defineProperty(object, name, isReadOnly ? shape : { ...shape, set: write })) return false;
    this.watched.push(watched);
    return true;
  }

  /** Puts something else in the place of a plain own value: cheaper than an accessor. */
  replace(object: object, name: string, by: unknown): boolean {
    const value: unknown = Reflect.get(object, name);
    if (!Reflect.set(object, name, by)) return false;
    this.replaced.push({ object, name, value, by });
    return true;
  }

  /** Puts everything back, save what somebody else has replaced or deleted since. */
  release(): void {
    for (const { object, name, value, by } of this.replaced.splice(0)) {
      if (Reflect.get(object, name) === by) Reflect.set(object, name, value);
    }
    for (const { object, name, own, getter } of this.watched.splice(0)) {
      if (Reflect.getOwnPropertyDescriptor(object, name)?.get !== getter) continue;
      if (own === undefined) Reflect.deleteProperty(object, name);
      else Reflect.defineProperty(object, name, own);
    }
  }
}
