import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';

/** What a request has of itself, before any middleware. */
const OF_THE_PLATFORM = new Set([
  ...Object.getOwnPropertyNames(new IncomingMessage(new Socket())),
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
  ...[
    'app',
    'baseUrl',
    'body',
    '_body',
    'hosts',
    'next',
    'originalUrl',
    'params',
    '_parsedOriginalUrl',
    '_parsedUrl',
  ],
  ...['query', 'rawBody', 'res', 'route'],
  // Fastify; the getters are those of `trustProxy`.
  ...['host', 'protocol', 'additionalHeaders', 'is404', 'raw', 'server', 'validationError'],
  // Loggers.
  ...['allLogs', 'id', 'log'],
  // The interceptor of nestjs-i18n reads these on every route; what is made of them shows at the context's `lang`.
  ...['i18nContext', 'i18nLang', 'i18nService'],
]);

/** The names of properties that middleware or guards have added to a request. */
export function addedBy(request: object): string[] {
  return Object.getOwnPropertyNames(request).filter((name) => !OF_THE_PLATFORM.has(name));
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
