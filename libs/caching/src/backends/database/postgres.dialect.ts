import type { Dialect, Row } from './dialect.js';
import { countUpTo, hasCode, indexName, returningReaders, TAKE_OVER } from './dialect-parts.js';
import { quoteTable } from './table.js';

/** The moment at which the statement arrived: the same throughout, and fit for an index, unlike clock_timestamp(). */
const NOW = '(extract(epoch from statement_timestamp()) * 1000)::bigint';

/** PostgreSQL 9.5 or later, and what speaks like it. */
export const postgres: Dialect = {
  name: 'postgres',
  quote: '"',
  now: NOW,
  overwrite: TAKE_OVER,
  overwriteExpired: (table) => `${TAKE_OVER} WHERE ${table}.expires_at <= ${NOW}`,
  stamp: NOW,
  bump: { sql: 'number + ?', deltas: 1 },
  count: countUpTo,
  batch: 250,
  returningHit: ' RETURNING 1 AS hit',
  returningNumber: ' RETURNING number',
  bindKey: (key) => key,
  ...returningReaders((result) => (result as { rows: Row[] }).rows),

  // One text, so one transaction: never a table without its indexes.
  createTable: (table) => {
    const quoted = quoteTable(table, '"');
    const index = (column: string) =>
      `CREATE INDEX IF NOT EXISTS "${indexName(table, column)}" ON ${quoted} (${column})`;
    return [
      `CREATE TABLE IF NOT EXISTS ${quoted} (
  cache_key varchar(250) COLLATE "C" PRIMARY KEY,
  payload bytea,
  number bigint,
  expires_at bigint,
  written_at bigint NOT NULL
);
${index('expires_at')};
${index('written_at')}`,
    ];
  },
  findTable: (table) => ({
    sql: 'SELECT 1 AS hit WHERE to_regclass(?) IS NOT NULL',
    bindings: [quoteTable(table, '"')],
  }),

  isMissingTable: (error) => hasCode(error, '42P01'),
  // IF NOT EXISTS looks before it locks: a twin fails on the catalogue's unique indexes or on what it finds there.
  isCreationRace: (error) => hasCode(error, '23505', '42P07', '42710', 'XX000', '40P01'),
  isGivenUp: (error) => hasCode(error, '40P01', '40001'),
  isTooLarge: (error) => hasCode(error, '54000', '22001'),
};
