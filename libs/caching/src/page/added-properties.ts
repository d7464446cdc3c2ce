import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { isText } from './parsed-target.js';

const bareRequest = new IncomingMessage(new Socket());

/** What a request has of itself, before any middleware. */
const OF_THE_PLATFORM = new Set<string | symbol>([
  ...Reflect.ownKeys(bareRequest),
  // Node, in the course of a request; light-my-request.
  ...[
    '_eventsCount',
    '_events',
    '_maxListeners',
    '_closed',
    'connection',
    '_lightMyRequest',
    'isLightMyRequest',
  ],
  // Express and Nest; all of it is in the key, or the same for every request to a route.
  ...['app', 'baseUrl', '_body', 'hosts', 'next', 'originalUrl', '_parsedOriginalUrl', '_parsedUrl'],
  ...['res', 'route'],
  // Fastify; the getters are those of `trustProxy`.
  ...['host', 'protocol', 'additionalHeaders', 'is404', 'raw', 'server', 'validationError'],
  // Loggers.
  ...['allLogs', 'id', 'log'],
  // The interceptor of nestjs-i18n reads these on every route; what is made of them shows at the context's `lang`.
  ...['i18nContext', 'i18nLang', 'i18nService'],
]);

/** What a response has of itself, on either platform. What middleware keeps there for itself it reads when all is over. */
const OF_THE_RESPONSE = new Set<string>([
  ...Object.getOwnPropertyNames(new ServerResponse(bareRequest)),
  ...['_eventsCount', '_events', '_maxListeners', '__onFinished', 'req', 'app', 'locals'],
  ...['raw', 'request', 'server', 'log', 'allLogs', 'err', 'responseTime'],
]);

const OF_HTTP2 = new Set(['aborted', 'headers', 'rawHeaders', 'rawTrailers', 'state', 'stream', 'trailers']);

/** What the key says of a request, as long as it is text (see `parsed-target.ts`). */
const IN_THE_KEY: readonly unknown[] = ['params', 'query'];
/** What a request that may be stored comes without. */
const BODIES: readonly unknown[] = ['body', 'rawBody'];

/** The names of properties that middleware or guards have added to a request, or have filled. */
export function addedBy(request: object): (string | symbol)[] {
  return Reflect.ownKeys(request).filter((name) => {
    if (OF_THE_PLATFORM.has(name)) return false;
    const value: unknown = Reflect.getOwnPropertyDescriptor(request, name)?.value;
    if (IN_THE_KEY.includes(name)) return !isText(value);
    if (BODIES.includes(name)) return !isEmpty(value);
    return typeof name !== 'symbol' || !isSymbolOfPlatform(request, name.description ?? '');
  });
}

/** Those of Nest, of Fastify, and of a request over HTTP/2, of which none can be made to look at. */
function isSymbolOfPlatform(request: object, description: string): boolean {
  if (description === 'REQUEST_CONTEXT_ID' || description.startsWith('fastify.')) return true;
  return 'httpVersionMajor' in request && request.httpVersionMajor === 2 && OF_HTTP2.has(description);
}

/** The names of values that were left on a response. Functions are what wraps the response's own. */
export function addedToResponse(response: object): string[] {
  return Object.entries(Object.getOwnPropertyDescriptors(response)).flatMap(([name, { value }]) =>
    OF_THE_RESPONSE.has(name) ||
    name in ServerResponse.prototype ||
    value === undefined ||
    value === null ||
    typeof value === 'function'
      ? []
      : [name],
  );
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Reflect.ownKeys(value).length === 0;
  return value === undefined || value === null || value === '';
}

/** The names of getters that plugins have added with `decorateRequest`: Fastify keeps them between a request and its own. */
export function addedByPlugins(prototype: object): string[] {
  const names: string[] = [];
  if (!('getDecorator' in prototype)) return names;
  for (let at: object | null = prototype; at !== null && !Object.hasOwn(at, 'getDecorator');) {
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (get !== undefined && !OF_THE_PLATFORM.has(name)) names.push(name);
    }
    at = Reflect.getPrototypeOf(at);
  }
  return names;
}
