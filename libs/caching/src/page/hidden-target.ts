/** Where the parser of URLs that Express uses, `parseurl`, keeps what it has parsed. */
const PARSED = ['_parsedUrl', '_parsedOriginalUrl'];

/** Forgets what was parsed of a target that has changed; whoever needs it parses again. */
export function forgetParsed(request: object): void {
  for (const name of PARSED) Reflect.deleteProperty(request, name);
}

/** Takes the parameters that do not count out of a parsed query. */
export function hideParameters(query: unknown, isVisible: (parameter: string) => boolean): void {
  if (typeof query !== 'object' || query === null) return;
  for (const name of Object.keys(query)) if (!isVisible(name)) Reflect.deleteProperty(query, name);
}
