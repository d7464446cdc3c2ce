import type { AccessReport, Reads } from './read-log.js';

/** What a route and the module say about reads. */
export interface DeclaredReads {
  /** Whether the route has `user`, which declares `request.user` and `Authorization` and nothing else. */
  readonly user: boolean;
  /** Lower-case names of headers that are in the key already. */
  readonly headers: readonly string[];
  /** What the route's `varyOn` functions read themselves. */
  readonly varyOn: Reads;
  /** `pages.ignoreReads`: names of properties or headers whose values do not reach the body. */
  readonly ignored: readonly string[];
}

/** What follows from the reads of one response. */
export type AccessVerdict =
  /** It may be stored; `vary` are the headers that must join `Vary` and the key. */
  | { readonly isStorable: true; readonly vary: readonly string[] }
  /** It may not; `reads` are what a developer can do something about. */
  | { readonly isStorable: false; readonly reads: readonly string[] };

/** Whose presence asks for a response of its own, so that one who reads them has not made a page for everybody. */
export const CONDITIONAL_HEADERS: readonly string[] = ['if-none-match', 'if-modified-since', 'if-range'];

/** Persons and connections as a whole: a part of the key that was made of one does not cover the rest of it. */
const NOT_BY_VARY_ON = new Set([
  'user',
  'session',
  'cookies',
  'authorization',
  'ip',
  'ips',
  'socket',
  'headers',
]);

/** Whether a response may be stored in spite of what was read for it. */
export function judgeAccess(report: AccessReport, declared: DeclaredReads): AccessVerdict {
  const ignored = new Set(declared.ignored);
  const identity = new Set(ignored);
  if (declared.user) for (const name of ['user', 'authorization']) identity.add(name);
  for (const name of declared.varyOn.identity) if (!NOT_BY_VARY_ON.has(name)) identity.add(name);
  const keyed = new Set([...ignored, ...declared.headers]);
  const vary = report.headers.filter((name) => !keyed.has(name));
  const personal = [...report.identity, ...report.late.identity].filter((name) => !identity.has(name));
  // Once the head is out, `Vary` can no longer say so.
  const tooLate = report.late.headers.filter((name) => !keyed.has(name) && !vary.includes(name));
  const reads = [...new Set([...personal, ...tooLate])];
  const isConditional = vary.some((name) => CONDITIONAL_HEADERS.includes(name));
  return reads.length > 0 || isConditional ? { isStorable: false, reads } : { isStorable: true, vary };
}

const REMEDIES: Readonly<Record<string, string>> = {
  user: 'declare `user: (request) => id` on the route, for a page of its own for each user',
  authorization: 'declare `user: (request) => id` on the route, for a page of its own for each user',
  session: 'let a guard set `request.user` from the session, read that, and declare `user: (request) => id`',
  cookies: 'name the cookie with `@VaryOnCookie()`',
  headers: 'read single headers by their names; those join `Vary`',
  ip: 'let a guard work out what the page depends on, such as a country, and give that to `varyOn`',
  i18nLang: 'declare `varyOn: () => I18nContext.current()?.lang`',
};
const REMEDY_ALIASES: Readonly<Record<string, string>> = { ips: 'ip', socket: 'ip' };

/** The warning for a route whose pages are not stored: what was read, and what to do about each. No values. */
export function accessWarning(
  route: string,
  reads: readonly string[],
  lateHeaders: readonly string[],
): string {
  const advice = new Set(reads.map((name) => remedy(name, lateHeaders)));
  const names = reads.map((name) => `'${name}'`).join(', ');
  return (
    `${route} is not cached: its handler reads ${names} of the request, and the page may be for one visitor only. ` +
    `Either ${[...advice].join('; ')}; or, if the page is personal, say \`@NeverCache()\`; ` +
    `or, if what is read never reaches the body, add ${names} to \`pages.ignoreReads\`.`
  );
}

/** The warning for a route of a request-scoped controller that declares nothing. */
export function requestScopeWarning(route: string): string {
  return (
    `${route} is not cached: its controller, or something that it uses, is made for each request, and what that reads of ` +
    'the request goes unseen. Make them singletons, or declare what the page depends on: ' +
    '`user`, `varyOn`, or `shared: true` if it is the same for everybody.'
  );
}

function remedy(name: string, lateHeaders: readonly string[]): string {
  if (lateHeaders.includes(name))
    return `name the header with \`@VaryOn('${name}')\`, since it is read after the head is out`;
  if (name.startsWith(':'))
    return `read the scheme, host and path of the request itself instead of '${name}'`;
  if (/nonce|csrf/i.test(name)) return `keep ${name} out of the page, and let the browser fetch it`;
  if (/^(?:locals|response)\./.test(name))
    return `leave on the request as well what ${name} says, and give that to \`varyOn\``;
  if (name.startsWith('Symbol('))
    return `give what the page depends on to \`varyOn: (request) => request[${name}]\``;
  return (
    REMEDIES[REMEDY_ALIASES[name] ?? name] ??
    `give what the page depends on to \`varyOn: (request) => request.${name}\``
  );
}
