import { types } from 'node:util';
import { dataOf, type FragmentLoads } from './fragment-loads.js';
import { tagOptions } from './tag-options.js';

/** A cached block as an author wrote it. */
export interface WaitingTag {
  readonly name: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  /** Values that follow the name. */
  readonly vary?: readonly unknown[];
}

/**
 * The markup of a cached block, for engines that wait for it; at once if it is at hand. Such a block can be rendered only
 * while its template waits: later, loops have gone on. So whoever refreshes a stale fragment waits for it as well; others
 * get the stale one.
 *
 * @param begin called at once for a block that is not at hand: keeps what surrounds it, since a page goes on without one that
 * takes too long, and answers what renders it
 * @throws InvalidArgumentError, InvalidDurationError, UnknownCacheError
 */
export function renderTag(
  loads: FragmentLoads,
  { name, options, vary }: WaitingTag,
  begin: () => (data: unknown) => string | Promise<string>,
): string | Promise<string> {
  const found = loads.find(name as string, tagOptions(options, vary));
  if (typeof found === 'string') return found;
  const block = begin();
  const make = async (): Promise<string> => block(await dataOf(found));
  return loads.load({ request: found, make, refreshesInPlace: true }).catch((error: unknown) => {
    throw types.isNativeError(error) ? copied(error) : error;
  });
}

/** An error of one's own: many may get the same one, and some engines write into it where it was on its way. */
function copied(error: Error): Error {
  const { stack } = error;
  const copy = Object.defineProperties(new Error(), Object.getOwnPropertyDescriptors(error));
  // V8 shows a stack only of the error that it was taken for.
  Object.defineProperty(copy, 'stack', { value: stack, writable: true, configurable: true });
  return Object.setPrototypeOf(copy, Object.getPrototypeOf(error) as object) as Error;
}
