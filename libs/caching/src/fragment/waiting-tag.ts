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
 * The markup of a cached block, for engines that wait for it. Such a block can be rendered only while its template waits:
 * later, loops have gone on. So whoever refreshes a stale fragment waits for it as well; others get the stale one.
 *
 * @throws InvalidArgumentError, InvalidDurationError, UnknownCacheError
 */
export async function renderTag(
  loads: FragmentLoads,
  { name, options, vary = [] }: WaitingTag,
  block: (data: unknown) => string | Promise<string>,
): Promise<string> {
  const request = loads.request(name as string, tagOptions(options, vary));
  const make = async (): Promise<string> => block(await dataOf(request));
  return loads.peek(request) ?? loads.load({ request, make, refreshesInPlace: true });
}
