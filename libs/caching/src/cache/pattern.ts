/**
 * Whether a text matches a pattern in which `*` is any text, `?` any one character, and `\` takes the next character as it
 * is. Nothing else means anything. Takes time in proportion to the product of both lengths at worst, whatever the pattern.
 */
export function matcherOf(pattern: string): (text: string) => boolean {
  const parts = partsOf(pattern);
  return (text) => matches(parts, [...text]);
}

const ANY_TEXT = Symbol('*');
const ANY_CHARACTER = Symbol('?');
type Part = string | typeof ANY_TEXT | typeof ANY_CHARACTER;

function partsOf(pattern: string): readonly Part[] {
  const characters = [...pattern];
  const parts: Part[] = [];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === '*') {
      if (parts.at(-1) !== ANY_TEXT) parts.push(ANY_TEXT);
    } else if (character === '?') {
      parts.push(ANY_CHARACTER);
    } else if (character === '\\' && index + 1 < characters.length) {
      index += 1;
      parts.push(characters[index] ?? '');
    } else {
      parts.push(character);
    }
  }
  return parts;
}

/** Greedy, and back to the last `*` when stuck: an earlier one can never help. */
function matches(parts: readonly Part[], text: readonly string[]): boolean {
  let part = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < text.length) {
    const wanted = parts[part];
    if (wanted === ANY_TEXT) {
      star = part;
      starAt = at;
      part += 1;
    } else if (wanted !== undefined && (wanted === ANY_CHARACTER || wanted === text[at])) {
      part += 1;
      at += 1;
    } else if (star !== -1) {
      part = star + 1;
      starAt += 1;
      at = starAt;
    } else {
      return false;
    }
  }
  while (parts[part] === ANY_TEXT) part += 1;
  return part === parts.length;
}
