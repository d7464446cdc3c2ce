import { closest, distance } from 'fastest-levenshtein';
import { InvalidDecorationError, type OptionProblem, problemList } from './errors.js';

/** Reports each option that nobody knows, with what is allowed and what may have been meant. */
export function reportUnknown(
  unknown: readonly string[],
  allowed: readonly string[],
  path: string,
  problems: OptionProblem[],
): void {
  for (const key of unknown) {
    const message = `unknown option${suggestion(key, allowed)}; allowed here: ${allowed.join(', ')}`;
    problems.push({ path: at(path, key), message });
  }
}

/** `, did you mean "ttl"?` where something allowed is near enough. */
export function suggestion(given: string, allowed: readonly string[]): string {
  if (allowed.length === 0) return '';
  const near = closest(given, allowed);
  return distance(given, near) <= Math.max(2, given.length / 3) ? `, did you mean "${near}"?` : '';
}

/** The path of a field: `caches.reports.ttl`. */
export function at(path: string, field: string): string {
  return path === '' || field === '' ? path + field : `${path}.${field}`;
}

/** @throws InvalidDecorationError with all problems of the options of `@Cached`, or of `@CachePage on Shop.list` */
export function refuseDecoration(decorator: string, problems: readonly OptionProblem[]): void {
  if (problems.length > 0)
    throw new InvalidDecorationError(`The options of ${decorator} have ${problemList(problems)}`);
}
