/** What Knex keeps of its connections; the rest of them is the driver's. */
export interface RawConnection {
  /** Why the connection is not used any more. */
  __knex__disposed?: unknown;
}

/** What we replace of Knex's clients. */
export interface KnexClient {
  acquireRawConnection(): Promise<RawConnection>;
  destroyRawConnection(connection: RawConnection): Promise<void>;
  _query(connection: RawConnection, query: object): Promise<object>;
}

export type KnexClientClass = new (config: object) => KnexClient;
