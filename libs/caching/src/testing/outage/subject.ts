import type { Awaitable } from '../../backends/cache-backend.js';
import type { ComplianceBackend, ComplianceRunner } from '../compliance/subject.js';
import type { ServerAddress } from '../tcp-proxy.js';

/** A server that the suite may use up. */
export interface OutageServer extends ServerAddress {
  /** Ends it as a power cut does; resolves when it is gone. */
  kill(): Awaitable<void>;
  /** Starts it again on the same port; resolves when it answers. Its data may be gone. */
  start(): Awaitable<void>;
  /** SIGSTOP: it takes connections and bytes, and answers nothing. */
  freeze(): Awaitable<void>;
  /** SIGCONT. */
  thaw(): Awaitable<void>;
}

export interface OutageOptions {
  /** The running server. Asked for within hooks and tests. */
  server(): OutageServer;
  /**
   * Makes a backend that finds the server at this address. Its own limits, to connect and to be answered, must be
   * `limitMs`.
   */
  open(address: ServerAddress, limitMs: number): Awaitable<ComplianceBackend>;
  /** The most connections that one backend has at a time. Default 1. */
  readonly maxConnections?: number;
  readonly runner: ComplianceRunner;
}
