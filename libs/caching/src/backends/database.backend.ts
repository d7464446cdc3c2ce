import { setImmediate as pause } from 'node:timers/promises';

import type { Clock } from '../clock.js';
import {
  InvalidOptionsError,
  NotANumberError,
  NumberOutOfRangeError,
  ValueTooLargeError,
} from '../errors.js';
import type { BackendCapabilities, BackendWrite, CompleteBackend, Payload } from './cache-backend.js';
import { dialectOfKnex, dialectOfUrl } from './database/choose-dialect.js';
import { chunksOfKeys, chunksOfWrites } from './database/chunks.js';
import { Database } from './database/database.js';
import type { Dialect, Row } from './database/dialect.js';
import { Housekeeping } from './database/housekeeping.js';
import type { Binding, KnexInstance } from './database/knex-instance.js';
import { type DatabaseSource, importDriver, isInMemory } from './database/open-knex.js';
import { bindPayload, bindValue, columnOf, payloadOf } from './database/payload-columns.js';
import { PayloadLimit } from './database/payload-limit.js';
import { statementsFor, type Statements } from './database/statements.js';
import { parseTableName } from './database/table.js';

export type { KnexInstance } from './database/knex-instance.js';

/** Fully resolved options of the database backend: exactly one of `url` and `knex`. */
export interface DatabaseBackendOptions {
  /**
   * `postgres:`, `postgresql:`, `mysql:` and `mariadb:` URLs as their drivers take them, `sqlite:///var/cache/app.db`,
   * `sqlite:app.db` (in the working directory) or `sqlite::memory:`.
   */
  readonly url?: string;
  /** The application's Knex instance, for pg, mysql2, better-sqlite3 or sqlite3. It is used as it is and never destroyed. */
  readonly knex?: KnexInstance;
  /**
   * `table` or `schema.table`; each a letter or `_`, then letters, digits and `_`, at most 63. The schema has to be there.
   * Default `nestjs_cache`.
   */
  readonly table: string;
  /** Whether the table is made when it is missing. Default `true`; `false` where the user of the database may not. */
  readonly createTable: boolean;
  /**
   * The most rows in the table, all caches in it together; 1 to 1,000,000,000. Checked every `maxEntries / 20` writes of a
   * process, at most every 1000, so each process may be over by that much for a moment. Default 100,000.
   */
  readonly maxEntries: number;
  /** Milliseconds between two sweeps for expired rows, ±10 %; `0` for none, at most a day. Default 300,000 (5 minutes). */
  readonly sweepIntervalMs: number;
  /** The most connections of our own, opened when needed; 1 to 100. Default 10. Not for `knex`. */
  readonly maxConnections: number;
  /**
   * Milliseconds to get a connection, and for SQLite to wait for another process's lock; 1 to 60,000. Default 2000. Not
   * for `knex`.
   */
  readonly connectTimeoutMs: number;
  /** Milliseconds until a statement must be answered; then its connection is given up. 1 to 600,000. Default 5000. */
  readonly queryTimeoutMs: number;
  /** For the sweep alone; entries live by the clock of the server. */
  readonly clock: Clock;
}

/** Loads the packages for a URL. @throws PeerMissingError if one is not installed; InvalidOptionsError */
export async function importDriverOf(url: string): Promise<void> {
  await importDriver(dialectOfUrl(url));
}

/** With so many turns lost to others, something is wrong with the server rather than with our luck. */
const MAX_TURNS = 100;

/**
 * Entries as rows of one table in PostgreSQL, MySQL, MariaDB or SQLite.
 *
 * Every operation on one key is one statement, except `increment` on a key that is absent or holds no integer, which is
 * up to three; no transaction is held open. Lives go by the clock of the server, to the millisecond. A table that is
 * missing is made, at the first statement or whenever it is gone.
 */
export class DatabaseBackend implements CompleteBackend {
  readonly name = 'database';
  readonly capabilities: BackendCapabilities;
  private readonly dialect: Dialect;
  private readonly database: Database;
  private readonly statements: Statements;
  private readonly limit: PayloadLimit;
  private readonly housekeeping: Housekeeping;

  /** @throws InvalidOptionsError for a table, URL or instance that cannot be used; nothing is opened yet */
  constructor(options: DatabaseBackendOptions) {
    const source = sourceOf(options);
    const table = parseTableName(options.table);
    this.dialect = 'knex' in source ? dialectOfKnex(source.knex) : dialectOfUrl(source.url);
    const isShared = !isInMemory(source);
    this.capabilities = {
      atomicity: isShared ? 'shared' : 'process',
      shared: isShared,
      lists: true,
      holdsObjects: false,
      stores: true,
    };
    this.database = new Database(this.dialect, source, table, options);
    this.statements = statementsFor(this.dialect, table);
    this.limit = new PayloadLimit(this.database);
    this.housekeeping = new Housekeeping(this.database, this.statements, options);
  }

  async get(key: string): Promise<Payload | undefined> {
    const row = (await this.query(this.statements.read(1), [this.dialect.bindKey(key)]))[0];
    return row === undefined ? undefined : payloadOf(row);
  }

  async getMany(keys: readonly string[]): Promise<(Payload | undefined)[]> {
    const found = new Map<string, Payload | undefined>();
    for await (const chunk of chunksOfKeys(keys)) {
      const rows = await this.query(this.statements.read(chunk.length), this.bindKeys(chunk));
      for (const row of rows) found.set(String(row.name), payloadOf(row));
    }
    return keys.map((key) => found.get(key));
  }

  async set(key: string, payload: Payload, ttlMs: number | null): Promise<void> {
    try {
      await this.limit.check(payload);
      await this.run(this.statements.write(1), this.bindWrite({ key, payload, ttlMs }));
    } catch (error) {
      if (this.isRefusal(error)) await this.delete(key);
      throw error;
    }
    await this.housekeeping.wrote(1);
  }

  async setMany(writes: readonly BackendWrite[]): Promise<string[]> {
    const refused: string[] = [];
    for await (const chunk of chunksOfWrites(writes)) {
      try {
        for (const { payload } of chunk) await this.limit.check(payload);
        await this.run(
          this.statements.write(chunk.length),
          chunk.flatMap((write) => this.bindWrite(write)),
        );
        await this.housekeeping.wrote(chunk.length);
      } catch (error) {
        if (!this.isRefusal(error)) throw error;
        refused.push(...(await this.setOneByOne(chunk)));
      }
    }
    return refused;
  }

  async add(key: string, payload: Payload, ttlMs: number | null): Promise<boolean> {
    await this.limit.check(payload);
    const result = await this.run(this.statements.add, this.bindWrite({ key, payload, ttlMs }));
    const isAdded = this.dialect.added(result);
    if (isAdded) await this.housekeeping.wrote(1);
    return isAdded;
  }

  async increment(
    key: string,
    delta: number,
    initial: number | undefined,
    ttlMs: number | null,
  ): Promise<number | undefined> {
    const first = initial === undefined ? undefined : initial + delta + 0;
    const canStart = first !== undefined && Number.isSafeInteger(first);
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      const number = await this.bump(key, delta);
      if (number !== undefined) return number;
      if (canStart && (await this.add(key, first, ttlMs))) return first;
      const held = await this.get(key);
      if (held === undefined && first === undefined) return undefined;
      if (held === undefined && !canStart) throw new NumberOutOfRangeError();
      if (held !== undefined && typeof held !== 'number') throw new NotANumberError();
      if (held !== undefined && !Number.isSafeInteger(held + delta)) throw new NumberOutOfRangeError();
    }
    throw new Error(`Others came first ${MAX_TURNS} times in a row; the counter is unchanged.`);
  }

  async touch(key: string, ttlMs: number | null): Promise<boolean> {
    const bindings = [ttlMs, this.dialect.bindKey(key)];
    return this.dialect.updated(await this.run(this.statements.touch, bindings));
  }

  async compareAndSet(
    key: string,
    expected: Payload,
    payload: Payload,
    ttlMs: number | null,
  ): Promise<boolean> {
    await this.limit.check(payload);
    const bindings = [...bindPayload(payload), ttlMs, this.dialect.bindKey(key), bindValue(expected)];
    return this.dialect.updated(await this.run(this.statements.replace(columnOf(expected)), bindings));
  }

  async compareAndDelete(key: string, expected: Payload): Promise<boolean> {
    const bindings = [this.dialect.bindKey(key), bindValue(expected)];
    const result = await this.run(this.statements.removeExpected(columnOf(expected)), bindings);
    return this.dialect.deleted(result) > 0;
  }

  async delete(key: string): Promise<boolean> {
    return (await this.deleteMany([key])) > 0;
  }

  async deleteMany(keys: readonly string[]): Promise<number> {
    let removed = 0;
    for await (const chunk of chunksOfKeys(keys)) {
      const result = await this.run(this.statements.remove(chunk.length), this.bindKeys(chunk));
      removed += this.dialect.deleted(result);
    }
    return removed;
  }

  async ttl(key: string): Promise<number | null | undefined> {
    const row = (await this.query(this.statements.life, [this.dialect.bindKey(key)]))[0];
    if (row === undefined) return undefined;
    return row.life === null ? null : Number(row.life);
  }

  async time(): Promise<number> {
    const [row] = await this.query(`SELECT ${this.dialect.now} AS total`, []);
    return Number(row?.total);
  }

  async *keys(prefix: string): AsyncIterable<string> {
    for await (const page of this.pages(prefix, true)) yield* page;
  }

  async clear(prefix: string): Promise<void> {
    for await (const page of this.pages(prefix, false)) {
      await this.run(this.statements.removeAny(page.length), this.bindKeys(page));
    }
  }

  prune(): Promise<number> {
    return this.housekeeping.prune();
  }

  async close(): Promise<void> {
    await Promise.all([this.housekeeping.stop(), this.database.close()]);
  }

  private run(sql: string, bindings: readonly Binding[]): Promise<unknown> {
    this.housekeeping.start();
    return this.database.run(sql, bindings);
  }

  private async query(sql: string, bindings: readonly Binding[]): Promise<readonly Row[]> {
    return this.dialect.rows(await this.run(sql, bindings));
  }

  /** The new number, or `undefined` if the key is absent, holds bytes, or would pass the range. */
  private async bump(key: string, delta: number): Promise<number | undefined> {
    const deltas = new Array<number>(this.dialect.bump.deltas).fill(delta);
    const lowest = Number.MIN_SAFE_INTEGER - Math.min(delta, 0);
    const highest = Number.MAX_SAFE_INTEGER - Math.max(delta, 0);
    const bindings = [...deltas, this.dialect.bindKey(key), lowest, highest];
    return this.dialect.bumped(await this.run(this.statements.bump, bindings));
  }

  private async setOneByOne(writes: readonly BackendWrite[]): Promise<string[]> {
    const refused: string[] = [];
    for (const { key, payload, ttlMs } of writes) {
      try {
        await this.set(key, payload, ttlMs);
      } catch (error) {
        if (!this.isRefusal(error)) throw error;
        refused.push(key);
      }
    }
    return refused;
  }

  /** The keys that begin with the prefix, in their order, a batch at a time: each page starts behind the last one. */
  private async *pages(prefix: string, present: boolean): AsyncIterable<readonly string[]> {
    const { batch } = this.dialect;
    const end = endOf(prefix);
    let after = prefix;
    for (let from = true; ; from = false) {
      const sql = this.statements.list({ from, bounded: end !== undefined, present });
      const bounds = (end === undefined ? [after] : [after, end]).map((key) => this.dialect.bindKey(key));
      const page = (await this.query(sql, [...bounds, batch])).map(({ name }) => String(name));
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      if (page.length < batch) return;
      after = last;
      await pause();
    }
  }

  private isRefusal(error: unknown): boolean {
    return error instanceof ValueTooLargeError || this.dialect.isTooLarge(error);
  }

  private bindKeys(keys: readonly string[]): Binding[] {
    return keys.map((key) => this.dialect.bindKey(key));
  }

  private bindWrite({ key, payload, ttlMs }: BackendWrite): Binding[] {
    return [this.dialect.bindKey(key), ...bindPayload(payload), ttlMs];
  }
}

function sourceOf({ knex, url }: DatabaseBackendOptions): DatabaseSource {
  if (knex !== undefined && url === undefined) return { knex };
  if (url !== undefined && knex === undefined) return { url };
  throw new InvalidOptionsError([
    { path: 'url', message: 'Give either `url` or `knex`, not both and not neither.' },
  ]);
}

/** The first key that is behind all those with the prefix; there is none for the empty one. */
function endOf(prefix: string): string | undefined {
  if (prefix === '') return undefined;
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
