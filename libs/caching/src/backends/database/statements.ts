import type { Dialect } from './dialect.js';
import { quoteTable, type TableName } from './table.js';

/** Every statement of the backend, with `?` for what is bound, in the order in which the names stand. */
export interface Statements {
  /** keys → name, payload, number of those present */
  readonly read: (keys: number) => string;
  /** key → life in ms, or null */
  readonly life: string;
  /** (key, payload, number, ttl) each */
  readonly write: (rows: number) => string;
  /** key, payload, number, ttl */
  readonly add: string;
  /** ttl, key */
  readonly touch: string;
  /** delta as often as {@link Dialect.bump} has it, key, lowest, highest */
  readonly bump: string;
  /** payload, number, ttl, key, expected */
  readonly replace: (column: ValueColumn) => string;
  /** key, expected */
  readonly removeExpected: (column: ValueColumn) => string;
  /** keys; removes those present */
  readonly remove: (keys: number) => string;
  /** keys; removes those expired */
  readonly removeExpired: (keys: number) => string;
  /** keys, moment; removes those not written since */
  readonly removeOlder: (keys: number) => string;
  /** keys; removes whatever is there */
  readonly removeAny: (keys: number) => string;
  /** limit → name of those expired, longest ago first */
  readonly listExpired: string;
  /** limit → name and written, oldest first */
  readonly listOldest: string;
  /** limit → total, the number of rows, counted no further than the limit */
  readonly count: string;
  /** after, (before,) limit → name, in the order of the keys; `after` itself is included if `from` */
  readonly list: (range: {
    readonly from: boolean;
    readonly bounded: boolean;
    readonly present: boolean;
  }) => string;
}

/** The column that holds a payload: bytes or an integer. */
export type ValueColumn = 'payload' | 'number';

export function statementsFor(dialect: Dialect, tableName: TableName): Statements {
  const table = quoteTable(tableName, dialect.quote);
  const { now, returningHit } = dialect;
  const present = `(expires_at IS NULL OR expires_at > ${now})`;
  const columns = 'cache_key, payload, number, expires_at, written_at';
  const values = `(?, ?, ?, ${now} + ?, ${now})`;
  const among = (keys: number) => `cache_key IN (${marks(keys)})`;
  const removal = (condition: string) => `DELETE FROM ${table} WHERE ${condition}${returningHit}`;
  // The age of a busy counter is kept to the minute, so that most increments leave the indexes alone.
  const lazyStamp = `CASE WHEN written_at < ${now} - 60000 THEN ${now} ELSE written_at END`;

  return {
    read: (keys) =>
      `SELECT cache_key AS name, payload, number FROM ${table} WHERE ${among(keys)} AND ${present}`,
    life: `SELECT expires_at - ${now} AS life FROM ${table} WHERE cache_key = ? AND ${present}`,
    write: (rows) => `INSERT INTO ${table} (${columns}) VALUES ${repeat(values, rows)} ${dialect.overwrite}`,
    add: `INSERT INTO ${table} (${columns}) VALUES ${values} ${dialect.overwriteExpired(table)}${returningHit}`,
    touch:
      `UPDATE ${table} SET expires_at = ${now} + ?, written_at = ${dialect.stamp} ` +
      `WHERE cache_key = ? AND ${present}${returningHit}`,
    bump:
      `UPDATE ${table} SET number = ${dialect.bump.sql}, written_at = ${lazyStamp} ` +
      `WHERE cache_key = ? AND ${present} AND number BETWEEN ? AND ?${dialect.returningNumber}`,
    replace: (column) =>
      `UPDATE ${table} SET payload = ?, number = ?, expires_at = ${now} + ?, written_at = ${dialect.stamp} ` +
      `WHERE cache_key = ? AND ${column} = ? AND ${present}${returningHit}`,
    removeExpected: (column) => removal(`cache_key = ? AND ${column} = ? AND ${present}`),
    remove: (keys) => removal(`${among(keys)} AND ${present}`),
    removeExpired: (keys) => removal(`${among(keys)} AND expires_at <= ${now}`),
    removeOlder: (keys) => removal(`${among(keys)} AND written_at <= ?`),
    removeAny: (keys) => removal(among(keys)),
    listExpired: `SELECT cache_key AS name FROM ${table} WHERE expires_at <= ${now} ORDER BY expires_at LIMIT ?`,
    listOldest: `SELECT cache_key AS name, written_at AS written FROM ${table} ORDER BY written_at LIMIT ?`,
    count: dialect.count(table),
    list: ({ from, bounded, present: onlyPresent }) =>
      `SELECT cache_key AS name FROM ${table} WHERE cache_key ${from ? '>=' : '>'} ?` +
      `${bounded ? ' AND cache_key < ?' : ''}${onlyPresent ? ` AND ${present}` : ''} ORDER BY cache_key LIMIT ?`,
  };
}

function marks(count: number): string {
  return repeat('?', count);
}

function repeat(text: string, count: number): string {
  return new Array<string>(count).fill(text).join(', ');
}
