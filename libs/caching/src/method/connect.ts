import { Inject, Optional } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { NotConnectedError } from '../errors.js';
import { MethodCaches } from './method-caches.js';

/** Where an object of a decorated class has the caches of the application that it belongs to. */
const CACHES = Symbol('nestjs-caching:caches');
/** What Nest sets last. */
const INJECTED = Symbol('nestjs-caching:injected');

/** An object of a decorated class, as Nest leaves it. */
interface Connected {
  [CACHES]?: unknown;
}

/**
 * Lets Nest put the caches of the application into each object of a class, and into those of its subclasses: by property
 * injection, so that request-scoped objects get them too and two applications in one process have their own.
 */
export function connect(prototype: object): void {
  if (Object.hasOwn(prototype, INJECTED)) return;
  // Optional, since the message of Nest for a missing dependency would not name the remedy; ours does.
  Inject(MethodCaches)(prototype, CACHES);
  Optional()(prototype, CACHES);
  Inject(ModuleRef)(prototype, INJECTED);
  Object.defineProperty(prototype, INJECTED, {
    configurable: true,
    set(this: Connected) {
      cachesOf(this, prototype.constructor.name);
    },
  });
}

/** For objects that Nest did not make itself: what factories and `useValue` give. */
export function connectInstance(instance: object, caches: MethodCaches): void {
  Object.defineProperty(instance, CACHES, { configurable: true, writable: true, value: caches });
}

/** @throws NotConnectedError, naming the method or the class */
export function cachesOf(instance: object | undefined, title: string): MethodCaches {
  const caches = (instance as Connected | undefined)?.[CACHES];
  if (caches instanceof MethodCaches) return caches;
  throw new NotConnectedError(title);
}
