import { PeerMissingError } from '../errors.js';

/**
 * Loads an optional package at its first use.
 *
 * @param load the import itself, written where it is used so that its types are known: `() => import('knex')`
 * @throws PeerMissingError with the install command if the package is not there
 */
export async function importPeer<T>(
  packageName: string,
  neededBy: string,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    if (isMissing(cause, packageName)) throw new PeerMissingError(packageName, neededBy, { cause });
    throw cause;
  }
}

/**
 * Only the package itself: one that is there and misses a dependency of its own says so better than we could. By its
 * shape, because a loader may throw the error of another realm, as Jest's does.
 */
function isMissing(cause: unknown, packageName: string): boolean {
  if (typeof cause !== 'object' || cause === null) return false;
  const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown };
  const notFound = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
  return notFound && typeof message === 'string' && message.includes(`'${packageName}'`);
}
