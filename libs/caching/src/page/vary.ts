import { isToken } from './field-scanner.js';

/** What the `Vary` of a response names (RFC 9110 §12.5.5). */
export interface Vary {
  /** It varies by more than request headers: `*`, or a field that cannot be read with certainty. Never stored. */
  readonly isUnbounded: boolean;
  /** The names of request headers: lower case, each once, in alphabetical order. */
  readonly names: readonly string[];
}

/** Reads a `Vary` field, or its lines. */
export function parseVary(field: string | readonly string[] | undefined): Vary {
  const members = membersOf(field);
  const names = new Set(members.map((member) => member.toLowerCase()));
  return { isUnbounded: names.has('*') || !members.every(isToken), names: [...names].sort() };
}

/**
 * A `Vary` field with names added that are not in it in any case; order and spelling stay. `*` swallows all others.
 * (Django: `patch_vary_headers`)
 */
export function appendVary(
  existing: string | readonly string[] | undefined,
  added: readonly string[],
): string {
  const members = membersOf(existing);
  const present = new Set(members.map((member) => member.toLowerCase()));
  for (const name of added) {
    if (present.has(name.toLowerCase())) continue;
    present.add(name.toLowerCase());
    members.push(name);
  }
  return present.has('*') ? '*' : members.join(', ');
}

/** The members of a list without blanks around them; empty ones do not count (RFC 9110 §5.6.1). */
function membersOf(field: string | readonly string[] | undefined): string[] {
  return [field ?? []]
    .flat()
    .flatMap((line) => line.split(','))
    .map((member) => member.trim())
    .filter((member) => member !== '');
}
