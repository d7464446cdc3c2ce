import { setImmediate as pause } from 'node:timers/promises';

import type { Clock } from '../../clock.js';
import type { Database } from './database.js';
import type { Binding } from './knex-instance.js';
import type { Statements } from './statements.js';

export interface HousekeepingOptions {
  readonly maxEntries: number;
  readonly sweepIntervalMs: number;
  readonly clock: Clock;
}

/** Writes between two looks at the number of rows: a twentieth of the bound, and no more than this. */
const MAX_WRITES_UNCOUNTED = 1000;

/** Rows over the bound that go in one look; if that is not enough, the next look goes on. */
const MAX_CULLED = 5000;

/** Removes what has expired, in time and without traffic, and what is over the bound, the oldest first. */
export class Housekeeping {
  private readonly interval: number;
  private writesLeft: number;
  private isCulling = false;
  private isStopped = false;
  private cancelTimer: (() => void) | undefined;
  private sweeping: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly statements: Statements,
    private readonly options: HousekeepingOptions,
  ) {
    this.interval = Math.max(1, Math.min(MAX_WRITES_UNCOUNTED, Math.floor(options.maxEntries / 20)));
    // Not all processes at once.
    this.writesLeft = this.interval - Math.floor((Math.random() * this.interval) / 2);
  }

  /** Starts the sweep, if it has not begun. */
  start(): void {
    if (this.cancelTimer !== undefined || this.isStopped || this.options.sweepIntervalMs === 0) return;
    this.schedule();
  }

  /** Waits for a sweep that is under way to notice. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.cancelTimer?.();
    await this.sweeping;
  }

  /** Counts writes, and now and then looks at the bound. */
  async wrote(rows: number): Promise<void> {
    this.writesLeft -= rows;
    if (this.writesLeft > 0 || this.isCulling) return;
    this.writesLeft = this.interval;
    // The write is done; if the server fails now, the next operation says so, and the next look comes soon.
    await this.cull().catch(() => (this.writesLeft = Math.ceil(this.interval / 10)));
  }

  /** Removes everything that has expired; answers how much it was. */
  async prune(): Promise<number> {
    const { batch } = this.database.dialect;
    let removed = 0;
    for (;;) {
      const keys = await this.names(this.statements.listExpired, [batch]);
      if (keys.length > 0) removed += await this.remove(this.statements.removeExpired, keys, []);
      if (keys.length < batch || this.isStopped) return removed;
      await pause();
    }
  }

  private async cull(): Promise<void> {
    const { maxEntries } = this.options;
    const { batch } = this.database.dialect;
    this.isCulling = true;
    try {
      const limit = maxEntries + MAX_CULLED;
      if ((await this.count(limit)) <= maxEntries) return;
      await this.prune();
      for (let over = (await this.count(limit)) - maxEntries; over > 0 && !this.isStopped; over -= batch) {
        await this.removeOldest(Math.min(over, batch));
        await pause();
      }
    } finally {
      this.isCulling = false;
    }
  }

  private async removeOldest(limit: number): Promise<void> {
    const rows = this.database.dialect.rows(await this.database.run(this.statements.listOldest, [limit]));
    const newest = rows.at(-1);
    if (newest === undefined) return;
    const keys = rows.map(({ name }) => String(name));
    await this.remove(this.statements.removeOlder, keys, [Number(newest.written)]);
  }

  /** By their keys, in order, so that the locks are those of a write and taken in the same order. */
  private async remove(
    statement: (keys: number) => string,
    keys: readonly string[],
    more: readonly Binding[],
  ): Promise<number> {
    const { dialect } = this.database;
    const bindings = [...[...keys].sort().map((key) => dialect.bindKey(key)), ...more];
    return dialect.deleted(await this.database.run(statement(keys.length), bindings));
  }

  private async names(sql: string, bindings: readonly Binding[]): Promise<string[]> {
    const rows = this.database.dialect.rows(await this.database.run(sql, bindings));
    return rows.map(({ name }) => String(name));
  }

  private async count(limit: number): Promise<number> {
    const rows = this.database.dialect.rows(await this.database.run(this.statements.count, [limit]));
    return Number(rows[0]?.total);
  }

  private schedule(): void {
    const ms = this.options.sweepIntervalMs * (0.9 + 0.2 * Math.random());
    this.cancelTimer = this.options.clock.after(ms, () => {
      this.sweeping = this.sweep();
    });
  }

  private async sweep(): Promise<void> {
    try {
      await this.prune();
      if (!this.isCulling) await this.cull();
    } catch {
      // Nobody waits for the answer; the next sweep does what is left.
    }
    if (!this.isStopped) this.schedule();
  }
}
