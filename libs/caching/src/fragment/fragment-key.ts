import { escapeKey, escapeSegment } from '../cache/keys.js';
import { InvalidArgumentError } from '../errors.js';

/** What a fragment may differ by. `null` is a value, such as "nobody is signed in". */
export type FragmentVary = string | number | boolean | bigint | Date | null;

/**
 * What a fragment is kept under: its name and the values that it varies on, each with its type and its length, so that no
 * two lists give one key: `1` and `'1'` differ, and so do `['a:', 'b']` and `['a', ':b']`. (Django:
 * `make_template_fragment_key`)
 *
 * Language and user are not in it unless they are among the values.
 *
 * @throws InvalidArgumentError for a value of another type. `undefined` is one: a misspelt `usr.id` would give everybody
 * the fragment of whoever comes first. Say `null` for nobody.
 */
export function fragmentKey(name: string, varyOn: readonly FragmentVary[] = []): string {
  if (typeof name !== 'string' || name === '')
    throw new InvalidArgumentError('A fragment needs a name: literal text that is not empty.');
  if (!Array.isArray(varyOn))
    throw new InvalidArgumentError(`What fragment "${name}" varies on must be a list, such as [user.id].`);
  return `${escapeSegment(name)}:${varyOn.map((value, index) => part(name, value, index)).join(',')}`;
}

function part(name: string, value: unknown, index: number): string {
  const [type, text] = typed(value);
  if (type === undefined) {
    throw new InvalidArgumentError(
      `Fragment "${name}" varies on text, numbers, booleans, bigints, dates and null, and value ${index + 1} is ${text}. ` +
        'Give an id, or null where there is none.',
    );
  }
  const escaped = escapeKey(text);
  return `${type}${escaped.length}:${escaped}`;
}

/** A letter for the type, and the value as text; no letter for what cannot be told apart. */
function typed(value: unknown): readonly [type: string | undefined, text: string] {
  switch (typeof value) {
    case 'string':
      return ['s', value];
    case 'number':
      return ['n', String(value)];
    case 'boolean':
      return ['b', String(value)];
    case 'bigint':
      return ['i', String(value)];
    default:
      if (value === null) return ['z', ''];
      if (value instanceof Date && !Number.isNaN(value.getTime())) return ['d', String(value.getTime())];
      return [undefined, value === undefined ? 'undefined' : `of type ${typeof value}`];
  }
}
