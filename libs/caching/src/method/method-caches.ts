import type { CacheRegistry, OpenCache } from '../cache/cache-registry.js';
import { InvalidDecorationError } from '../errors.js';
import { type Decoration, titleOf } from './decorations.js';
import { assertKeyName } from './method-key.js';

/** Who has a name. */
interface Claim {
  readonly decoration: Decoration;
  readonly constructor: unknown;
}

/** What the decorated methods of one application work on: its caches, and what their keys begin with. */
export class MethodCaches {
  private readonly names = new Map<Decoration, Map<unknown, string>>();
  private readonly claims = new Map<string, Claim>();
  private readonly users = new Map<Decoration, unknown>();

  constructor(private readonly registry: CacheRegistry) {}

  /** @throws UnknownCacheError */
  cache(name: string | undefined): OpenCache {
    return this.registry.get(name);
  }

  /**
   * What the keys of a method begin with, on objects of a class: so a class does not meet the entries of the one that it
   * extends, and a method not those of the method that it overrides.
   *
   * @throws InvalidDecorationError if another class has the same name
   */
  nameOf(decoration: Decoration, instance: object): string {
    const { constructor } = instance;
    let ofClass = this.names.get(decoration);
    if (ofClass === undefined) this.names.set(decoration, (ofClass = new Map<unknown, string>()));
    let name = ofClass.get(constructor);
    if (name === undefined) {
      name = this.claim({ decoration, constructor });
      ofClass.set(constructor, name);
    }
    return name;
  }

  private claim(claim: Claim): string {
    const { decoration, constructor } = claim;
    if (decoration.name !== undefined) {
      this.assertOneClass(claim);
      return decoration.name;
    }
    const name = defaultName(claim);
    const place = `${decoration.cache ?? ''}:${name}`;
    const other = this.claims.get(place);
    if (other !== undefined && !(other.decoration === decoration && other.constructor === constructor)) {
      throw new InvalidDecorationError(
        `@${decoration.decorator} on ${titleOf(decoration)}: another class or decorator has the same name, and would read the ` +
          'same entries. Give each a `name` of its own in the options of its decorator.',
      );
    }
    this.claims.set(place, claim);
    return name;
  }

  /** With a name of its own, a method that several classes inherit has one set of entries for all of them. */
  private assertOneClass({ decoration, constructor }: Claim): void {
    if (decoration.keyedBy !== 'arguments') return;
    const user = this.users.get(decoration);
    if (user !== undefined && user !== constructor) {
      throw new InvalidDecorationError(
        `@${decoration.decorator} on ${titleOf(decoration)}: several classes inherit the method, and with the name ` +
          `"${decoration.name}" they would read each other's entries. Say in \`key\` what tells them apart, or leave the name out.`,
      );
    }
    this.users.set(decoration, constructor);
  }
}

/** `Products.find`; for an inherited method the class of the object and that of the method: `Products:Base.find`. */
function defaultName({ decoration, constructor }: Claim): string {
  const { owner } = decoration;
  const name = owner.constructor === constructor ? '' : `${classNameOf(constructor, decoration)}:`;
  const full = `${name}${classNameOf(owner.constructor, decoration)}.${String(decoration.method)}`;
  assertKeyName(full);
  return full;
}

function classNameOf(constructor: unknown, decoration: Decoration): string {
  if (typeof constructor === 'function' && constructor.name !== '') return constructor.name;
  throw new InvalidDecorationError(
    `@${decoration.decorator} on ${titleOf(decoration)}: the class has no name to begin keys with. Give one as \`name\`.`,
  );
}
