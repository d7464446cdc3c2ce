import { AsyncResource } from 'node:async_hooks';
import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';

/*
 * Nest renders views and sends streams when the handler has returned, outside of what gathers the tags of all that its page
 * reads. Here both are put back inside.
 */

/** Makes a method of a response run where this is called, whoever calls it. */
export function keepScope<Name extends string>(response: { [name in Name]?: unknown }, name: Name): void {
  const method: unknown = response[name];
  if (typeof method !== 'function') return;
  response[name] = AsyncResource.bind(method as () => unknown);
}

/** Answers what makes the source of a stream, if it is given one, run where this was called, whoever reads. */
export function scopeOfReads(): (given: unknown) => void {
  const scope = new AsyncResource('page');
  return (given) => {
    const source = given instanceof StreamableFile ? given.getStream() : given;
    if (!(source instanceof Readable)) return;
    const { _read: read } = source;
    source._read = (size) => scope.runInAsyncScope(read, source, size);
  };
}
