import type { BorrowedClient } from './borrowed-link.js';

/** A cluster. Keys that share a slot share a command; the others go out side by side. */
export interface RedisClusterOptions {
  /**
   * Some of the nodes, as `redis://user:password@host:port`, `rediss://…` or `host:port`; at least one. The rest is
   * learnt from them. User, password and TLS of the first hold for every node.
   */
  readonly nodes: readonly string[];
}

/** A master that Sentinel watches. Where it is, is asked anew at every connect. */
export interface RedisSentinelOptions {
  /** The name under which the sentinels know the master: `mymaster`. */
  readonly name: string;
  /**
   * The sentinels, as `redis://user:password@host:port`, `rediss://…` or `host:port`; at least one. User and password
   * are those of the sentinels; TLS of the first holds for the master as well.
   */
  readonly nodes: readonly string[];
  /** ACL user on the master. Default: the server's default user. */
  readonly username?: string;
  /** Password on the master. Default: none. */
  readonly password?: string;
  /** Database on the master, from 0. Default: 0. */
  readonly database?: number;
}

/** How a `rediss:` connection is secured; the names are those of `node:tls`. */
export interface RedisTlsOptions {
  /** Certificates of the authorities to trust, in PEM. Default: those of Node. */
  readonly ca?: string | Buffer | (string | Buffer)[];
  /** The client's own certificate, in PEM. Default: none. */
  readonly cert?: string | Buffer;
  /** The key of `cert`, in PEM. Default: none. */
  readonly key?: string | Buffer;
  /** The pass phrase of `key`. Default: none. */
  readonly passphrase?: string;
  /** The name to ask for and to check, if it differs from the host of the URL. */
  readonly servername?: string;
  /** `false` trusts any certificate; for tests only. Default: `true`. */
  readonly rejectUnauthorized?: boolean;
}

/** Resolved options of the redis backend: exactly one of `url`, `client`, `cluster` and `sentinel`. */
export interface RedisBackendOptions {
  /** One server: `redis://user:password@host:6379/0`; `rediss:` with TLS. User, password, port and database may be left out. */
  readonly url?: string;
  /**
   * A connected node-redis client, cluster or sentinel of the application's. It is used as it is, its timeouts and
   * reconnecting included, and never closed.
   */
  readonly client?: BorrowedClient;
  readonly cluster?: RedisClusterOptions;
  readonly sentinel?: RedisSentinelOptions;
  /** For `rediss:` URLs. Default: what Node trusts. */
  readonly tls?: RedisTlsOptions;
  /** Milliseconds for a connection to stand, the server's first answer included; 1 to 60,000. Default 2000. */
  readonly connectTimeoutMs: number;
  /**
   * Milliseconds after which a server that no longer answers is given up: what is under way fails and the connection
   * is made anew. An answer may take half of it for certain; 100 to 600,000. Default 5000.
   */
  readonly socketTimeoutMs: number;
}

/** The part of the options that every connection needs. */
export type RedisConnectionOptions = Pick<
  RedisBackendOptions,
  'tls' | 'connectTimeoutMs' | 'socketTimeoutMs'
>;
