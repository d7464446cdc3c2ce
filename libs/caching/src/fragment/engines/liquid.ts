import { isPromise } from '../../cache/failure-policy.js';
import { InvalidArgumentError } from '../../errors.js';
import type { FragmentCache } from '../fragment-cache.service.js';
import { type FragmentLoads, silence } from '../fragment-loads.js';
import { renderTag } from '../waiting-tag.js';
import {
  type ExpressionParser,
  heldAt,
  parseArguments,
  plain,
  type Scopes,
  type TagArguments,
  type Tokenizer,
} from './liquid-arguments.js';

/** The parts of LiquidJS that are used here. The application brings it along. */
export interface Liquid extends ExpressionParser {
  registerTag(name: string, tag: unknown): void;
  render(templates: never, context: object): Promise<unknown>;
  /** What its methods that render come to. */
  _render(templates: never, scope: object, options: RenderOptions): unknown;
  renderToNodeStream(templates: never, scope?: object, options?: RenderOptions): unknown;
  evalValue(expression: string, context: object): Promise<unknown>;
  readonly parser: { parseToken(token: never, rest: never): object };
}

interface RenderOptions {
  readonly globals?: object;
}

interface TopLevelToken {
  readonly name?: string;
}

interface TagToken extends TopLevelToken {
  readonly tokenizer: Tokenizer;
  getText(): string;
}

/** What is at hand in a scope, by name. */
type Scope = Record<string, unknown>;

interface Context extends Scopes {
  readonly sync: boolean;
  readonly globals?: { readonly [FRAGMENTS]?: FragmentLoads };
  /** The variables of loops and partials, and at the bottom what was assigned. */
  readonly scopes: readonly Scope[];
  /** What tags remember in the course of a page. */
  readonly registers: Readonly<Record<string, unknown>>;
  getRegister(name: string, ifNone: unknown): unknown;
  push(scope: object): number;
}

/** By this name tags find the fragments of the application that a template is rendered for. */
const FRAGMENTS = Symbol('fragments');

interface Emitter {
  write(html: string): void;
}

/**
 * LiquidJS with cached blocks: `{% cache "name", vary…, ttl: "15m", tags: "…" %} … {% endcache %}`; `data: load, as: "rows"`
 * names the block's data. Render asynchronously, as Express and `@fastify/view` do.
 *
 * @returns the engine, to be used instead
 *
 * @example
 * const liquid = withFragments(new Liquid({ root: views, extname: '.liquid' }), app.get(FragmentCache));
 * app.engine('liquid', liquid.express());
 * app.register(fastifyView, { engine: { liquid } });
 */
export function withFragments<E extends Liquid>(liquid: E, { loads }: FragmentCache): E {
  // A class, since of an object with functions LiquidJS would parse the arguments anew on each render.
  liquid.registerTag(
    'cache',
    class extends CacheTag {
      constructor(token: TagToken, rest: TopLevelToken[]) {
        super(loads, liquid, token, rest);
      }
    },
  );
  const globals = (options: RenderOptions = {}): RenderOptions => ({
    ...options,
    globals: { ...(options.globals ?? liquid.options.globals), [FRAGMENTS]: loads },
  });
  const own: Pick<Liquid, '_render' | 'renderToNodeStream'> = {
    _render: (templates, scope, options) => liquid._render(templates, scope, globals(options)),
    renderToNodeStream: (templates, scope, options) =>
      liquid.renderToNodeStream(templates, scope, globals(options)),
  };
  return Object.assign(Object.create(liquid) as E, own);
}

/** One tag of a template. */
class CacheTag {
  private readonly given: TagArguments;
  private readonly templates: object[];

  constructor(
    /** Those of the application that came last. */
    private readonly loads: FragmentLoads,
    private readonly liquid: Liquid,
    readonly token: TagToken,
    rest: TopLevelToken[],
  ) {
    this.given = parseArguments(liquid, token.tokenizer);
    this.templates = parseBlock(liquid, token, rest);
  }

  /** Answers a promise only if there is something to wait for. */
  render(context: Context, emitter: Emitter): Promise<void> | undefined {
    if (context.sync)
      throw new InvalidArgumentError(
        'A template with cached blocks is rendered asynchronously: renderFile().',
      );
    const { data } = this.given;
    if (data !== undefined) silence(heldAt(data, context));
    const values = this.given.values.map((value) => value(context));
    const html = values.some(isPromise)
      ? Promise.all(values).then((all) => this.markup(all, context))
      : this.markup(values, context);
    if (typeof html !== 'string') return html.then((made) => emitter.write(made));
    emitter.write(html);
    return undefined;
  }

  private markup(values: readonly unknown[], context: Context): string | Promise<string> {
    const { name, options: names } = this.given;
    const vary: unknown[] = [];
    const options: Record<string, unknown> = {};
    let as: unknown;
    for (let index = 0; index < names.length; index += 1) {
      const option = names[index];
      if (option === undefined) vary.push(values[index]);
      else if (option === 'as') as = values[index];
      else options[option] = values[index];
    }
    const loads = context.globals?.[FRAGMENTS] ?? this.loads;
    return renderTag(loads, { name, options, vary }, () => {
      const own = copied(context);
      return () => this.block(own, as);
    });
  }

  private async block(context: Context, as: unknown): Promise<string> {
    const { data } = this.given;
    // Liquid calls functions as it meets them, so data is met only now.
    const rows = data === undefined ? undefined : plain(await this.liquid.evalValue(data.getText(), context));
    if (typeof as === 'string') context.push({ __proto__: null, [as]: rows });
    return String(await this.liquid.render(this.templates as never, context));
  }
}

/**
 * What a block is rendered with: copies, since loops, `assign` and what else is in a block write to what there is. A page may
 * have gone on without a block that took too long, and a block that is at hand assigns nothing. Counters go on as they do.
 */
function copied(context: Context): Context {
  const groups = context.getRegister('cycle', {});
  const blocks = context.registers['blockStack'] as readonly unknown[] | undefined;
  const own = {
    ...context,
    scopes: context.scopes.map(copiedScope),
    registers: {
      ...context.registers,
      cycle: groups,
      ...(blocks && { blockStack: [...blocks] }),
    },
    breakCalled: false,
    continueCalled: false,
  };
  return Object.setPrototypeOf(own, Object.getPrototypeOf(context) as object) as Context;
}

/** Loops write their rounds to their scopes. What is no plain object is none of theirs. */
function copiedScope(scope: Scope): Scope {
  const prototype = Object.getPrototypeOf(scope) as object | null;
  if (prototype !== null && prototype !== Object.prototype) return scope;
  const own = Object.assign(Object.create(prototype) as Scope, scope);
  for (const loop of ['forloop', 'tablerowloop']) {
    const drop = own[loop];
    if (typeof drop === 'object' && drop !== null)
      own[loop] = Object.assign(Object.create(Object.getPrototypeOf(drop) as object) as object, drop);
  }
  return own;
}

function parseBlock(liquid: Liquid, token: TagToken, rest: TopLevelToken[]): object[] {
  const templates: object[] = [];
  for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
    if (next.name === 'endcache') return templates;
    templates.push(liquid.parser.parseToken(next as never, rest as never));
  }
  throw new InvalidArgumentError(`tag ${token.getText()} is not closed: {% endcache %} is missing`);
}
