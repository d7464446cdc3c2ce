import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import { InvalidArgumentError } from '../errors.js';
import type { ExplainedRequest } from './page-explanation.js';
import type { DispatchedRequest } from './re-dispatch.js';

const WHOLE_URL = /^(https?):\/\/([^/?#]+)([^#]*)/i;
/** What no client sends as it is. */
const UNSENDABLE = /[^!-~]+/gu;
const DEFAULT_PORTS = [80, 443];

/** What is sent for a request that is to be explained: from this machine, with whatever method. @throws InvalidArgumentError */
export function explainedRequest(
  asked: string | ExplainedRequest,
  server: Server | undefined,
): Omit<DispatchedRequest, 'method'> & { readonly method: string } {
  const request: ExplainedRequest = typeof asked === 'string' ? { url: asked } : asked;
  const { url, method = 'GET' } = request;
  if (typeof url !== 'string') throw wrongUrl();
  const [, scheme, hostOfUrl, rest] = WHOLE_URL.exec(url) ?? [];
  const [target = ''] = (rest ?? url).split('#', 1);
  if (rest === undefined && !url.startsWith('/')) throw wrongUrl();
  const headers = headersOf(request.headers ?? {});
  headers['host'] = request.host ?? hostOfUrl ?? headers['host'] ?? ownHost(server);
  const encrypted = scheme === undefined ? server instanceof TlsServer : scheme.toLowerCase() === 'https';
  return {
    method: method.toUpperCase(),
    target: (target.startsWith('/') ? target : `/${target}`).replaceAll(UNSENDABLE, encodeURIComponent),
    headers,
    rawHeaders: Object.entries(headers).flat(),
    connection: { encrypted, remoteAddress: '127.0.0.1', remoteFamily: 'IPv4' },
  };
}

/** By their lower-case names, as a client may send them. */
function headersOf(given: Readonly<Record<string, string>>): Record<string, string> {
  try {
    return Object.fromEntries(new Headers(given));
  } catch {
    // What it says holds the value.
    throw new InvalidArgumentError(
      'The `headers` of a request to explain are names and values that HTTP can carry: { "accept-language": "de" }.',
    );
  }
}

/** Where a browser on this machine finds the application. */
function ownHost(server: Server | undefined): string {
  const address = server?.address();
  if (typeof address !== 'object' || address === null || DEFAULT_PORTS.includes(address.port))
    return 'localhost';
  return `localhost:${address.port}`;
}

function wrongUrl(): InvalidArgumentError {
  return new InvalidArgumentError(
    'The `url` of a request to explain is a path as clients send it, with the global prefix, or a whole URL: ' +
      '"/api/products?sort=price".',
  );
}
