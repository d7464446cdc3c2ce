import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { HeaderValues } from './header-lookup.js';

/** What we use of an Express request. */
export type ExpressRequest = IncomingMessage & {
  readonly originalUrl: string;
  readonly protocol: string;
  readonly host: string | undefined;
  /** Set by `method-override` and its like. */
  readonly originalMethod?: unknown;
  readonly query?: unknown;
};
/** What we use of an Express response, and what Nest calls on it. */
export type ExpressResponse = ServerResponse &
  Record<'send' | 'json' | 'render' | 'redirect', (this: ExpressResponse, ...given: unknown[]) => unknown>;

/** What we use of a Fastify request. */
export interface FastifyRequest {
  readonly raw: IncomingMessage & {
    /** Set by `method-override` and its like. */
    readonly originalMethod?: unknown;
    originalUrl?: string;
  };
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly protocol: string;
  readonly host: string;
  readonly originalUrl: string;
  readonly query?: unknown;
}

/** What we use of a Fastify reply. */
export interface FastifyReply {
  readonly raw: ServerResponse;
  readonly request: FastifyRequest;
  statusCode: number;
  send: (payload?: unknown) => unknown;
  view?: (...given: unknown[]) => unknown;
  redirect: (...given: unknown[]) => unknown;
  code(status: number): unknown;
  header(name: string, value: unknown): unknown;
  removeHeader(name: string): unknown;
  getHeaders(): HeaderValues;
}
