import { isIPv6 } from 'node:net';
import { InvalidOptionsError } from '../../errors.js';

const DEFAULT_PORT = 11211;

/** Where a server listens. */
export interface ServerAddress {
  /** One text for one address: `host:port`, `[::1]:port` or the path of a socket. Keys are spread by it. */
  readonly name: string;
  readonly target: { readonly path: string } | { readonly host: string; readonly port: number };
}

/**
 * Splits a URL or a list into servers: `memcached://cache1:11211,cache2` and `cache1:11211;unix:/run/m.sock` alike.
 *
 * @throws InvalidOptionsError if one of them is not an address
 */
export function parseServers(text: string): string[] {
  const list = text.trim().replace(/^memcached:\/\//i, '');
  return unique(list.split(/[,;]/).map((part) => parseAddress(part.trim()).name));
}

/**
 * Understands `host`, `host:port`, `::1`, `[::1]`, `[::1]:port`, `/path/to.sock` and `unix:/path/to.sock`; the port is
 * 11211 if there is none.
 *
 * @throws InvalidOptionsError for anything else
 */
export function parseAddress(text: string): ServerAddress {
  const path = /^(?:unix:)?(\/[^\s?#]+)$/.exec(text)?.[1];
  if (path !== undefined && !path.endsWith('/')) return { name: path, target: { path } };
  if (isIPv6(text)) return hostAndPort(text, DEFAULT_PORT);
  const match = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  const isHost = host !== undefined && (match?.[1] === undefined || isIPv6(host));
  if (!isHost || port < 1 || port > 65535) throw notAnAddress(text);
  return hostAndPort(host, port);
}

function hostAndPort(host: string, port: number): ServerAddress {
  const name = host.toLowerCase();
  return { name: isIPv6(name) ? `[${name}]:${port}` : `${name}:${port}`, target: { host, port } };
}

function notAnAddress(text: string): InvalidOptionsError {
  const shown = text.includes('@') ? 'An address with a user name' : `"${text}"`;
  const message =
    `${shown} is not the address of a memcached server. Use host, host:port, [::1]:port, /path/to.sock or ` +
    'unix:/path/to.sock, several of them separated by commas; user names and passwords are not supported.';
  return new InvalidOptionsError([{ path: 'servers', message }]);
}

function unique(names: string[]): string[] {
  return [...new Set(names)];
}
