import type { ReadLog } from './read-log.js';

/** What is watched of one request object. */
export interface Face {
  readonly log: ReadLog;
  /** Headers with their reads noted; the same object for the same headers. */
  headers(value: object): object;
  /** A socket with reads of who is at its other end noted. */
  socket(value: object): object;
  /** A property of a name that is watched has been written: its reads are to be noted from now on. */
  written(object: object, name: string): void;
}

/** Read whenever a handler asks who it is, so that their absence tells something too. */
const IDENTITY = ['user', 'session'];
/** Worked out from the connection and from headers. */
const ADDRESS = ['ip', 'ips'];
/** Worked out from what is in the key, or by the platforms for themselves. */
const UNNOTICED = [
  ...['protocol', 'secure', 'host', 'hostname', 'subdomains', 'port'],
  ...['fresh', 'stale', 'routeOptions', 'mediaType'],
];
const HEADERS = ['headers', 'headersDistinct'];
/** Inherited on HTTP/2 and on Fastify's request; an own value elsewhere. */
const SOCKETS = ['socket', 'connection'];

/** What the prototype takes care of; an own property of the name has to be watched by itself. */
export const IDENTITY_NAMES: readonly string[] = [...IDENTITY, ...ADDRESS];
export const HEADER_NAMES: readonly string[] = HEADERS;
export const FIXED_NAMES: ReadonlySet<string | symbol> = new Set([
  ...IDENTITY,
  ...ADDRESS,
  ...UNNOTICED,
  ...HEADERS,
]);

const faces = new WeakMap<object, Face>();
/** The tracked prototypes, by what they stand in for. */
const tracked = new WeakMap<object, object>();

/**
 * Puts accessors between a request and its prototype. One prototype serves all requests of a kind, so a request costs one
 * change of prototype instead of an accessor for each name, which would make it slow in all that comes after.
 * `false` if the request does not let its prototype be changed.
 */
export function interpose(
  request: object,
  face: Face,
  added: (prototype: object) => readonly string[],
): boolean {
  const prototype = Reflect.getPrototypeOf(request);
  if (prototype === null) return false;
  let stand = tracked.get(prototype);
  if (stand === undefined) tracked.set(prototype, (stand = trackedPrototype(prototype, added(prototype))));
  if (!Reflect.setPrototypeOf(request, stand)) return false;
  faces.set(request, face);
  return true;
}

/** Gives a request its prototype back, unless somebody has given it another since. */
export function withdraw(request: object): void {
  const stand = Reflect.getPrototypeOf(request);
  const prototype = stand === null ? null : Reflect.getPrototypeOf(stand);
  if (prototype !== null && tracked.get(prototype) === stand) Reflect.setPrototypeOf(request, prototype);
  faces.delete(request);
}

function trackedPrototype(prototype: object, added: readonly string[]): object {
  const stand = Object.create(prototype) as object;
  const define = (name: string, read: (face: Face, value: () => unknown) => unknown): void => {
    const found = inherited(prototype, name);
    const original = function (this: unknown): unknown {
      return found?.get === undefined ? (found?.value as unknown) : (found.get.call(this) as unknown);
    };
    const get = function (this: object): unknown {
      const face = faceOf(this);
      return face === undefined ? original.call(this) : read(face, () => original.call(this));
    };
    const set = function (this: object, value: unknown): void {
      if (found?.set !== undefined) found.set.call(this, value);
      else {
        const own = { value, writable: true, enumerable: true, configurable: true };
        if (Reflect.defineProperty(this, name, own)) faceOf(this)?.written(this, name);
      }
    };
    const isReadOnly = found !== undefined && found.set === undefined && found.writable !== true;
    // Without a setter the engine answers a write as it would have.
    Reflect.defineProperty(stand, name, { get, configurable: true, ...(isReadOnly ? {} : { set }) });
  };
  const noted = (name: string) => (face: Face, value: () => unknown) => {
    face.log.identity(name);
    return face.log.unnoticed(value);
  };
  const has = (name: string): boolean => name in prototype;
  for (const name of IDENTITY) define(name, noted(name));
  for (const name of [...ADDRESS.filter(has), ...added])
    if (!IDENTITY.includes(name)) define(name, noted(name));
  for (const name of UNNOTICED.filter(has)) define(name, (face, value) => face.log.unnoticed(value));
  const within = (kind: 'headers' | 'socket') => (face: Face, value: () => unknown) => {
    const found = face.log.unnoticed(value);
    return typeof found === 'object' && found !== null && !face.log.isMuted ? face[kind](found) : found;
  };
  for (const name of HEADERS.filter(has)) define(name, within('headers'));
  for (const name of SOCKETS.filter(has)) define(name, within('socket'));
  return stand;
}

/** The face of a request, or of an object that was made from one. */
function faceOf(object: object): Face | undefined {
  for (let at: object | null = object; at !== null; at = Reflect.getPrototypeOf(at)) {
    const face = faces.get(at);
    if (face !== undefined) return face;
  }
  return undefined;
}

function inherited(prototype: object, name: string): PropertyDescriptor | undefined {
  for (let at: object | null = prototype; at !== null; at = Reflect.getPrototypeOf(at)) {
    const found = Reflect.getOwnPropertyDescriptor(at, name);
    if (found !== undefined) return found;
  }
  return undefined;
}
