/** A value bound to a `?` of a statement. */
export type Binding = string | number | null | Buffer;

/** A statement of Knex, sent when it is awaited. */
export interface KnexQuery extends PromiseLike<unknown> {
  timeout(ms: number): KnexQuery;
  /** The statement with its values written in. */
  toQuery(): string;
}

/** What is needed of a Knex instance or of a Knex transaction; `knex({ client: 'pg', connection: … })` has it. */
export interface KnexInstance {
  raw(sql: string, bindings: readonly Binding[]): KnexQuery;
  readonly client: {
    /** `postgresql`, `mysql` or `sqlite3`. */
    readonly dialect?: string;
    /** `pg`, `mysql2`, `better-sqlite3`, … */
    readonly driverName?: string;
    /** For SQLite: where the database is. */
    readonly connectionSettings?: { readonly filename?: string };
  };
}
