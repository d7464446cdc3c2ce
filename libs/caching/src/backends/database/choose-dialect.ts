import { InvalidOptionsError } from '../../errors.js';
import type { Dialect } from './dialect.js';
import type { KnexInstance } from './knex-instance.js';
import { mysql } from './mysql.dialect.js';
import { postgres } from './postgres.dialect.js';
import { sqlite } from './sqlite.dialect.js';

const SCHEMES: ReadonlyMap<string, Dialect> = new Map([
  ['postgres:', postgres],
  ['postgresql:', postgres],
  ['mysql:', mysql],
  ['mariadb:', mysql],
  ['sqlite:', sqlite],
]);

/** @throws InvalidOptionsError if the scheme is none that the database backend knows */
export function dialectOfUrl(url: string): Dialect {
  const dialect = SCHEMES.get(url.slice(0, url.indexOf(':') + 1).toLowerCase());
  if (dialect !== undefined) return dialect;
  const known = [...SCHEMES.keys()].join(', ');
  throw new InvalidOptionsError([
    { path: 'url', message: `has no scheme of a database. Use one of ${known}.` },
  ]);
}

/** @throws InvalidOptionsError if the instance speaks to another kind of database, or through a driver that is too old */
export function dialectOfKnex({ client }: KnexInstance): Dialect {
  if (client.dialect === 'postgresql') return postgres;
  if (client.dialect === 'mysql' && client.driverName === 'mysql2') return mysql;
  if (client.dialect === 'sqlite3') return sqlite;
  throw new InvalidOptionsError([
    {
      path: 'knex',
      message: `speaks to ${client.driverName ?? 'an unknown database'}. Use an instance for pg, mysql2, better-sqlite3 or sqlite3.`,
    },
  ]);
}
