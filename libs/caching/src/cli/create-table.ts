import { parseArgs } from 'node:util';

import { createCacheTableSql, DEFAULT_TABLE, makeTable } from '../backends/database/cache-table.js';
import { dialectOfUrl } from '../backends/database/choose-dialect.js';
import { openKnex } from '../backends/database/open-knex.js';
import { parseTableName } from '../backends/database/table.js';
import { CachingError } from '../errors.js';

/** Where a command reads and writes: `process` has it. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const USAGE = `Usage: nestjs-caching create-table [--url URL] [--table NAME] [--dry-run]

Makes the table of a database cache. One that is there is left as it is.

  --url URL      postgres:, postgresql:, mysql:, mariadb: or sqlite: URL; by default that in the
                 environment variable CACHE_URL, or else in DATABASE_URL
  --table NAME   table or schema.table (${DEFAULT_TABLE})
  --dry-run      print the SQL and connect to nothing
  --help         print this
`;

/** Milliseconds until the server must have taken a connection. */
const CONNECT_TIMEOUT_MS = 10_000;

/** What went wrong is how the command was called, not what it did. */
class UsageError extends Error {}

/**
 * The command `create-table`.
 *
 * @param args what stands behind the name of the command
 * @returns the exit code: 0 if the table is there now (or its SQL was printed), 1 if it could not be made, 2 if the
 * command was called in a wrong way
 */
export async function createTableCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    const options = readOptions(args, terminal.env);
    if (options === 'help') terminal.stdout.write(USAGE);
    else if (options.isDryRun)
      terminal.stdout.write(createCacheTableSql(dialectOfUrl(options.url).name, options));
    else terminal.stdout.write(`${await createTable(options.url, options.table)}\n`);
    return 0;
  } catch (error) {
    terminal.stderr.write(`${messageOf(error)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

interface Options {
  readonly url: string;
  readonly table: string;
  readonly isDryRun: boolean;
}

function readOptions(args: readonly string[], env: Terminal['env']): Options | 'help' {
  const { url, table, 'dry-run': isDryRun, help } = parse(args);
  if (help) return 'help';
  const found = [url, env.CACHE_URL, env.DATABASE_URL].find((text) => text !== undefined && text !== '');
  if (found === undefined) {
    throw new UsageError(`There is no URL. Give --url, or set CACHE_URL or DATABASE_URL.\n\n${USAGE}`);
  }
  return { url: found, table, isDryRun };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        url: { type: 'string' },
        table: { type: 'string', default: DEFAULT_TABLE },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\n\n${USAGE}`);
  }
}

/** Says what happened. */
async function createTable(url: string, name: string): Promise<string> {
  const dialect = dialectOfUrl(url);
  const table = parseTableName(name);
  const own = await openKnex(dialect, url, { maxConnections: 1, connectTimeoutMs: CONNECT_TIMEOUT_MS });
  try {
    const { sql, bindings } = dialect.findTable(table);
    const isThere = dialect.rows(await own.knex.raw(sql, bindings)).length > 0;
    if (isThere) return `Cache table '${name}' already exists.`;
    await makeTable(dialect, table, async (statement) => void (await own.knex.raw(statement, [])));
    return `Cache table '${name}' created.`;
  } finally {
    await own.close();
  }
}

function messageOf(error: unknown): string {
  if (error instanceof CachingError || error instanceof UsageError) return error.message;
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('\n');
  return error instanceof Error ? error.message : String(error);
}
