import { addedBy, addedByPlugins, addedToResponse } from './added-properties.js';
import { PropertyWatch } from './property-watch.js';
import type { ReadLog } from './read-log.js';
import {
  type Face,
  FIXED_NAMES,
  HEADER_NAMES,
  IDENTITY_NAMES,
  interpose,
  withdraw,
} from './tracked-prototype.js';
import {
  watchCookies,
  watchHeaders,
  type WatchedHeadersOptions,
  watchRawHeaders,
  watchSocket,
} from './watched-objects.js';

/** An Express request, or Fastify's with the request of Node in `raw`. */
export interface TrackableRequest {
  readonly host?: string | undefined;
  readonly originalUrl?: string;
  readonly protocol?: string;
  readonly raw?: object;
}

/** What nestjs-i18n adds to a request. */
const LANGUAGE = ['i18nContext', 'i18nLang', 'i18nService'];

const COOKIES = ['cookies', 'signedCookies'];
const SOCKETS = ['socket', 'client'];
const RAW_HEADERS = ['rawHeaders'];
/** Own values that have a stand-in. */
const STAND_INS = new Set<string | symbol>([...COOKIES, ...SOCKETS, ...RAW_HEADERS]);

/** The watch over a request, and over what its response holds for templates. */
export class RequestWatch {
  private readonly properties = new PropertyWatch();
  private readonly faces: readonly object[];
  private readonly standIns = new Map<object, object>();

  constructor(
    request: TrackableRequest,
    response: object,
    private readonly log: ReadLog,
    cookies: readonly string[],
  ) {
    const { host, originalUrl: target, protocol: scheme } = request;
    const options = { cookies, host, target, scheme };
    this.faces = request.raw === undefined ? [request] : [request, request.raw];
    for (const face of this.faces) this.watchFace(face, options);
    this.watchResponse(response);
    this.watchLanguage(request);
  }

  /** Puts the request back as it was. */
  release(): void {
    for (const face of this.faces) withdraw(face);
    this.properties.release();
  }

  private watchFace(request: object, options: WatchedHeadersOptions): void {
    const { log } = this;
    const isTracked = interpose(request, this.face(options), addedByPlugins);
    // What cannot be watched may have been read.
    if (!isTracked) log.identity('request');
    for (const name of IDENTITY_NAMES) if (Object.hasOwn(request, name)) this.note(request, name);
    for (const name of addedBy(request)) {
      if (!FIXED_NAMES.has(name) && !STAND_INS.has(name)) this.note(request, name, String(name));
    }
    const standIn = (names: readonly string[], watch: (value: object) => object): void => {
      for (const name of names) if (Object.hasOwn(request, name)) this.replace(request, name, watch);
    };
    standIn(HEADER_NAMES, (value) => watchHeaders(value, log, options));
    standIn(COOKIES, (value) => watchCookies(value, log, options.cookies));
    standIn(SOCKETS, (value) => watchSocket(value, log));
    standIn(RAW_HEADERS, (value) => watchRawHeaders(value, log));
  }

  private face(options: WatchedHeadersOptions): Face {
    const { log } = this;
    return {
      log,
      headers: (value) => this.standIn(value, () => watchHeaders(value, log, options)),
      socket: (value) => this.standIn(value, () => watchSocket(value, log)),
      written: (object, name) => this.note(object, name),
    };
  }

  /** One stand-in for one object, and none for a stand-in. */
  private standIn(value: object, make: () => object): object {
    const known = this.standIns.get(value);
    if (known !== undefined) return known;
    const made = make();
    this.standIns.set(value, made).set(made, made);
    return made;
  }

  /** Notes each read of a property. */
  private note(object: object, name: string | symbol, as = String(name)): void {
    const { log } = this;
    const isWatched = this.properties.add(object, name, (value) => {
      log.identity(as);
      return log.unnoticed(value);
    });
    if (!isWatched) log.identity(as);
  }

  /** Lets reads of an object itself pass, and watches what is read of it. */
  private replace(request: object, name: string, watch: (value: object) => object): void {
    const own = Reflect.getOwnPropertyDescriptor(request, name);
    // Parsed when it is asked for.
    if (own?.get !== undefined) return this.note(request, name);
    const value: unknown = own?.value;
    if (typeof value !== 'object' || value === null) return;
    if (
      !this.properties.replace(
        request,
        name,
        this.standIn(value, () => watch(value)),
      )
    )
      this.log.identity(name);
  }

  /** What middleware and guards have left for templates, which engines read as a whole, and on the response itself. */
  private watchResponse(response: object): void {
    if ('locals' in response && typeof response.locals === 'object' && response.locals !== null) {
      const { locals } = response;
      for (const name of Object.keys(locals)) this.note(locals, name, `locals.${name}`);
    }
    for (const name of addedToResponse(response)) this.note(response, name, `response.${name}`);
  }

  /**
   * nestjs-i18n keeps the language of a request in an object that AsyncLocalStorage hands out, too. On Fastify its
   * middleware puts it on the request of Node, where its interceptor does not find it, and works it out again for every
   * route: here it finds it.
   */
  private watchLanguage(request: TrackableRequest): void {
    const { raw } = request;
    const holder: object = raw !== undefined && 'i18nContext' in raw ? raw : request;
    if (!('i18nContext' in holder) || typeof holder.i18nContext !== 'object' || holder.i18nContext === null)
      return;
    if ('lang' in holder.i18nContext) this.note(holder.i18nContext, 'lang', 'i18nLang');
    if (holder === request) return;
    for (const name of LANGUAGE) {
      const value: unknown = Reflect.get(holder, name);
      this.properties.add(request, name, (own) => own() ?? value);
    }
  }
}
