/**
 * How instances of a class are kept, where `converters` of a cache names it. Readers get instances of their own, made
 * anew on each read, the same on every backend.
 */
export interface ValueConverter<Instance extends object = object, Data = unknown> {
  /**
   * Kept beside the data, 1 to 100 characters. Data of another shape needs another name: a release that does not know the
   * name takes the entry for a miss.
   */
  readonly name: string;
  /** Instances of this class are converted; those of its subclasses are not. */
  readonly type: abstract new (...args: never[]) => Instance;
  /** What is kept of an instance: anything that a cache keeps, instances of other such classes included. */
  toData(instance: Instance): Data;
  /** An instance from a private copy of the data. If it throws for what comes from a server, that is a miss. */
  fromData(data: Data): Instance;
}

/** An instance, as a snapshot holds it: frozen data, and how to make an instance of it. */
export class Converted {
  readonly #converter: ValueConverter;

  constructor(
    converter: ValueConverter,
    readonly data: unknown,
  ) {
    this.#converter = converter;
    Object.freeze(this);
  }

  get name(): string {
    return this.#converter.name;
  }

  /** @param data a copy of the data that nobody else has */
  revive(data: unknown): object {
    return this.#converter.fromData(data);
  }
}

/** The converters of one cache. */
export class Converters {
  private readonly byPrototype: ReadonlyMap<unknown, ValueConverter>;
  private readonly byName: ReadonlyMap<string, ValueConverter>;

  constructor(converters: readonly ValueConverter[]) {
    this.byPrototype = new Map(converters.map((each) => [each.type.prototype as unknown, each]));
    this.byName = new Map(converters.map((each) => [each.name, each]));
  }

  /** The converter of what has this prototype. */
  of(prototype: unknown): ValueConverter | undefined {
    return this.byPrototype.get(prototype);
  }

  /** @throws Error if there is no converter of that name */
  converted(name: string, data: unknown): Converted {
    const converter = this.byName.get(name);
    if (converter === undefined) throw new Error('There is no converter of that name in this version.');
    return new Converted(converter, data);
  }
}

export const NO_CONVERTERS = new Converters([]);
