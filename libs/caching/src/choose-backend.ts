import { type BackendName, BACKEND_NAMES, backendOfScheme } from './backends/backend-registry.js';
import type { OptionProblem } from './errors.js';
import { at, suggestion } from './option-problems.js';

const SCHEME = /^[a-z][a-z\d+.-]*:/i;
/** What is often given in the place of a URL, where the host would pass for a scheme: `localhost:6379`. */
const HOST_AND_PORT = /^[a-z\d.-]+:\d+(?=\/|$)/i;

/** The backend that a cache names, or that the scheme of its URL belongs to. */
export function chooseBackend(
  backend: unknown,
  url: unknown,
  path: string,
  problems: OptionProblem[],
): BackendName | undefined {
  if (backend !== undefined && !BACKEND_NAMES.includes(backend as BackendName)) {
    const hint = typeof backend === 'string' ? suggestion(backend, BACKEND_NAMES) : '';
    const allowed = `use one of ${BACKEND_NAMES.join(', ')}, or an object that implements CacheBackend`;
    problems.push({ path: at(path, 'backend'), message: `unknown backend${hint}; ${allowed}` });
    return undefined;
  }
  if (url === undefined) return (backend as BackendName | undefined) ?? 'memory';
  const server = typeof url === 'string' ? HOST_AND_PORT.exec(url)?.[0] : undefined;
  if (server !== undefined) {
    const message = `a server, and not what kind of server it is; write redis://${server} if it is Redis`;
    problems.push({ path: at(path, 'url'), message });
    return undefined;
  }
  const scheme = typeof url === 'string' ? SCHEME.exec(url)?.[0].toLowerCase() : undefined;
  const byScheme = scheme === undefined ? undefined : backendOfScheme(scheme);
  // The list of servers in a memcached URL is more than a URL may hold.
  const isReadable = byScheme === 'memcached' || URL.canParse(url as string);
  if (byScheme === undefined || !isReadable || (backend !== undefined && backend !== byScheme)) {
    const message =
      scheme === undefined || (byScheme !== undefined && !isReadable)
        ? 'not a URL; write one such as redis://localhost:6379/0'
        : `the scheme ${scheme} ${byScheme === undefined ? 'belongs to no backend' : `belongs to the ${byScheme} backend`}`;
    problems.push({ path: at(path, 'url'), message });
    return undefined;
  }
  return byScheme;
}

/** Reports fields that exclude each other, or of which one must be there. */
export function checkOneOf(
  fields: readonly string[],
  given: Readonly<Record<string, unknown>>,
  path: string,
  problems: OptionProblem[],
): void {
  if (fields.filter((field) => given[field] !== undefined).length === 1) return;
  problems.push({ path: at(path, 'url'), message: `give exactly one of ${fields.join(', ')}` });
}

/** Reports what a backend of the caller's lacks. */
export function checkInstance(backend: object, path: string, problems: OptionProblem[]): void {
  const missing = ['get', 'set', 'delete', 'ttl', 'clear', 'close', 'capabilities'].filter(
    (part) => !(part in backend),
  );
  if (missing.length === 0) return;
  problems.push({
    path: at(path, 'backend'),
    message: `does not implement CacheBackend: ${missing.join(', ')} missing`,
  });
}
