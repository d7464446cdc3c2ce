import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import { map, Observable } from 'rxjs';

/*
 * Nest subscribes to Observables, renders views and sends streams outside of what gathers the tags of all that a page reads.
 * Here they are put back inside.
 */

/** Makes a method of a response run where this is called, whoever calls it. */
export function keepScope<Name extends string>(response: { [name in Name]?: unknown }, name: Name): void {
  const method: unknown = response[name];
  if (typeof method !== 'function') return;
  response[name] = AsyncResource.bind(method as () => unknown);
}

/** Makes an Observable, and the streams that it emits, run where this is called, whoever subscribes and reads. */
export function inScope(handled: Observable<unknown>): Observable<unknown> {
  const scope = new AsyncResource('page');
  const subscribed = new Observable<unknown>((subscriber) =>
    scope.runInAsyncScope(() => handled.subscribe(subscriber)),
  );
  return subscribed.pipe(map((value) => readIn(scope, value)));
}

/** A result whose stream, if it is one, is read in a scope. Web streams keep theirs by themselves. */
function readIn(scope: AsyncResource, value: unknown): unknown {
  const source = value instanceof StreamableFile ? value.getStream() : value;
  if (source instanceof Readable) {
    const { _read: read } = source;
    source._read = (size) => scope.runInAsyncScope(read, source, size);
    return value;
  }
  if (!isIterable(source) || 'getReader' in source || 'then' in source) return value;
  return {
    [Symbol.asyncIterator]() {
      const parts = source[Symbol.asyncIterator]();
      return {
        next: () => scope.runInAsyncScope(() => parts.next()),
        return: async () =>
          (await scope.runInAsyncScope(() => parts.return?.())) ?? { done: true, value: undefined },
      };
    },
  };
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  if (typeof value !== 'object' || value === null || !(Symbol.asyncIterator in value)) return false;
  return typeof value[Symbol.asyncIterator] === 'function';
}
