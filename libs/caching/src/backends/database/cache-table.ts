import { dialectOfKnex } from './choose-dialect.js';
import type { Dialect, DialectName } from './dialect.js';
import type { KnexInstance } from './knex-instance.js';
import { mysql } from './mysql.dialect.js';
import { postgres } from './postgres.dialect.js';
import { sqlite } from './sqlite.dialect.js';
import { parseTableName, type TableName } from './table.js';

const DIALECTS: Readonly<Record<DialectName, Dialect>> = { postgres, mysql, sqlite };

/** Several processes that begin together get in each other's way at most so many times. */
const MAX_TURNS = 10;

/**
 * Makes the table of a database cache with its indexes, for a migration:
 *
 * ```ts
 * export const up = (knex: Knex) => createCacheTable(knex, { table: 'nestjs_cache' });
 * ```
 *
 * What is there already is left as it is.
 *
 * @param options `table`: as in the options of the cache, `nestjs_cache` by default
 * @throws InvalidOptionsError if the name is not one of a table, or the instance for another kind of database
 */
export async function createCacheTable(
  knex: KnexInstance,
  options: { readonly table?: string } = {},
): Promise<void> {
  const table = parseTableName(options.table ?? DEFAULT_TABLE);
  await makeTable(dialectOfKnex(knex), table, async (sql) => {
    await knex.raw(sql, []);
  });
}

/**
 * The statements that {@link createCacheTable} sends, as one text.
 *
 * @throws InvalidOptionsError if the name is not one of a table
 */
export function createCacheTableSql(server: DialectName, options: { readonly table?: string } = {}): string {
  const statements = DIALECTS[server].createTable(parseTableName(options.table ?? DEFAULT_TABLE));
  return `${statements.join(';\n')};\n`;
}

/** The table of a cache that names none. */
export const DEFAULT_TABLE = 'nestjs_cache';

/** Sends what makes the table, again if another process was doing the same just then. */
export async function makeTable(
  dialect: Dialect,
  table: TableName,
  send: (sql: string) => Promise<void>,
): Promise<void> {
  for (const sql of dialect.createTable(table)) {
    for (let turn = 1; ; turn += 1) {
      try {
        await send(sql);
        break;
      } catch (error) {
        if (turn === MAX_TURNS || !dialect.isCreationRace(error)) throw error;
      }
    }
  }
}
