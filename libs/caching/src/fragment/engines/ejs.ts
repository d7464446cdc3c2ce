import { readFile } from 'node:fs/promises';
import { callbackify } from 'node:util';
import type { FragmentCache } from '../fragment-cache.service.js';
import { renderTag } from '../waiting-tag.js';
import { blockOpening, type Opening } from './script-tags.js';

/** The parts of EJS that are used here. The application brings it along. */
export interface Ejs {
  compile(source: string, options?: object): (data?: object) => unknown;
  fileLoader(path: string): { toString(): string };
  readonly delimiter?: string;
  readonly openDelimiter?: string;
  readonly closeDelimiter?: string;
  readonly localsName?: string;
}

/** EJS with fragments, as Express and `@fastify/view` take it. */
export interface EjsWithFragments {
  compile(source: string, options?: object): (data?: object) => Promise<string>;
  readonly __express: (
    path: string,
    locals: object,
    done: (error: Error | null, html?: string) => void,
  ) => void;
}

/** The options of EJS that matter here. */
interface Options {
  readonly filename?: string;
  readonly cache?: boolean;
  readonly strict?: boolean;
  readonly _with?: boolean;
  readonly localsName?: string;
  readonly outputFunctionName?: string;
  readonly delimiter?: string;
  readonly openDelimiter?: string;
  readonly closeDelimiter?: string;
  readonly includer?: (path: string, resolved?: string) => Included | undefined;
}

interface Included {
  readonly filename?: string;
  readonly template?: string;
}

/** The local by which a template reaches its fragments. */
const FRAGMENTS = '__fragments';
/** What is at hand is not waited for. */
const APPEND = '__append(typeof __fragment === "string" ? __fragment : await __fragment);';
const BOM = /^\uFEFF/;

/**
 * EJS with cached blocks: `<% cache "name", { ttl: "15m", varyOn: [user.id] } as rows %> … <% endcache %>`; `as` names the
 * block's data. Templates are asynchronous: `<%- await include("row") %>`.
 *
 * @example
 * app.engine('ejs', withFragments(ejs, app.get(FragmentCache)).__express);
 * app.register(fastifyView, { engine: { ejs: withFragments(ejs, app.get(FragmentCache)) } });
 */
export function withFragments(ejs: Ejs, { loads }: FragmentCache): EjsWithFragments {
  const fragment =
    (name: unknown, options: Readonly<Record<string, unknown>> = {}) =>
    (block: (data: unknown) => Promise<string>) =>
      renderTag(loads, { name, options }, () => block);
  const compile = (source: string, options: Options = {}) => {
    const own = { ...options, async: true, includer: includer(ejs, options) };
    const template = ejs.compile(prepared(source, ejs, options), own);
    return async (data?: object) => (await template({ ...data, [FRAGMENTS]: fragment })) as string;
  };
  const templates = new Map<string, ReturnType<typeof compile>>();
  const renderFile = async (path: string, locals: ExpressLocals): Promise<string> => {
    const isCached = locals.settings?.['view cache'] === true;
    const options = { filename: path, views: locals.settings?.views, cache: isCached };
    const template = templates.get(path) ?? compile((await readFile(path, 'utf8')).replace(BOM, ''), options);
    if (isCached) templates.set(path, template);
    return template(locals);
  };
  return { compile, __express: callbackify(renderFile) };
}

interface ExpressLocals {
  readonly settings?: { readonly views?: unknown; readonly 'view cache'?: unknown };
}

/** Prepares files that are included, each once if templates are cached. */
function includer(ejs: Ejs, options: Options): NonNullable<Options['includer']> {
  const sources = new Map<string, string>();
  return (path, resolved) => {
    const given = options.includer?.(path, resolved);
    const filename = given?.filename ?? resolved;
    if (filename === undefined) return given;
    const known = options.cache === true ? sources.get(filename) : undefined;
    const source = known ?? given?.template ?? ejs.fileLoader(filename).toString().replace(BOM, '');
    const template = known ?? prepared(source, ejs, options);
    if (options.cache === true) sources.set(filename, template);
    return { filename, template };
  };
}

/** A template whose cached blocks are script: functions with an output of their own. */
function prepared(source: string, ejs: Ejs, options: Options): string {
  const delimiter = options.delimiter ?? ejs.delimiter ?? '%';
  const open = escaped((options.openDelimiter ?? ejs.openDelimiter ?? '<') + delimiter);
  const close = escaped(delimiter + (options.closeDelimiter ?? ejs.closeDelimiter ?? '>'));
  const tag = new RegExp(`(${open}_?)(\\s*(?:cache|endcache)\\b[^]*?)([-_]?${close})`, 'g');
  return source.replace(tag, (whole, start: string, script: string, end: string, offset: number) => {
    if (script.trim() === 'endcache') return `${start} return __output; }); ${APPEND} } ${end}`;
    const line = source.slice(0, offset).split('\n').length;
    const opening = blockOpening(script, `${options.filename ?? 'ejs'}:${line}`);
    return opening === undefined ? whole : `${start} ${begin(opening, ejs, options)} ${end}`;
  });
}

function begin({ given, as }: Opening, ejs: Ejs, options: Options): string {
  const { outputFunctionName: print, strict, _with, localsName = ejs.localsName ?? 'locals' } = options;
  const fragments = strict === true || _with === false ? `${localsName}.${FRAGMENTS}` : FRAGMENTS;
  return (
    `{ const __fragment = ${fragments}(${given})(async (${as}) => { let __output = ""; ` +
    'function __append(s) { if (s !== undefined && s !== null) __output += s } ' +
    (print === undefined ? '' : `const ${print} = __append;`)
  );
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
