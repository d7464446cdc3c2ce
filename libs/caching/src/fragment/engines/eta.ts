import { relative } from 'node:path';
import { callbackify } from 'node:util';
import type { FragmentCache } from '../fragment-cache.service.js';
import { renderTag } from '../waiting-tag.js';
import { blockOpening } from './script-tags.js';

/** The parts of Eta that are used here. The application brings it along. */
export interface Eta {
  readonly config: EtaConfig;
  configure(config: { plugins: never[] }): void;
  renderAsync(template: string, data: object): Promise<string>;
}

interface EtaConfig {
  readonly plugins: readonly object[];
  readonly outputFunctionName: string;
  readonly views?: string;
}

/** Eta with fragments, as Express and `@fastify/view` take it. */
export type EtaWithFragments<E> = E & {
  readonly __express: (
    path: string,
    locals: object,
    done: (error: Error | null, html?: string) => void,
  ) => void;
};

/** A piece of a parsed template: text, or a tag with its script. */
type Piece = string | { readonly t: string; readonly val: string; readonly lineNo?: number };

/** What a template puts out, and what else Eta keeps beside it. */
interface Output {
  readonly res: string;
}

/** By this name a template reaches its fragments. */
const FRAGMENT = '__renderFragment';
const prepared = new WeakSet<object>();
/** What is at hand is not waited for. The output is added to only then, or what is put out meanwhile would be lost. */
const APPEND =
  'const __html = typeof __fragment === "string" ? __fragment : await __fragment; __eta.res += __html;';

/**
 * Eta with cached blocks: `<% cache "name", { ttl: "15m", varyOn: [it.user.id] } as rows %> … <% endcache %>`; `as` names the
 * block's data. Templates are rendered asynchronously; one that is included has cached blocks if it is by `includeAsync`.
 *
 * @returns the engine, to be used instead
 *
 * @example
 * app.engine('eta', withFragments(new Eta({ views }), app.get(FragmentCache)).__express);
 * app.register(fastifyView, { engine: { eta: withFragments(new Eta(), app.get(FragmentCache)) }, options: { async: true } });
 */
export function withFragments<E extends Eta>(eta: E, { loads }: FragmentCache): EtaWithFragments<E> {
  const fragment =
    (output: Output, name: unknown, options: Readonly<Record<string, unknown>> = {}) =>
    (block: (output: Output, data: unknown) => Promise<string>) =>
      renderTag(loads, { name, options }, () => (data) => block({ ...output, res: '' }, data));
  const plugin = {
    processAST: (pieces: Piece[], config: EtaConfig) => pieces.map((piece) => scripted(piece, config)),
  };
  if (!prepared.has(eta)) eta.configure({ plugins: [...eta.config.plugins, plugin] as never[] });
  prepared.add(eta);
  // Templates find their fragments at the engine that renders them, so that it may serve several applications.
  const own = Object.assign(Object.create(eta) as E, { [FRAGMENT]: fragment });
  const renderFile = async (path: string, locals: object): Promise<string> =>
    own.renderAsync(relative(own.config.views ?? '', path), locals);
  Object.assign(eta, { [FRAGMENT]: fragment });
  return Object.assign(own, { __express: callbackify(renderFile) });
}

/** A tag of a cached block is script: a function with an output of its own. */
function scripted(piece: Piece, { outputFunctionName }: EtaConfig): Piece {
  if (typeof piece === 'string' || piece.t !== 'e') return piece;
  if (piece.val.trim() === 'endcache') return { ...piece, val: `return __eta.res; }); ${APPEND} }` };
  const opening = blockOpening(piece.val, piece.lineNo === undefined ? 'Eta' : `Line ${piece.lineNo}`);
  if (opening === undefined) return piece;
  const { given, as } = opening;
  const begin = `{ const __fragment = this.${FRAGMENT}(__eta, ${given})(async (__eta, ${as}) => {`;
  return { ...piece, val: `${begin} ${ownFunctions(outputFunctionName)}` };
}

/** The functions that Eta gives a template, for the output of a block. */
function ownFunctions(output: string): string {
  return [
    `function ${output}(s) { __eta.res += s; }`,
    'function capture(fn) { const s = __eta.res; __eta.res = ""; try { fn(); return __eta.res; } finally { __eta.res = s; } }',
    'async function captureAsync(fn) { const s = __eta.res; __eta.res = ""; try { await fn(); return __eta.res; } finally { __eta.res = s; } }',
  ].join(' ');
}
