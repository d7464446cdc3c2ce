/** What a decorator of this layer has left on a method. */
export interface Decoration {
  /** `Cached`, `CachePut`, … */
  readonly decorator: string;
  /** The prototype that the method was declared on. */
  readonly owner: object;
  readonly method: string | symbol;
  /** The name of the cache; `undefined` for the default one. */
  readonly cache: string | undefined;
  /** What its keys begin with, if the decorator says so. */
  readonly name: string | undefined;
  /** What the keys of the entries that it reads are made of; `undefined` if it reads none. */
  readonly keyedBy: 'arguments' | 'options' | undefined;
}

const decorations = new WeakMap<object, Decoration[]>();

export function addDecoration(decoration: Decoration): void {
  const known = decorations.get(decoration.owner);
  if (known === undefined) decorations.set(decoration.owner, [decoration]);
  else known.push(decoration);
}

/** The decorations of a class, given by its prototype, those of the classes that it extends included. */
export function decorationsOf(prototype: object): Decoration[] {
  const found: Decoration[] = [];
  for (
    let each: object | null = prototype;
    each !== null;
    each = Object.getPrototypeOf(each) as object | null
  ) {
    found.push(...(decorations.get(each) ?? []));
  }
  return found;
}

/** `ProductsService.find`, for messages. */
export function titleOf({ owner, method }: Pick<Decoration, 'owner' | 'method'>): string {
  return `${owner.constructor.name}.${String(method)}`;
}
