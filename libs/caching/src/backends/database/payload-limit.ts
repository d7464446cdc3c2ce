import { ValueTooLargeError } from '../../errors.js';
import type { Payload } from '../cache-backend.js';
import type { Database } from './database.js';

/** Bytes that fit into a statement on any server, written as text, which takes two for each. */
export const ALWAYS_FITS = 400 * 1024;

/** Bytes of a statement around its payload. */
const FRAME = 2048;

/**
 * Refuses what a server would answer by cutting the connection (MySQL, over `max_allowed_packet`). The limit is asked for
 * at the first large payload.
 */
export class PayloadLimit {
  private asked: Promise<number> | undefined;

  constructor(private readonly database: Database) {}

  /** @throws ValueTooLargeError if the server does not take so much in a statement */
  async check(payload: Payload): Promise<void> {
    if (typeof payload === 'number' || payload.byteLength <= ALWAYS_FITS) return;
    const limit = await this.limit();
    if (payload.byteLength > limit) throw new ValueTooLargeError(payload.byteLength, limit);
  }

  private limit(): Promise<number> {
    if (this.asked === undefined) {
      this.asked = this.ask();
      this.asked.catch(() => (this.asked = undefined));
    }
    return this.asked;
  }

  private async ask(): Promise<number> {
    const { dialect } = this.database;
    if (dialect.statementLimit === undefined) return Infinity;
    const rows = dialect.rows(await this.database.run(dialect.statementLimit, []));
    return Math.floor((Number(rows[0]?.total) - FRAME) / 2);
  }
}
