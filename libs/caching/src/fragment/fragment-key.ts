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
  let key = `${escapeSegment(name)}:`;
  for (let index = 0; index < varyOn.length; index += 1)
    key += index === 0 ? part(name, varyOn, index) : `,${part(name, varyOn, index)}`;
  return key;
}

/** A letter for the type, the length, and the value as text. Numbers and their like have nothing to escape. */
function part(name: string, values: readonly unknown[], index: number): string {
  const value = values[index];
  switch (typeof value) {
    case 'string':
      return sized('s', escapeKey(value));
    case 'number':
      return sized('n', String(value));
    case 'boolean':
      return sized('b', String(value));
    case 'bigint':
      return sized('i', String(value));
    default:
      if (value === null) return sized('z', '');
      if (value instanceof Date && !Number.isNaN(value.getTime())) return sized('d', String(value.getTime()));
      throw new InvalidArgumentError(
        `Fragment "${name}" varies on text, numbers, booleans, bigints, dates and null, and value ${index + 1} is ` +
          `${value === undefined ? 'undefined' : `of type ${typeof value}`}. Give an id, or null where there is none.`,
      );
  }
}

function sized(type: string, text: string): string {
  return `${type}${text.length}:${text}`;
}
