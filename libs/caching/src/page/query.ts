/** Which parameters of the query count. Those that do not are neither in the key nor shown to the handler. */
export interface QueryOptions {
  /**
   * The only parameters that count: names, in which `*` stands for any text. `filter` also names `filter[…]`
   * and `filter.…`; a name has no brackets of its own. Default: all.
   */
  readonly only?: readonly string[];
  /** Parameters that do not count, written in the same way: `['utm_*', 'fbclid']`. Wins over `only`. Default: none. */
  readonly ignore?: readonly string[];
}

/** `'raw'`: everything counts, and so does the order. */
export type QueryRule = QueryOptions | 'raw';

/**
 * Past this many parameters query parsers stop reading (`node:querystring` and `qs` at 1000), so that the order decides
 * what a handler sees.
 */
const MAX_PARAMETERS = 1000;

/** A name cut at its `*`. */
type NamePattern = readonly string[];

interface Parameter {
  /** As it was sent. */
  readonly text: string;
  /** What it is sorted by. */
  readonly root: string;
}

/** Turns request targets into what handlers may see, and that into what stands in the key. */
export class QueryPolicy {
  private readonly isRaw: boolean;
  private readonly only: readonly NamePattern[] | undefined;
  private readonly ignore: readonly NamePattern[] | undefined;

  constructor(rule: QueryRule = {}) {
    this.isRaw = rule === 'raw';
    const { only, ignore } = rule === 'raw' ? {} : rule;
    this.only = only?.map(patternOf);
    this.ignore = ignore?.map(patternOf);
  }

  /** The target without the parameters that do not count; the rest stays as it was sent, in its order. */
  reduce(target: string): string {
    if (this.only === undefined && this.ignore === undefined) return target;
    const question = target.indexOf('?');
    if (question === -1 || hasFragment(target)) return target;
    const query = target.slice(question + 1);
    const pieces = query.split('&');
    const counting = pieces.filter((text) => this.counts(nameOf(text) ?? rawName(text)));
    if (counting.length === pieces.length) return target;
    const path = target.slice(0, question);
    return counting.length === 0 ? path : `${path}?${counting.join('&')}`;
  }

  /** The names of the parameters that {@link reduce} leaves out, each once. */
  dropped(target: string): readonly string[] {
    const question = target.indexOf('?');
    if (question === -1 || hasFragment(target)) return [];
    const names = target
      .slice(question + 1)
      .split('&')
      .map((text) => nameOf(text) ?? rawName(text));
    return [...new Set(names.filter((name) => !this.counts(name)))];
  }

  /** The query of a reduced target, without its `?`, in the one order that all its permutations share. */
  canonical(query: string): string {
    return this.isRaw ? query : canonicalQuery(query);
  }

  /** Whether a parameter of this decoded name counts. */
  counts(name: string): boolean {
    if (this.ignore?.some((pattern) => fits(name, pattern)) === true) return false;
    return this.only === undefined || this.only.some((pattern) => fits(name, pattern));
  }
}

/**
 * The parameters in the order of their names; those of one name keep theirs, since handlers see it, and so do `a`, `a[]`
 * and `a[b]`, which parsers put into one. What is sent stays as it is, so `a` is not `a=` and `+` is not `%20`. A query that
 * parsers may read in more than one way (malformed escapes or brackets, a fragment, too many parameters) keeps its order.
 */
export function canonicalQuery(query: string): string {
  if (!query.includes('&') || hasFragment(query)) return query;
  const pieces = query.split('&');
  if (pieces.length > MAX_PARAMETERS) return query;
  const parameters: Parameter[] = [];
  for (const text of pieces) {
    const name = nameOf(text);
    if (name === undefined || isAmbiguous(text, name)) return query;
    parameters.push({ text, root: rootOf(name) });
  }
  return parameters
    .sort((one, other) => (one.root < other.root ? -1 : one.root > other.root ? 1 : 0))
    .map(({ text }) => text)
    .join('&');
}

/** The name as parsers read it, or `undefined` if it does not decode. */
function nameOf(text: string): string | undefined {
  const name = rawName(text).replaceAll('+', ' ');
  if (!name.includes('%')) return name;
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

function rawName(text: string): string {
  const equals = text.indexOf('=');
  return equals === -1 ? text : text.slice(0, equals);
}

/** `a[b]` and `a.b` belong to `a`. */
function rootOf(name: string): string {
  const end = name.search(/[[.]/);
  return end === -1 ? name : name.slice(0, end);
}

/** A name without brackets, or with them in pairs behind it; parsers make different things of any other. */
const REGULAR_NAME = /^[^[\]]+(?:\[[^[\]]*\])*$|^$/;

/** Whether parsers differ in where the name ends (`qs` cuts `a=b]=c` at the second sign) or in what it names. */
function isAmbiguous(text: string, name: string): boolean {
  if (!REGULAR_NAME.test(name)) return true;
  const equals = text.indexOf('=');
  if (equals === -1 || /(?:\]|%5D)$/i.test(text.slice(0, equals))) return false;
  return /(?:\]|%5D)=/i.test(text.slice(equals));
}

/** Some parsers end the query at `#`, others do not. */
function hasFragment(target: string): boolean {
  return target.includes('#');
}

/** In a name only `*` means something. */
function patternOf(name: string): NamePattern {
  return name.split('*');
}

/**
 * Whether the name fits, or what stands before its first bracket or dot, since parsers that nest put it there. Looks for
 * each part once, from left to right.
 */
function fits(name: string, pattern: NamePattern): boolean {
  const root = rootOf(name);
  return fitsWhole(name, pattern) || (root !== name && root !== '' && fitsWhole(root, pattern));
}

function fitsWhole(name: string, pattern: NamePattern): boolean {
  const [first = '', ...rest] = pattern;
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - at >= last.length && name.endsWith(last);
}
