import type { Binding } from './knex-instance.js';
import type { TableName } from './table.js';

export type DialectName = 'postgres' | 'mysql' | 'sqlite';

/** A row as the statements name its columns; which of them are there depends on the statement. */
export interface Row {
  readonly name?: unknown;
  readonly payload?: unknown;
  readonly number?: unknown;
  readonly life?: unknown;
  readonly written?: unknown;
  readonly total?: unknown;
}

/** What one kind of server says in its own way. The statements around it, the same for all, are in statements.ts. */
export interface Dialect {
  readonly name: DialectName;
  /** Encloses an identifier. */
  readonly quote: '"' | '`';
  /** SQL: milliseconds since 1970 by the server's clock, one value throughout a statement. */
  readonly now: string;
  /** Follows VALUES: what is inserted takes the place of the row that is there. */
  readonly overwrite: string;
  /** Follows VALUES: the same, but only if the row has expired. `table` is quoted. */
  readonly overwriteExpired: (table: string) => string;
  /** SQL: {@link now}, in an UPDATE whose result {@link updated} reads. */
  readonly stamp: string;
  /** SQL: `number` plus a delta, which is bound so many times; in an UPDATE whose result {@link bumped} reads. */
  readonly bump: { readonly sql: string; readonly deltas: number };
  /** SQL: `total`, the number of rows, counted no further than a bound limit where counting is dear. `table` is quoted. */
  readonly count: (table: string) => string;
  /** Rows listed or removed in one statement: few enough to hold up nobody, our own event loop included. */
  readonly batch: number;
  /** Ends a statement whose result is counted. */
  readonly returningHit: string;
  /** Ends an UPDATE of `number`. */
  readonly returningNumber: string;

  readonly bindKey: (key: string) => Binding;
  readonly rows: (result: unknown) => readonly Row[];
  /** Whether an UPDATE found its row, changed or not. */
  readonly updated: (result: unknown) => boolean;
  /** Whether an INSERT with {@link overwriteExpired} stored something. */
  readonly added: (result: unknown) => boolean;
  /** How many rows a DELETE removed. */
  readonly deleted: (result: unknown) => number;
  /** The new number, or `undefined` if the UPDATE found no row. */
  readonly bumped: (result: unknown) => number | undefined;

  /** A query for `total`, the most bytes of a statement, where the server cuts the connection of who sends more. */
  readonly statementLimit?: string;

  /** Statements that make the table and its indexes, and do nothing where they are there. */
  readonly createTable: (table: TableName) => readonly string[];
  /** A query with a row if the table is there. */
  readonly findTable: (table: TableName) => { readonly sql: string; readonly bindings: readonly Binding[] };

  /** The statement failed because there is no table. */
  readonly isMissingTable: (error: unknown) => boolean;
  /** Somebody else was creating the table at that moment. */
  readonly isCreationRace: (error: unknown) => boolean;
  /** The server gave the statement up, undone, so that another could go on; sent again it will pass. */
  readonly isGivenUp: (error: unknown) => boolean;
  /** The server does not take a statement of this size. */
  readonly isTooLarge: (error: unknown) => boolean;
}
