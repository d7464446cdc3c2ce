import { InvalidDecorationError } from '../errors.js';
import { cachesOf, connect } from './connect.js';
import { addDecoration, type Decoration, titleOf } from './decorations.js';
import type { MethodCaches } from './method-caches.js';

/** One call of a decorated method. */
export interface Call {
  readonly caches: MethodCaches;
  readonly self: object;
  readonly args: readonly unknown[];
}

/** Calls the method itself. */
export type Original = (call: Call, args?: readonly unknown[]) => Promise<unknown>;

type Method = (...args: unknown[]) => Promise<unknown>;

/**
 * Puts something around a method of a class, in its place: so it holds for calls by `this` and `super`, too. What others
 * know the method by stays: its name, its length, and what other decorators have recorded on it.
 *
 * @param around answers for the method; what it throws is a rejection
 * @throws InvalidDecorationError on anything but a method of objects
 */
export function decorate(
  decoration: Omit<Decoration, 'owner' | 'method'>,
  around: (call: Call, original: Original, decoration: Decoration) => Promise<unknown>,
) {
  return (target: object, method: string | symbol, descriptor?: PropertyDescriptor): void => {
    const value: unknown = descriptor?.value;
    if (typeof target === 'function' || typeof value !== 'function' || descriptor === undefined) {
      throw new InvalidDecorationError(
        `@${decoration.decorator} goes on a method of a class that answers a promise. Static methods, getters and properties ` +
          'have no place for it: call such a method from them.',
      );
    }
    const placed: Decoration = { ...decoration, owner: target, method };
    const title = titleOf(placed);
    const original: Original = ({ self, args }, given = args) => (value as Method).apply(self, [...given]);
    addDecoration(placed);
    connect(target);
    // Not an async function: a hit would pay for a second promise.
    descriptor.value = likeMethod(value as Method, function (this: object, ...args: unknown[]) {
      try {
        return Promise.resolve(around({ caches: cachesOf(this, title), self: this, args }, original, placed));
      } catch (error) {
        return Promise.reject(error);
      }
    });
  };
}

/** Calls a function of the options, on the object of the call. */
export function ask<T>(
  option: (this: never, ...args: never[]) => T,
  { self }: Call,
  args: readonly unknown[],
): T {
  return Reflect.apply(option as (...args: unknown[]) => T, self, args);
}

/** Gives a function what others know a method by. */
function likeMethod(method: Method, replacement: Method): Method {
  for (const property of Reflect.ownKeys(method)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(method, property);
    if (descriptor?.configurable === true) Object.defineProperty(replacement, property, descriptor);
  }
  for (const key of Reflect.getOwnMetadataKeys(method)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), replacement);
  }
  return replacement;
}
