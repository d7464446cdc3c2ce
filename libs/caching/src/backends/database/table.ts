import { InvalidOptionsError } from '../../errors.js';

/** The name of a table that is safe to write into a statement: only identifiers get this far. */
export interface TableName {
  readonly schema: string | undefined;
  readonly name: string;
}

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/**
 * Reads `table` or `schema.table`; each part is a letter or `_`, then letters, digits and `_`, at most 63 in all.
 *
 * @throws InvalidOptionsError for anything else
 */
export function parseTableName(text: string): TableName {
  const parts = typeof text === 'string' ? text.split('.') : [];
  const name = parts.at(-1);
  if (name === undefined || parts.length > 2 || !parts.every((part) => IDENTIFIER.test(part))) {
    throw new InvalidOptionsError([
      {
        path: 'table',
        message:
          'is not the name of a table. Use letters, digits and _, not beginning with a digit, at most 63 characters: ' +
          '`nestjs_cache`, or with a schema `app.nestjs_cache`.',
      },
    ]);
  }
  return { schema: parts.length === 2 ? parts[0] : undefined, name };
}

/** The name as it stands in a statement, its case kept. */
export function quoteTable({ schema, name }: TableName, quote: string): string {
  const quoted = `${quote}${name}${quote}`;
  return schema === undefined ? quoted : `${quote}${schema}${quote}.${quoted}`;
}
