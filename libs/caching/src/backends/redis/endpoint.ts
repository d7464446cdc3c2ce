/** Where a server is and who we are to it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
}

/**
 * Reads `redis://user:password@host:port/database`, `rediss://…` or `host:port`. No message holds the text, because a
 * password may be in it.
 */
export function parseEndpoint(text: string, defaultPort: number): Endpoint {
  try {
    return readUrl(new URL(text.includes('://') ? text : `redis://${text}`), defaultPort);
  } catch {
    throw new TypeError(
      'An address of a Redis server cannot be read. Write redis://user:password@host:6379/0, or rediss:// for TLS; ' +
        'special characters in user and password are percent-encoded.',
    );
  }
}

function readUrl(url: URL, defaultPort: number): Endpoint {
  const database = url.pathname.length > 1 ? Number(url.pathname.slice(1)) : 0;
  const known = url.protocol === 'redis:' || url.protocol === 'rediss:';
  if (!known || url.hostname === '' || !Number.isSafeInteger(database) || database < 0) throw new TypeError();
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPort : Number(url.port),
    tls: url.protocol === 'rediss:',
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
    ...(database !== 0 && { database }),
  };
}

/** The server that `host:port` in an answer means; an empty host is the one that answered. */
export function elsewhere(from: Endpoint, address: string): Endpoint {
  const colon = address.lastIndexOf(':');
  return { ...from, host: address.slice(0, colon) || from.host, port: Number(address.slice(colon + 1)) };
}

/** `host:port`, which tells servers apart. */
export function addressOf({ host, port }: Endpoint): string {
  return `${host}:${port}`;
}
