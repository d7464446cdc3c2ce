import { CONDITIONAL_HEADERS } from './access-policy.js';
import type { ReadLog } from './read-log.js';
import { cookieValues } from './variants.js';

/** Headers that say who asks or from where: a page that depends on one is personal, and no `Vary` makes it less so. */
const IDENTITY_HEADERS: ReadonlyMap<string, string> = new Map([
  ['authorization', 'authorization'],
  ['proxy-authorization', 'authorization'],
  ['cookie', 'cookies'],
  ['x-forwarded-for', 'ip'],
  ['x-real-ip', 'ip'],
  ['x-client-ip', 'ip'],
  ['true-client-ip', 'ip'],
  ['cf-connecting-ip', 'ip'],
  ['forwarded', 'ip'],
]);

/** Absent from every request that may be stored, so their absence tells nothing (see `page-policy.ts`). */
const NEVER_SENT = new Set([
  'range',
  'if-match',
  'if-unmodified-since',
  'transfer-encoding',
  'content-length',
]);

/** Absent from an ordinary request; a handler that asks for one and finds none answers as it always does. */
const CONDITIONAL = new Set(CONDITIONAL_HEADERS);

/** Names that languages and libraries ask any object for. */
const ASKED_OF_ANY_OBJECT = new Set(['then', 'constructor']);

export interface WatchedHeadersOptions {
  /** The host as it is in the key; a `Host` header that says the same is no secret. */
  readonly host: string | undefined;
  /** The same for the path with its query, as handlers see it, and for the scheme. */
  readonly target: string | undefined;
  readonly scheme: string | undefined;
  /** Cookies in the key. The `Cookie` header shows these and no others, if there are any. */
  readonly cookies: readonly string[];
}

/** The same headers, with each read of one noted, and an enumeration as a read of all. */
export function watchHeaders<T extends object>(headers: T, log: ReadLog, options: WatchedHeadersOptions): T {
  const read = (target: T, name: string | symbol): unknown => {
    const value: unknown = Reflect.get(target, name);
    if (typeof name !== 'string' || isNoHeader(target, name)) return value;
    if (name === 'cookie' && options.cookies.length > 0) return onlyCookies(value, options.cookies);
    noteHeader(name, value, log, options);
    return value;
  };
  return new Proxy(headers, {
    get: read,
    set: (target, name, value) => Reflect.set(target, name, value),
    has(target, name) {
      read(target, name);
      return Reflect.has(target, name);
    },
    getOwnPropertyDescriptor(target, name) {
      read(target, name);
      // A descriptor holds the whole header.
      if (name === 'cookie') log.identity('cookies');
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    ownKeys(target) {
      log.identity('headers');
      return Reflect.ownKeys(target);
    },
  });
}

function noteHeader(name: string, value: unknown, log: ReadLog, keyed: WatchedHeadersOptions): void {
  const identity = IDENTITY_HEADERS.get(name);
  if (identity !== undefined) log.identity(identity);
  // No `Vary` can name one of these.
  else if (name.startsWith(':')) {
    if (!isKeyedPseudoHeader(name, value, keyed)) log.identity(name);
  } else if (name === 'host' ? value !== keyed.host : !isConstant(name, value)) log.header(name);
}

/** On HTTP/2 a client may say another scheme, host and path there than the key has. */
function isKeyedPseudoHeader(
  name: string,
  value: unknown,
  { host, target, scheme }: WatchedHeadersOptions,
): boolean {
  if (name === ':authority') return value === host;
  if (name === ':path') return value === target;
  return name === ':scheme' ? value === scheme : name === ':method';
}

/** Whether every request that may be stored has the same here. */
function isConstant(name: string, value: unknown): boolean {
  return NEVER_SENT.has(name) || (value === undefined && CONDITIONAL.has(name));
}

/** Node keeps header names in lower case: whatever else is asked for is a member of all objects. */
function isNoHeader(headers: object, name: string): boolean {
  if (Object.hasOwn(headers, name)) return false;
  return name in Object.prototype || ASKED_OF_ANY_OBJECT.has(name) || name !== name.toLowerCase();
}

/**
 * A `Cookie` header with the cookies that are in the key and nothing else, spelled anew: how they were spelled is not in the
 * key. A list of one in `headersDistinct`.
 */
function onlyCookies(value: unknown, names: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((header) => onlyCookies(header, names) ?? '');
  if (typeof value !== 'string') return value;
  const pairs = names.flatMap((name) => cookieValues(value, name).map((each) => `${name}=${each}`));
  return pairs.length === 0 ? undefined : pairs.join('; ');
}

/** Parsed cookies, with a read of one that is not in the key noted. */
export function watchCookies<T extends object>(cookies: T, log: ReadLog, keyed: readonly string[]): T {
  const note = (name: string | symbol): void => {
    if (typeof name !== 'string' || keyed.includes(name)) return;
    if (!Object.hasOwn(cookies, name) && (name in Object.prototype || ASKED_OF_ANY_OBJECT.has(name))) return;
    log.identity('cookies');
  };
  return new Proxy(cookies, {
    get(target, name) {
      note(name);
      return Reflect.get(target, name) as unknown;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
    has(target, name) {
      note(name);
      return Reflect.has(target, name);
    },
    getOwnPropertyDescriptor(target, name) {
      note(name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    ownKeys(target) {
      log.identity('cookies');
      return Reflect.ownKeys(target);
    },
  });
}

/** What Nest, Node and handlers do to a socket that has nothing to do with who is at its other end. */
const SOCKET_AFFAIRS = new Set(
  [
    ['on', 'once', 'off', 'addListener', 'removeListener', 'removeAllListeners', 'prependListener', 'emit'],
    ['prependOnceListener', 'listeners', 'listenerCount', 'rawListeners', 'eventNames'],
    ['setMaxListeners', 'getMaxListeners', 'constructor', 'then'],
    ['destroy', 'destroyed', 'destroySoon', 'end', 'write', 'cork', 'uncork', 'pause', 'resume', 'isPaused'],
    [
      'readable',
      'readableEnded',
      'readableFlowing',
      'readableLength',
      'readableHighWaterMark',
      'read',
      'push',
    ],
    ['writable', 'writableEnded', 'writableFinished', 'writableLength', 'writableHighWaterMark'],
    ['writableNeedDrain', 'writableCorked', 'closed', 'errored', 'connecting', 'pending', 'readyState'],
    ['setTimeout', 'timeout', 'setNoDelay', 'setKeepAlive', 'ref', 'unref', 'encrypted', 'parser', 'server'],
    ['_events', '_eventsCount', '_maxListeners', '_readableState', '_writableState', '_handle', '_paused'],
    ['_httpMessage', '_meta', '_host', '_server', '_sockname', '_read', '_write', '_destroy', '_final'],
  ].flat(),
);

/** A socket that can be listened to unnoticed; a read of an address, a certificate or the like is noted. */
export function watchSocket<T extends object>(socket: T, log: ReadLog): T {
  return new Proxy(socket, {
    get(target, name) {
      if (typeof name === 'string' && !SOCKET_AFFAIRS.has(name)) log.identity('socket');
      return Reflect.get(target, name) as unknown;
    },
    set: (target, name, value) => Reflect.set(target, name, value),
  });
}

/** The list of all headers as they came. */
export function watchRawHeaders<T extends object>(headers: T, log: ReadLog): T {
  return new Proxy(headers, {
    get(target, name) {
      log.identity('headers');
      return Reflect.get(target, name) as unknown;
    },
  });
}
