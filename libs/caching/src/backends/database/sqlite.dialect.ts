import type { Dialect, Row } from './dialect.js';
import { codeOf, hasCode, indexName, returningReaders, TAKE_OVER } from './dialect-parts.js';
import { quoteTable } from './table.js';

/** The process's own clock. Rounded, because julianday() is exact to the millisecond only as the nearest one. */
const NOW = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)";

/** SQLite 3.35 or later. */
export const sqlite: Dialect = {
  name: 'sqlite',
  quote: '"',
  now: NOW,
  overwrite: TAKE_OVER,
  overwriteExpired: (table) => `${TAKE_OVER} WHERE ${table}.expires_at <= ${NOW}`,
  stamp: NOW,
  bump: { sql: 'number + ?', deltas: 1 },
  // A bare COUNT(*) reads the pages of an index and not its rows.
  count: (table) => `SELECT MIN((SELECT COUNT(*) FROM ${table}), ?) AS total`,
  batch: 50,
  returningHit: ' RETURNING 1 AS hit',
  returningNumber: ' RETURNING number',
  bindKey: (key) => key,
  ...returningReaders((result) => result as Row[]),

  createTable: (table) => {
    // An index lives in the schema that its own name tells; the table's is then not said.
    const index = (column: string) => {
      const name = quoteTable({ schema: table.schema, name: indexName(table, column) }, '"');
      return `CREATE INDEX IF NOT EXISTS ${name} ON "${table.name}" (${column})`;
    };
    return [
      `CREATE TABLE IF NOT EXISTS ${quoteTable(table, '"')} (
  cache_key TEXT NOT NULL PRIMARY KEY,
  payload BLOB,
  number INTEGER,
  expires_at INTEGER,
  written_at INTEGER NOT NULL
)`,
      index('expires_at'),
      index('written_at'),
    ];
  },
  findTable: ({ schema, name }) => ({
    sql: `SELECT 1 AS hit FROM ${quoteTable({ schema: schema ?? 'main', name: 'sqlite_master' }, '"')} WHERE type = 'table' AND name = ?`,
    bindings: [name],
  }),

  isMissingTable: (error) =>
    codeOf(error) === 'SQLITE_ERROR' && /no such table/.test(String((error as Error).message)),
  isCreationRace: (error) => hasCode(error, 'SQLITE_SCHEMA'),
  isGivenUp: () => false,
  isTooLarge: (error) => hasCode(error, 'SQLITE_TOOBIG'),
};
