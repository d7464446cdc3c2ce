import { createHash } from 'node:crypto';

import type { Row } from './dialect.js';
import type { TableName } from './table.js';

/** SQL that upserts of PostgreSQL and SQLite share. */
export const TAKE_OVER =
  'ON CONFLICT (cache_key) DO UPDATE SET payload = excluded.payload, number = excluded.number, ' +
  'expires_at = excluded.expires_at, written_at = excluded.written_at';

/** Reads the index on `written_at`, and no more of it than is asked for. */
export function countUpTo(table: string): string {
  return `SELECT COUNT(*) AS total FROM (SELECT written_at FROM ${table} ORDER BY written_at LIMIT ?) AS counted`;
}

/** Readers for the dialects that answer every write with RETURNING. */
export function returningReaders(rows: (result: unknown) => readonly Row[]) {
  return {
    rows,
    updated: (result: unknown) => rows(result).length > 0,
    added: (result: unknown) => rows(result).length > 0,
    deleted: (result: unknown) => rows(result).length,
    bumped: (result: unknown) => {
      const row = rows(result)[0];
      return row === undefined ? undefined : Number(row.number);
    },
  };
}

/** The longest identifier that PostgreSQL keeps; a longer one is cut, and may then be the name of something else. */
const MAX_IDENTIFIER = 63;

/** The name of an index, within what every server keeps, and another one for every table. */
export function indexName({ name }: TableName, column: string): string {
  const plain = `${name}_${column}`;
  if (plain.length <= MAX_IDENTIFIER) return plain;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 12);
  return `${name.slice(0, MAX_IDENTIFIER - column.length - digest.length - 2)}_${digest}_${column}`;
}

/** The code of a driver's error, as `42P01` or `ER_NO_SUCH_TABLE`. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whether a driver's error has one of the codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = codeOf(error);
  return code !== undefined && codes.includes(code);
}
