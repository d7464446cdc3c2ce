import type { Dialect, Row } from './dialect.js';
import { countUpTo, hasCode } from './dialect-parts.js';
import { quoteTable } from './table.js';

/** Without the session's time zone, which has an hour twice a year in which UNIX_TIMESTAMP() is ambiguous. */
const NOW = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)";

/** Assignments are made from left to right, and each sees the ones before it: `expires_at` comes last. */
const COLUMNS = ['payload', 'number', 'written_at', 'expires_at'] as const;

/** What LAST_INSERT_ID was given when the row was there and alive; a plain insert leaves it at 0. */
const ALIVE = 2;

interface Header {
  readonly affectedRows: number | string;
  readonly insertId: number | string;
}

/**
 * MySQL 5.7 or later and MariaDB 10.3 or later, through mysql2.
 *
 * How many rows an UPDATE counts depends on a flag of the connection (found or changed), so what happened is told through
 * LAST_INSERT_ID(expression), which comes back with the same answer.
 */
export const mysql: Dialect = {
  name: 'mysql',
  quote: '`',
  now: NOW,
  overwrite: `ON DUPLICATE KEY UPDATE ${COLUMNS.map((column) => `${column} = VALUES(${column})`).join(', ')}`,
  overwriteExpired: () => {
    const take = (column: string, condition: string) =>
      `${column} = IF(${condition}, VALUES(${column}), ${column})`;
    const expired = `expires_at <= ${NOW}`;
    const told = `LAST_INSERT_ID(IF(${expired}, 1, ${ALIVE})) = 1`;
    return `ON DUPLICATE KEY UPDATE ${COLUMNS.map((column) => take(column, column === 'written_at' ? told : expired)).join(', ')}`;
  },
  stamp: `${NOW} + 0 * LAST_INSERT_ID(1)`,
  // 0 is kept for "no row": numbers from 0 go one higher.
  bump: {
    sql: 'number + ? + 0 * CAST(LAST_INSERT_ID(number + ? + IF(number + ? >= 0, 1, 0)) AS SIGNED)',
    deltas: 3,
  },
  count: countUpTo,
  batch: 250,
  returningHit: '',
  returningNumber: '',
  // As bytes, which the driver writes as X'…': exact, and safe under every sql_mode.
  bindKey: (key) => Buffer.from(key),
  rows: (result) => (result as [Row[]])[0],
  updated: (result) => insertId(result) !== 0,
  added: (result) => insertId(result) !== ALIVE,
  deleted: (result) => Number(header(result).affectedRows),
  bumped: (result) => {
    const id = insertId(result);
    if (id === 0) return undefined;
    return id > 0 ? id - 1 : id;
  },

  statementLimit: 'SELECT @@max_allowed_packet AS total',

  createTable: (table) => [
    `CREATE TABLE IF NOT EXISTS ${quoteTable(table, '`')} (
  cache_key VARBINARY(250) NOT NULL PRIMARY KEY,
  payload LONGBLOB,
  number BIGINT,
  expires_at BIGINT,
  written_at BIGINT NOT NULL,
  INDEX expires_at (expires_at),
  INDEX written_at (written_at)
) ENGINE=InnoDB`,
  ],
  findTable: ({ schema, name }) => ({
    sql: 'SELECT 1 AS hit FROM information_schema.tables WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?',
    bindings: [schema ?? null, name],
  }),

  isMissingTable: (error) => hasCode(error, 'ER_NO_SUCH_TABLE'),
  isCreationRace: (error) => hasCode(error, 'ER_TABLE_EXISTS_ERROR', 'ER_LOCK_DEADLOCK'),
  isGivenUp: (error) => hasCode(error, 'ER_LOCK_DEADLOCK', 'ER_CHECKREAD'),
  isTooLarge: (error) => hasCode(error, 'ER_NET_PACKET_TOO_LARGE'),
};

function header(result: unknown): Header {
  return (result as [Header])[0];
}

function insertId(result: unknown): number {
  return Number(header(result).insertId);
}
