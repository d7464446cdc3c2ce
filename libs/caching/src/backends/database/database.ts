import type { Dialect } from './dialect.js';
import type { Binding, KnexInstance } from './knex-instance.js';
import { type ConnectionOptions, type DatabaseSource, openKnex, type OwnKnex } from './open-knex.js';
import { makeTable } from './cache-table.js';
import type { TableName } from './table.js';

export interface DatabaseOptions extends ConnectionOptions {
  readonly queryTimeoutMs: number;
  readonly createTable: boolean;
}

/** How often a statement is sent that the server gives up in favour of another one. */
const MAX_TURNS = 10;

/**
 * Sends single statements, each a transaction of its own. It connects for the first one, makes the table when one finds
 * it missing, and never ends an instance that it was given.
 */
export class Database {
  private opening: Promise<OwnKnex> | undefined;
  private making: Promise<void> | undefined;
  private closed = false;

  constructor(
    readonly dialect: Dialect,
    private readonly source: DatabaseSource,
    private readonly table: TableName,
    private readonly options: DatabaseOptions,
  ) {}

  /** The server's answer, to be read with the dialect. */
  async run(sql: string, bindings: readonly Binding[]): Promise<unknown> {
    const knex = await this.connect();
    try {
      return await this.insist(knex, sql, bindings);
    } catch (error) {
      if (!this.options.createTable || !this.dialect.isMissingTable(error)) throw error;
    }
    await this.makeTable(knex);
    return this.insist(knex, sql, bindings);
  }

  /** Ends our own connections, within a limit. */
  async close(): Promise<void> {
    this.closed = true;
    const own = await this.opening?.catch(() => undefined);
    await own?.close();
  }

  private async connect(): Promise<KnexInstance> {
    if (this.closed) throw new Error('The database backend is closed.');
    if ('knex' in this.source) return this.source.knex;
    if (this.opening === undefined) {
      this.opening = openKnex(this.dialect, this.source.url, this.options);
      // A driver may be installed later.
      this.opening.catch(() => (this.opening = undefined));
    }
    const { knex } = await this.opening;
    if (this.closed) throw new Error('The database backend is closed.');
    return knex;
  }

  /** In a deadlock the server picks a victim and undoes it; its turn comes again at once. */
  private async insist(knex: KnexInstance, sql: string, bindings: readonly Binding[]): Promise<unknown> {
    for (let turn = 1; ; turn += 1) {
      try {
        return await this.send(knex, sql, bindings);
      } catch (error) {
        if (turn === MAX_TURNS || !this.dialect.isGivenUp(error)) throw error;
      }
    }
  }

  private async send(knex: KnexInstance, sql: string, bindings: readonly Binding[]): Promise<unknown> {
    const query = knex.raw(sql, bindings).timeout(this.options.queryTimeoutMs);
    try {
      return await query;
    } catch (error) {
      if (error !== null && typeof error === 'object') eraseValues(error, () => query.toQuery());
      throw error;
    }
  }

  private makeTable(knex: KnexInstance): Promise<void> {
    this.making ??= makeTable(this.dialect, this.table, async (sql) => {
      await this.send(knex, sql, []);
    }).finally(() => (this.making = undefined));
    return this.making;
  }
}

/** Knex and the drivers hang the statement with its values on their errors, and write it in front of the message. */
function eraseValues(error: object, withValues: () => string): void {
  Reflect.deleteProperty(error, 'sql');
  Reflect.deleteProperty(error, 'bindings');
  const { message } = error as { message?: unknown };
  if (typeof message !== 'string') return;
  const statement = `${withValues()} - `;
  if (message.startsWith(statement)) Object.assign(error, { message: message.slice(statement.length) });
}
