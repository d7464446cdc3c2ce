import { InvalidArgumentError } from '../../errors.js';

/** A cached block as it begins in an engine whose tags are script. */
export interface Opening {
  /** The name and perhaps an object with options, as script. */
  readonly given: string;
  /** The name of the block's data. */
  readonly as: string;
}

const LITERAL_NAME = /^(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')\s*(?:,|$)/;
const AS = /\sas\s+([A-Za-z_$][\w$]*)\s*$/;

/**
 * Reads `cache "name", { … } as rows`; `undefined` for script that only begins with the word. The name is literal text.
 *
 * @param where the file and line, for errors
 * @throws InvalidArgumentError
 */
export function blockOpening(script: string, where: string): Opening | undefined {
  const rest = /^\s*cache\b([^]*)$/.exec(script)?.[1];
  if (rest === undefined || /^\s*[^\s\w"'`$]/.test(rest)) return undefined;
  const as = AS.exec(rest)?.[1];
  const given = rest.replace(AS, '').trim();
  if (LITERAL_NAME.test(given)) return { given, as: as ?? '__data' };
  throw new InvalidArgumentError(
    `${where}: cache takes the name of the fragment first, as literal text: cache "popular", { ttl: "15m" }.`,
  );
}
